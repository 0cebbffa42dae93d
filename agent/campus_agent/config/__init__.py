"""The agent's configuration: `model` holds the types with their bounds, `read` reads agent.toml, `fetched` merges what the collector's inventory says."""
