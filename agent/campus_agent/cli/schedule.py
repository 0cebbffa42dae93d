"""What would the agent do on a day? The real planner, simulated (`campus-agent schedule`).

Assumed: classroom machines are on from a quarter of an hour before the first lesson to the end of the last one, every line is quiet.
"""

import argparse
from datetime import UTC, date, datetime, timedelta
from typing import Any

from campus_agent.cli.common import config_option, json_option
from campus_agent.config.model import AgentConfig
from campus_agent.config.read import load_config
from campus_agent.measure.plan import costs, jobs_of, typical
from campus_agent.schedule.calendar import DAY_WORDS, Calendar, calendar_of
from campus_agent.schedule.history import RECALL_KEY, History
from campus_agent.schedule.planner import Planner
from campus_agent.schedule.simulation import Assumptions, Event, day_of, midnight
from campus_agent.schedule.timetable import State, Window, windows
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import open_spool
from campus_base.command_line import EXIT_OK, CommandParser, day_argument, json_line
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.wire_words import SKIP_WORDS

STATE_WORDS: dict[State, Message] = {
    State.FREE: message("free"),
    State.LESSON: message("lesson"),
    State.BLACKOUT: message("blackout: nothing is sent"),
}
KIND_WORDS = {"throughput": message("tests"), "reference": message("references")}
_WEEKDAYS = (
    message("Monday"),
    message("Tuesday"),
    message("Wednesday"),
    message("Thursday"),
    message("Friday"),
    message("Saturday"),
    message("Sunday"),
)
_NAMED = 8
SWITCHED_ON_BEFORE = timedelta(minutes=15)


def register(parser: CommandParser) -> None:
    config_option(parser)
    json_option(parser)
    text = message("the day, like 2026-11-24 (default: today)")
    parser.add_argument("--date", type=day_argument(parser.language), metavar="YYYY-MM-DD", help=parser.words(text))
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    config = load_config(arguments.config)
    day_plan = plan(config, arguments.date or datetime.now(config.timezone).date())
    print(json_line(day_plan) if arguments.json else in_words(day_plan, language))
    return EXIT_OK


def plan(config: AgentConfig, day: date) -> dict[str, Any]:
    """The plan as `--json` prints it. Raises ConfigurationError for the holidays file."""
    calendar = calendar_of(config)
    like = datetime.now(UTC).astimezone(config.timezone)
    start = midnight(day, like)
    history = _history(config)
    ended = {name: at - start.timestamp() for name, at in history.tried.items()}
    jobs = tuple(job for job in jobs_of(config) if job.heavy)
    planner = Planner(jobs, calendar, costs(config), config.school, history, ended, 0.0)
    assumed = Assumptions(config.limits.daily_test_bytes, typical(config), on=lambda _, at: in_use(calendar, at))
    events = day_of(planner, assumed, day, like)
    what = calendar.day(day)
    return {
        "school": config.school,
        "date": day.isoformat(),
        "day": str(what.kind),
        "name": what.name,
        "public_holidays_known": calendar.covers(day.year),
        "windows": [_window(window, events) for window in windows(what, like)],
        "planned_bytes": sum(event.test_bytes for event in events),
        "daily_test_bytes": config.limits.daily_test_bytes,
    }


def in_use(calendar: Calendar, at: datetime) -> bool:
    """Are classroom machines on at this moment by the timetable? Always, where there is none."""
    lessons = calendar.day(at.date()).lessons
    if not lessons:
        return not calendar.has_lessons
    first = datetime.combine(at.date(), lessons[0].start, at.tzinfo) - SWITCHED_ON_BEFORE
    return first <= at < datetime.combine(at.date(), lessons[-1].end, at.tzinfo)


def in_words(day_plan: dict[str, Any], language: Language) -> str:
    day = date.fromisoformat(day_plan["date"])
    kind = next(words for kind, words in DAY_WORDS.items() if kind == day_plan["day"])
    title = [day_plan["date"], _WEEKDAYS[day.weekday()].in_(language), kind.in_(language), day_plan["name"]]
    lines = ["  ".join(part for part in title if part)]
    if not day_plan["public_holidays_known"]:
        text = message(
            "! the public holidays of {year} are not known to this version: provisional, only weekends"
            " count; write them into holidays_file"
        )
        lines.append(text.in_(language, year=day.year))
    for window in day_plan["windows"]:
        state = STATE_WORDS[State(window["state"])].in_(language)
        lines.append(f"  {window['start'][11:16]}–{window['end'][11:16]}  {state}  {_tests(window, language)}".rstrip())
        lines += [
            f"      {SKIP_WORDS[reason].in_(language)}: {_names(subjects, language)}"
            for reason, subjects in window["not_used"].items()
        ]
    text = message(
        "Assumed: classroom machines are on from 15 minutes before the first lesson to the end of the"
        " last, lines are quiet.\n"
        "Planned: {planned:.0f} MB of at most {daily:.0f} MB a day."
    )
    lines.append(text.in_(language, planned=day_plan["planned_bytes"] / 1e6, daily=day_plan["daily_test_bytes"] / 1e6))
    return "\n".join(lines)


def _tests(window: dict[str, Any], language: Language) -> str:
    parts = []
    for kind, words in KIND_WORDS.items():
        tests = [test for test in window["tests"] if test["kind"] == kind]
        if tests:
            first, last = tests[0]["at"][11:19], tests[-1]["at"][11:19]
            names = _names([test["subject"] for test in tests], language)
            parts.append(f"{len(tests)} {words.in_(language)} {first}–{last}: {names}")
    return "; ".join(parts)


def _names(subjects: list[str], language: Language) -> str:
    shown = ", ".join(subjects[:_NAMED])
    more = message(" and {count} more").in_(language, count=len(subjects) - _NAMED)
    return shown + (more if len(subjects) > _NAMED else "")


def _window(window: Window, events: list[Event]) -> dict[str, Any]:
    inside = [event for event in events if window.start <= event.at < window.end]
    not_used: dict[str, list[str]] = {}
    for event in inside:
        if event.reason is not None:
            not_used.setdefault(event.reason, []).append(event.job.subject)
    tests = [
        {
            "at": event.at.isoformat(timespec="seconds"),
            "kind": event.job.kind,
            "subject": event.job.subject,
            "seconds": event.seconds,
            "bytes": event.test_bytes,
        }
        for event in inside
        if event.reason is None
    ]
    return {
        "state": str(window.state),
        "start": window.start.isoformat(timespec="minutes"),
        "end": window.end.isoformat(timespec="minutes"),
        "tests": tests,
        "not_used": not_used,
    }


def _history(config: AgentConfig) -> History:
    """What the daemon remembers, where it has run."""
    try:
        with open_spool(config.state_dir, config.spool, role="reader") as spool:
            return spool.recall(RECALL_KEY, History) or History()
    except SpoolError:
        return History()
