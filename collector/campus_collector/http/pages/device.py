"""What the page of one device shows: its state now, today and over the month, and what it said."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from campus_base.readings import READINGS, in_words
from campus_base.wire_words import FAILURE_WORDS
from campus_collector.domain.inventory import Device
from campus_collector.domain.schools import School
from campus_collector.http.pages.charts import day_strip
from campus_collector.http.pages.day_states import DAYS_IN_A_STRIP
from campus_collector.http.pages.paths import raw_results_path, result_path
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.rooms import DeviceRow, device_row
from campus_collector.http.pages.school import strip_of_today
from campus_collector.http.service import Service
from campus_collector.judge.month import Month, start_of_day
from campus_wire.records import AnyResult, DeviceResult

SAMPLE_SECONDS = 3600
"""Of a month one poll an hour is read: what is polled every five minutes is 9 000 results."""
MOST_POLLS_OF_A_DAY = 2000
SHOWN_POLLS = 12


@dataclass(frozen=True, slots=True)
class DeviceDay:
    """A day of a device: sampled polls and how many found it down; the readings of its last one."""

    day: date
    polls: int
    down: int
    readings: str
    path: str


@dataclass(frozen=True, slots=True)
class PollRow:
    when: str
    path: str
    badge: Badge
    readings: str
    why: str


@dataclass(frozen=True, slots=True)
class DevicePage:
    """What the page of one device shows; `now` None: it was not polled yet. Of another month than this one `today` is ""."""

    id: str
    name: str
    room: str
    profile: str
    host: str
    now: DeviceRow | None
    today: str
    outages: str
    strips: list[str]
    days: list[DeviceDay]
    polls: list[PollRow]
    csv: str
    json: str


class DeviceModel:
    def __init__(self, service: Service, reader: Reader, month: Month) -> None:
        self._service, self._reader, self._month = service, reader, month

    def page(self, school: School, device_id: str) -> DevicePage | None:
        """None for a device that neither the inventory has nor a gateway ever polled."""
        listed = self._listed(school, device_id)
        latest = next(
            (each.any for each in self._service.store.results.latest(school.id, device_id) if each.kind == "device"),
            None,
        )
        if listed is None and latest is None:
            return None
        record = latest.record if isinstance(latest, DeviceResult) else None
        now = device_row(self._reader, latest, record) if isinstance(latest, DeviceResult) and record else None
        strip, outages = self._today(school, device_id)
        days = self._days(school, device_id)
        export = (school.id, device_id, "device", self._month.start, self._month.end)
        return DevicePage(
            device_id,
            (listed.name if listed is not None else "") or device_id,
            listed.room if listed is not None else record.room if record is not None else "",
            record.profile if record is not None else listed.profile if listed is not None else "",
            listed.host if listed is not None else "",
            now,
            strip,
            outages,
            self._strips(days, device_id),
            days[::-1],
            self._polls(school, device_id),
            raw_results_path(*export, ending=".csv", lang=self._reader.language),
            raw_results_path(*export),
        )

    def _listed(self, school: School, device_id: str) -> Device | None:
        devices = self._service.inventory.part_of(school.id).devices or ()
        return next((device for device in devices if (device.school, device.id) == (school.id, device_id)), None)

    def _today(self, school: School, device_id: str) -> tuple[str, str]:
        zone, today = self._month.zone, self._service.today()
        start, end = start_of_day(today, zone), start_of_day(today + timedelta(days=1), zone)
        if not self._month.start <= start < self._month.end:
            return "", ""
        results = self._service.store.results.newest(school.id, device_id, "device", start, end, MOST_POLLS_OF_A_DAY)
        polls = [(result.started_at.astimezone(zone), _is_up(result)) for result in results]
        return strip_of_today(self._reader, device_id, polls)

    def _days(self, school: School, device_id: str) -> list[DeviceDay]:
        """The days of the month that have polls."""
        month = self._month
        by_day: dict[date, list[AnyResult]] = {}
        for result in self._service.store.results.sampled(
            school.id, device_id, "device", month.start, month.end, SAMPLE_SECONDS
        ):
            by_day.setdefault(result.started_at.astimezone(month.zone).date(), []).append(result)
        return [
            DeviceDay(
                day,
                len(results),
                sum(_is_up(result) is False for result in results),
                self._readings(results[-1]),
                result_path(school.id, results[-1]),
            )
            for day, results in sorted(by_day.items())
        ]

    def _strips(self, days: list[DeviceDay], name: str) -> list[str]:
        polled = {day.day: day for day in days}
        cells = [self._cell(day, polled.get(day)) for day in self._month.every_day()]
        down = sum(day.down > 0 for day in days)
        title = self._reader.words("device_month", name=name, month=str(self._month), days=len(days), down=down)
        return [day_strip(part, title) for part in (cells[:DAYS_IN_A_STRIP], cells[DAYS_IN_A_STRIP:]) if part]

    def _cell(self, day: date, polled: DeviceDay | None) -> tuple[str, str]:
        if polled is None:
            return self._reader.words("strip_none", day=day.isoformat()), "none"
        words = self._reader.words("strip_polls", down=polled.down, polls=polled.polls, day=day.isoformat())
        return words, "not_met" if polled.down else "met"

    def _polls(self, school: School, device_id: str) -> list[PollRow]:
        results = self._service.store.results.newest(
            school.id, device_id, "device", self._month.start, self._month.end, SHOWN_POLLS
        )
        return [
            PollRow(
                _local(result.started_at, self._month),
                result_path(school.id, result),
                self._reader.state(_is_up(result)),
                self._readings(result),
                self._reader.text(FAILURE_WORDS[result.failure.kind]) if result.failure is not None else "",
            )
            for result in results
        ]

    def _readings(self, result: AnyResult) -> str:
        record = result.record if isinstance(result, DeviceResult) else None
        if record is None:
            return ""
        readings: dict[str, float | str] = {**record.readings, **record.words}
        return " · ".join(
            in_words(name, readings[name], self._reader.language) for name in READINGS if name in readings
        )


def _is_up(result: AnyResult) -> bool | None:
    record = result.record if isinstance(result, DeviceResult) else None
    return record.up if record is not None else None


def _local(moment: datetime, month: Month) -> str:
    return moment.astimezone(month.zone).strftime("%Y-%m-%d %H:%M")
