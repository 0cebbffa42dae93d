"""The sample for Alertmanager: what forms a group, who receives it, and when nothing is sent."""

import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_rules import ALERTS, alert_file, tool

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "prometheus" / "alertmanager.yml"
LABELS_OF_MANY_VALUES = {"school", "classroom", "room", "device", "subject", "instance", "..."}


def sample() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def routes() -> list[dict[str, Any]]:
    """The first route, and those below it."""
    root = sample()["route"]
    return [root, *root["routes"]]


def test_groups_are_formed_by_county_and_alert_never_by_school() -> None:
    assert routes()[0]["group_by"] == ["county", "alertname"]
    for route in routes()[1:]:
        assert not LABELS_OF_MANY_VALUES & set(route.get("group_by", []))


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_every_severity_is_silent_at_night_and_on_holidays(severity: str) -> None:
    (route,) = [route for route in routes()[1:] if route["matchers"] == [f'severity="{severity}"']]
    assert route["mute_time_intervals"] == ["night", "holidays"]


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_reaches_its_receiver(alert: str) -> None:
    severity, _ = alert_file()[alert]
    receiver = {"critical": "duty", "warning": "staff"}[severity]
    arguments = ["config", "routes", "test", f"--config.file={FILE}", f"--verify.receivers={receiver}"]
    labels = [f"alertname={alert}", f"severity={severity}", "school=s001"]
    done = subprocess.run([tool("amtool"), *arguments, *labels], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def in_interval(day: date, interval: dict[str, Any]) -> bool:
    """A day against one line of `holidays`; the sample uses no more than these fields."""
    assert set(interval) <= {"years", "months", "days_of_month", "weekdays", "location"}
    assert interval["location"] == "Asia/Shanghai"
    weekday = day.strftime("%A").lower()
    return all(
        (
            "weekdays" not in interval or weekday in interval["weekdays"],
            "years" not in interval or str(day.year) in interval["years"],
            "months" not in interval or str(day.month) in interval["months"],
            "days_of_month" not in interval or any(_between(day.day, span) for span in interval["days_of_month"]),
        )
    )


def _between(number: int, span: str) -> bool:
    first, _, last = span.partition(":")
    return int(first) <= number <= int(last or first)


@pytest.mark.parametrize(
    ("day", "silent"),
    [
        (date(2027, 1, 1), True),
        (date(2027, 2, 5), True),  # the eve of the Spring Festival
        (date(2027, 2, 8), True),
        (date(2027, 4, 5), True),
        (date(2027, 5, 1), True),
        (date(2027, 6, 9), True),
        (date(2027, 9, 15), True),
        (date(2029, 10, 1), True),
        (date(2027, 3, 6), True),  # a Saturday
        (date(2027, 3, 8), False),
        (date(2027, 10, 8), False),
        (date(2028, 2, 8), False),  # the Spring Festival moves from year to year
    ],
)
def test_holidays(day: date, silent: bool) -> None:
    (intervals,) = [entry["time_intervals"] for entry in sample()["time_intervals"] if entry["name"] == "holidays"]
    assert any(in_interval(day, interval) for interval in intervals) is silent


def test_the_manual_says_what_is_sent_on_holidays_in_both_languages() -> None:
    for page, sentences in (
        ("en/alerts.md", ("on weekends and on holidays nothing is sent", "To edit holidays")),
        ("alerts.md", ("周末和节假日均不发送", "修改节假日")),
    ):
        text = (ROOT / "docs/pages" / page).read_text(encoding="utf-8")
        assert [words for words in sentences if words not in text] == []
        assert f"/help/{page.removeprefix('en/').removesuffix('.md')}.html" in FILE.read_text(encoding="utf-8")
