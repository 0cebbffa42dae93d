"""Fetches this gateway's configuration from the collector."""

from pathlib import Path

from campus_agent.config import fetched
from campus_agent.config.fetched import FetchedConfigRefused
from campus_agent.config.model import AgentConfig
from campus_agent.ship.connection import CollectorConnection, ShipFailed
from campus_base.messages import message
from campus_base.wire_words import FAILURE_WORDS

PATH = "/v1/config"
FETCH_SECONDS = 300.0


def fetch(config: AgentConfig, file: Path) -> bytes | None:
    """The collector's configuration, if it is another than the stored one. Raises ShipFailed, FetchedConfigRefused."""
    if config.collector is None:
        return None
    held = fetched.stored_body(config.state_dir)
    connection = CollectorConnection(config.collector)
    try:
        answer = connection.fetch(PATH, fetched.tag_of(held) if held else None)
    finally:
        connection.close()
    if answer.status == 304 or answer.status == 404:  # 404: a collector that does not give any yet
        return None
    if answer.status != 200:
        raise FetchedConfigRefused(message("the collector answered {status}", status=answer.status))
    if answer.body == held:
        return None
    fetched.check(answer.body, config, file)
    return answer.body


def reason_of(failed: ShipFailed) -> str:
    return f"{FAILURE_WORDS[failed.failure.kind].en}: {failed.failure.detail}"[:200]
