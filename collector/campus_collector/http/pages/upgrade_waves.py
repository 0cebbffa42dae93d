"""Which step of the upgrade in progress a gateway belongs to, and how far it is."""

from collections.abc import Mapping

from campus_base.messages import Message
from campus_collector.http.service import Service


def upgrade_waves(service: Service) -> Mapping[str, Message]:
    """By school; empty while no upgrade is in progress: the page then has no such column."""
    return {}
