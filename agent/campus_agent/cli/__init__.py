"""The commands of `campus-agent`."""
