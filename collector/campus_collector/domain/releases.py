"""Releases of the agent, and how far each gateway's upgrade is, as they are stored; when a release goes on, and when it stops. No I/O."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from math import ceil
from typing import Literal

from campus_base.messages import Message, message

ReleaseState = Literal["kept", "rolling", "stopped", "done"]
STATE_WORDS: dict[str, Message] = {
    "kept": message("kept: gateways go back to it"),
    "rolling": message("going out in waves"),
    "stopped": message("stopped"),
    "done": message("offered to all"),
}
WAVES = (0.0, 0.05, 0.3, 1.0)
"""Shares of the gateways; the first wave is one gateway."""
SOAK = timedelta(hours=20)
"""An upgraded gateway counts as good after this: a school day's tests are in it."""
OFFER_PATIENCE = timedelta(hours=3)
"""A gateway that took an offer says within this what became of it: the download, and twice the 20 minutes of the gateway."""
SILENCE_PATIENCE = timedelta(hours=26)
"""A gateway may be switched off over night."""
MEASURE_PATIENCE = timedelta(days=4)
"""Over a weekend nothing may be measured."""
GOOD_SHARE = 0.8
BAD_SHARE = 0.05
ASKS_WITHIN = timedelta(days=3)
"""Gateways that asked within this count for the size of a wave."""
LEAST_TESTS = 3
RATE_RATIO = (0.6, 1.7)
"""The median rate after an upgrade, as a multiple of that before it."""


@dataclass(frozen=True, slots=True)
class Release:
    """A version of the agent. `wave` counts from 0 while it is rolling."""

    version: str
    state: ReleaseState
    wave: int
    wave_since: datetime
    added_at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReleasePackage:
    """Its package for one architecture; `control` is the package's own description."""

    version: str
    architecture: str
    sha256: str
    size: int
    control: str


@dataclass(frozen=True, slots=True)
class GatewayUpgrade:
    """What a gateway runs, and its last offer."""

    school: str
    agent_id: str
    asked_at: datetime
    version: str
    target: str = ""
    offered_at: datetime | None = None
    installed_at: datetime | None = None
    returned_at: datetime | None = None
    reason: str = ""


class Health(Enum):
    """What an offered gateway says of a release."""

    PENDING = "pending"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class MeasuredSpan:
    """A span's throughput tests: how many, how many of them valid, and the median of the valid ones' rate."""

    total: int = 0
    valid: int = 0
    median_bits_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of an offered gateway: its last report, and its tests before and after the upgrade."""

    gateway: GatewayUpgrade
    last_report_at: datetime | None
    before: MeasuredSpan = MeasuredSpan()
    after: MeasuredSpan = MeasuredSpan()


@dataclass(frozen=True, slots=True)
class Progress:
    """What becomes of a rolling release: the same, the next wave, done, or stopped with the reason."""

    state: ReleaseState
    wave: int
    reason: str = ""


def wave_size(wave: int, gateways: int) -> int:
    """How many gateways a wave holds, those of earlier waves included; never fewer than the one before it."""
    return min(gateways, max(wave + 1 if wave < len(WAVES) - 1 else 1, ceil(WAVES[wave] * gateways)))


def is_offered(release: Release, gateway: GatewayUpgrade, gateways: Collection[GatewayUpgrade], now: datetime) -> bool:
    """May this gateway have the release now? Whoever asks first fills a wave; one that went back from it is not asked again."""
    if release.state not in ("rolling", "done"):
        return False
    if gateway.target == release.version:
        return gateway.returned_at is None
    if release.state == "done":
        return True
    asking = [each for each in gateways if now - each.asked_at <= ASKS_WITHIN]
    offered = sum(each.target == release.version for each in gateways)
    return offered < wave_size(release.wave, max(1, len(asking)))


def health(condition: Condition, now: datetime) -> tuple[Health, str]:
    """What a gateway says of its release, with the reason where it is bad."""
    gateway = condition.gateway
    if gateway.returned_at is not None:
        return Health.BAD, f"went back: {gateway.reason}"
    if gateway.installed_at is None:
        late = gateway.offered_at is not None and now - gateway.offered_at > OFFER_PATIENCE
        return (Health.BAD, "silent since it was offered") if late else (Health.PENDING, "")
    reported = condition.last_report_at or gateway.installed_at
    if now - reported > SILENCE_PATIENCE:
        return Health.BAD, "silent after the upgrade"
    flaw = _flaw_of_tests(condition, now - gateway.installed_at)
    if flaw:
        return Health.BAD, flaw
    measures = condition.after.valid > 0 or condition.before.valid == 0
    return (Health.GOOD if measures and now - gateway.installed_at >= SOAK else Health.PENDING), ""


def _flaw_of_tests(condition: Condition, age: timedelta) -> str:
    before, after = condition.before, condition.after
    if before.valid and not after.valid and (after.total >= LEAST_TESTS or age > MEASURE_PATIENCE):
        return "no valid test since the upgrade"
    if after.valid >= LEAST_TESTS and before.valid >= LEAST_TESTS and before.median_bits_per_second:
        ratio = (after.median_bits_per_second or 0.0) / before.median_bits_per_second
        if not RATE_RATIO[0] <= ratio <= RATE_RATIO[1]:
            return f"measures {ratio:.2f} times what it measured before"
    return ""


def progress(release: Release, conditions: Collection[Condition], gateways: int, now: datetime) -> Progress:
    """What becomes of a rolling release by the gateways it was offered to; `gateways`: how many ask at all."""
    found = [(condition, *health(condition, now)) for condition in conditions]
    bad = [(condition.gateway.school, reason) for condition, state, reason in found if state is Health.BAD]
    allowed = 0 if release.wave == 0 else max(1, int(BAD_SHARE * len(found)))
    if len(bad) > allowed:
        reasons = "; ".join(f"{school}: {reason}" for school, reason in bad[:3])
        return Progress("stopped", release.wave, f"{len(bad)} of {len(found)} gateways: {reasons}")
    good = sum(state is Health.GOOD for _, state, _ in found)
    if good < max(1, ceil(GOOD_SHARE * wave_size(release.wave, gateways))):
        return Progress("rolling", release.wave)
    return Progress("done", release.wave) if release.wave == len(WAVES) - 1 else Progress("rolling", release.wave + 1)
