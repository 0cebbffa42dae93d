"""What is to be done in a Grafana? What should be there against what is. Pure."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_wire.digits import ascii_integer

What = Literal["created", "changed", "unchanged", "conflict"]
WHAT_WORDS: dict[What, Message] = {
    "created": message("create"),
    "changed": message("change"),
    "unchanged": message("unchanged"),
    "conflict": message("conflict: somebody else's; see --overwrite"),
}
KIND_WORDS = {
    "folder": message("folder"),
    "datasource": message("data source"),
    "dashboard": message("dashboard"),
}
OURS = "campusmeter"
"""The tag of our dashboards, and the uid of our folder and data source."""
GRAFANA_S_OWN = frozenset({"id", "version", "iteration"})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing: what is to be done with it, and which of its keys differ."""

    kind: str
    uid: str
    title: str
    what: What
    keys: tuple[str, ...] = ()

    def in_(self, language: Language) -> str:
        keys = f" ({', '.join(self.keys)})" if self.keys else ""
        return f"{WHAT_WORDS[self.what].in_(language)}: {KIND_WORDS[self.kind].in_(language)} {self.title}{keys}"


def dashboard_step(desired: dict[str, Any], existing: dict[str, Any] | None, overwrite: bool) -> Step:
    """`existing` is Grafana's `dashboard` object; one without our tag is somebody else's."""
    uid, title = str(desired["uid"]), str(desired["title"])
    if existing is None:
        return Step("dashboard", uid, title, "created")
    keys = differences(desired, existing)
    if not keys:
        return Step("dashboard", uid, title, "unchanged")
    if OURS not in existing.get("tags", []) and not overwrite:
        return Step("dashboard", uid, title, "conflict", keys)
    return Step("dashboard", uid, title, "changed", keys)


def plain_step(kind: str, desired: dict[str, Any], existing: dict[str, Any] | None) -> Step:
    """A folder or a data source, by the keys that matter to us."""
    uid, title = str(desired["uid"]), str(desired.get("title") or desired["name"])
    if existing is None:
        return Step(kind, uid, title, "created")
    keys = differences(desired, existing)
    return Step(kind, uid, title, "changed" if keys else "unchanged", keys)


def differences(desired: dict[str, Any], existing: dict[str, Any]) -> tuple[str, ...]:
    """The keys we set that are otherwise there; what Grafana adds does not count."""
    return tuple(
        key
        for key, value in desired.items()
        if key not in GRAFANA_S_OWN and _canonical(existing.get(key)) != _canonical(value)
    )


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def version_of(text: str) -> tuple[int, int]:
    """Major and minor of a version like `10.4.2`; (0, 0) for what is none."""
    parts = [ascii_integer(part, 10**6) for part in text.split("-")[0].split(".")[:2]]
    major, minor = (*parts, None, None)[:2]
    return (0, 0) if major is None or minor is None else (major, minor)
