"""The agent's configuration: `model` holds the types and reads agent.toml, `central` adds what the collector's inventory says."""
