"""What a simulated gateway's lesson stream says of a school day, five minutes by five. Pure; the same for the same seed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from campus_collector.judge.policy import HoursOfDay
from campus_collector.simulate import LABEL
from campus_wire.failures import Validity
from campus_wire.records import Interruption, LessonMinute, LessonStreamRecord, LessonStreamResult

PACKETS_PER_SECOND, PACKET_BYTES = 20, 100
PACKETS_OF_A_MINUTE = 60 * PACKETS_PER_SECOND
RESULT_MINUTES = 5
FROZEN_SHARE = 0.3
"""Of the days: the line is gone for some seconds once."""
RECORDER_SHARE = 0.1
"""Of the days: a recorder does not answer for a minute."""


class LessonStream:
    """Of one school."""

    def __init__(self, school: str, server: str, seed: int, zone: ZoneInfo, hours: Sequence[HoursOfDay]) -> None:
        """`hours` are those in which the stream runs."""
        self._school, self._server, self._seed, self._zone, self._hours = school, server, seed, zone, hours

    def day(self, day: date, *, is_late: bool) -> Iterator[LessonStreamResult]:
        """`is_late`: round trips grow beyond what a lesson tolerates in every third minute."""
        random = Random(f"{self._seed}/{self._school}/lessons/{day}")
        starts = [start for hours in self._hours for start in self._starts(day, hours)]
        if not starts:
            return
        frozen = self._interruption(random, starts, "uplink", random.uniform(2, 40), FROZEN_SHARE)
        away = self._interruption(random, starts, "recorder", 60.0, RECORDER_SHARE)
        for number, start in enumerate(starts):
            end = start + timedelta(minutes=RESULT_MINUTES)
            minutes = [
                self._minute(random, start + timedelta(minutes=count), frozen, is_late)
                for count in range(RESULT_MINUTES)
            ]
            listed = [each for each in (frozen, away) if each is not None and start <= each.began_at < end]
            yield LessonStreamResult(
                id=f"sim-{self._seed}-{self._school}-{day:%Y%m%d}-l{number}",
                subject="uplink",
                school=self._school,
                started_at=start,
                boot_id=LABEL,
                monotonic_seconds=float(number),
                duration_seconds=60.0 * RESULT_MINUTES,
                validity=Validity.OK,
                record=LessonStreamRecord(self._server, PACKETS_PER_SECOND, PACKET_BYTES, True, minutes, listed),
            )

    def _starts(self, day: date, hours: HoursOfDay) -> list[datetime]:
        begin, end = (datetime.combine(day, at, self._zone).astimezone(UTC) for at in (hours.start, hours.end))
        number = (end - begin) // timedelta(minutes=RESULT_MINUTES)
        return [begin + timedelta(minutes=RESULT_MINUTES * count) for count in range(number)]

    def _interruption(
        self, random: Random, starts: Sequence[datetime], where: str, seconds: float, share: float
    ) -> Interruption | None:
        """On so large a share of the days."""
        began = random.choice(starts) + timedelta(seconds=round(random.uniform(0, 200), 1))
        if random.random() >= share:
            return None
        lost = round(seconds * (PACKETS_PER_SECOND if where == "uplink" else 1))
        return Interruption(
            f"sim-{self._seed}-{self._school}-{began:%Y%m%d}-{where}",
            began,
            began + timedelta(seconds=round(seconds, 1)),
            "up" if where == "uplink" else "both",
            where,  # type: ignore[arg-type]
            lost,
            device="rec-1" if where == "recorder" else None,
        )

    def _minute(self, random: Random, at: datetime, frozen: Interruption | None, is_late: bool) -> LessonMinute:
        rtt = random.uniform(0.007, 0.012)
        p95 = random.uniform(0.18, 0.4) if is_late and random.random() < 1 / 3 else rtt * 1.3
        lost, gap = random.choice((0, 0, 0, 1)), random.uniform(0.055, 0.08)
        if frozen is not None and frozen.ended_at is not None:
            overlap = min(frozen.ended_at, at + timedelta(minutes=1)) - max(frozen.began_at, at)
            if overlap > timedelta():
                lost = round(overlap.total_seconds() * PACKETS_PER_SECOND)
                gap = (min(frozen.ended_at, at + timedelta(minutes=1)) - frozen.began_at).total_seconds()
        return LessonMinute(
            at,
            PACKETS_OF_A_MINUTE,
            lost_up=lost,
            rtt_min_seconds=round(rtt * 0.8, 5),
            rtt_median_seconds=round(rtt, 5),
            rtt_p95_seconds=round(p95, 5),
            rtt_p99_seconds=round(p95 * 1.1, 5),
            rtt_max_seconds=round(p95 * 1.5, 5),
            jitter_seconds=round(rtt * 0.05, 5),
            longest_gap_seconds=round(gap, 3),
            lan_sent=60,
        )
