"""Reads `agent.toml`, with what the collector's inventory adds to it; all mistakes at once."""

import os
from collections.abc import Mapping
from pathlib import Path

from campus_agent.config.fetched import merged, stored
from campus_agent.config.model import DEFAULT_STATE_DIR, ENVIRONMENT_TABLES, AgentConfig
from campus_base.settings import ConfigurationError, load
from campus_base.typed_tables import read_table


def load_config(path: Path, environ: Mapping[str, str] = os.environ) -> AgentConfig:
    """The configuration in a file with the stored fetched one over it, which is left out where it no longer fits the file.

    Raises ConfigurationError with every mistake in it.
    """
    top = load(path, environ, ENVIRONMENT_TABLES)
    agent = top.values.get("agent")
    state_dir = agent.get("state_dir") if isinstance(agent, dict) else None
    fetched = stored(top.folder / (state_dir if isinstance(state_dir, str) else DEFAULT_STATE_DIR))
    if fetched is not None:
        config = read_table(AgentConfig, merged(top, fetched))
        if not top.mistakes:
            return config
        top.mistakes.clear()
    config = read_table(AgentConfig, top)
    if top.mistakes:
        raise ConfigurationError(str(path), top.mistakes)
    return config
