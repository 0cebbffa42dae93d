"""Stores one result from a process that does not own the spool: the command line, the classroom page."""

import logging

from campus_agent.config.model import AgentConfig
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import open_spool
from campus_wire.records import AnyResult

log = logging.getLogger(__name__)


def store_result(config: AgentConfig, result: AnyResult) -> None:
    """Spool a result for the collector. A spool that cannot be written costs the record, not the answer."""
    try:
        with open_spool(config.state_dir, config.spool, role="writer") as spool:
            spool.put(result)
    except SpoolError as error:
        log.warning("not kept for the collector: %s", error)
