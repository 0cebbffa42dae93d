"""Which step of the upgrade in progress a gateway belongs to, and how far it is."""

from collections.abc import Mapping

from campus_base.messages import Message
from campus_collector.http.pages.releases import state_of
from campus_collector.http.pages.words import WORDS
from campus_collector.http.service import Service


def upgrade_waves(service: Service) -> Mapping[str, Message]:
    """By school; empty while no upgrade is in progress: the page then has no such column. Raises StoreUnavailable."""
    rolling = {release.version for release in service.store.releases.all() if release.state == "rolling"}
    if not rolling:
        return {}
    gateways = service.store.releases.upgrades()
    return {each.school: WORDS[f"upgrade_{state_of(each)}"] for each in gateways if each.target in rolling}
