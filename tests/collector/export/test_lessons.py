"""The lesson stream on /metrics: the minutes and interruptions of today, and the newest minute."""

from datetime import datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from campus_wire.failures import Validity
from campus_wire.records import Interruption, InterruptionResult
from tests.collector.lessons import FROZEN, lesson_streams
from tests.collector.world import AT, World, throughput


def samples(world: World, now: datetime) -> dict[tuple[str, str], float]:
    """By name and the label that is not town or school."""
    text = b"".join(world.service.metrics.render(["uplinks"], now=now)).decode()
    return {
        (sample.name, next((value for name, value in sample.labels.items() if name not in ("town", "school")), "")): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(("campus_lesson", "campus_interruptions"))
    }


def test_todays_minutes_and_interruptions(world: World) -> None:
    world.send(throughput())
    assert samples(world, AT) == {}, "no stream, no lines"
    going = Interruption("i-1", AT + timedelta(seconds=170), None, "up", "uplink", 20)
    bad = {2: FROZEN, 4: {"sent": 0, "unknown_seconds": 60.0}, 9: {"lost_up": 60, "lost_down": 60}}
    world.send(*lesson_streams(AT, 10, bad, [going]))
    now = AT + timedelta(minutes=11)
    first = samples(world, now)
    assert {quality: first["campus_lesson_minutes_total", quality] for quality in ("good", "bad", "unknown")} == {
        "good": 7,
        "bad": 2,
        "unknown": 1,
    }
    assert first["campus_interruptions_total", "uplink"] == 1
    assert first["campus_interruptions_total", "recorder"] == 0
    assert first["campus_lesson_loss_ratio", ""] == 0.1
    assert first["campus_lesson_rtt_seconds", ""] == 0.012
    ended = Interruption("i-1", going.began_at, AT + timedelta(seconds=190), "up", "uplink", 400)
    alone = InterruptionResult(
        id="i-1-ended", subject="uplink", started_at=AT, boot_id="b", monotonic_seconds=1.0, duration_seconds=20.0,
        validity=Validity.OK, record=ended,
    )  # fmt: skip
    world.send(alone)
    assert samples(world, now)["campus_interruptions_total", "uplink"] == 1, "the same one, now with its end"


def test_the_present_goes_after_a_quarter_of_an_hour_and_the_day_at_midnight(world: World) -> None:
    world.send(*lesson_streams(AT, 5))
    later = samples(world, AT + timedelta(minutes=20))
    assert ("campus_lesson_loss_ratio", "") not in later
    assert later["campus_lesson_minutes_total", "good"] == 5
    tomorrow = samples(world, AT + timedelta(hours=15))
    assert tomorrow["campus_lesson_minutes_total", "good"] == 0, "begins anew"
