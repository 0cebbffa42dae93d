"""Upgrades by pull: `look` asks the collector and fetches signed packages, `install` puts them in place and goes back where that fails."""
