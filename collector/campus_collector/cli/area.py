"""`campus-collector area`: upward reporting, both sides: who may hand in months here, and what goes to the level above."""

import argparse
import sys
from datetime import UTC, datetime, timedelta

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line, whole_number
from campus_base.language import Language
from campus_base.messages import message, pmessage
from campus_base.terminal import escape_cell
from campus_collector.area.enrol import NotEnrolled, enrol_above
from campus_collector.area.key import NoSigningKey, SigningKey, fingerprint_of
from campus_collector.area.upward import utc_now
from campus_collector.cli.common import data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.domain.area import AreaMember, OutgoingMonth
from campus_collector.domain.area_standing import CountyStanding
from campus_collector.domain.enrolment_codes import code_hash, new_code, plain
from campus_collector.http.service import open_service
from campus_collector.store.errors import StoreBusy
from campus_collector.store.open import open_store
from campus_wire.ids import is_id

MOST_HOURS = 24 * 30
MOST_LETTERS = 100
TAKES_NONE = message('this collector takes no months: set [area] level = "prefecture" or "province"')
ABOVE_PREFECTURES = message('only a province takes months of prefectures: set [area] level = "province"')
SENDS_NONE = message("nothing goes up from here: set [upstream] url and token_file")


def register(parser: CommandParser) -> None:
    _register_code(parser)
    text = message("enrol at [upstream] url with the code that the level above gave, and keep the token")
    action = parser.add_command("enroll", text, _enroll)
    data_options(action)
    action.add_argument("code", metavar="CODE", help=parser.words(message("like 7K3M-Q9XZ-02FD")))
    text = message("prepare and send now what waits for the level above; the running collector does it by itself")
    data_options(parser.add_command("send", text, _send))
    action = parser.add_command("status", message("what has come from below, and what waits to go up"), _status)
    data_options(action)
    json_option(action)
    action = parser.add_command("revoke", message("refuse a county's token from now on; its months stay"), _revoke)
    data_options(action)
    action.add_argument("county", metavar="COUNTY", help=parser.words(message("id of the county or prefecture")))


def _register_code(parser: CommandParser) -> None:
    words = parser.words
    text = message("a one-time code by which a county, or a prefecture, enrols here")
    action = parser.add_command("enroll-code", text, _enroll_code)
    data_options(action)
    action.add_argument("county", metavar="COUNTY", help=words(message("id of the county or prefecture")))
    action.add_argument("--name", default="", help=words(message("what it is called (default: its id)")))
    action.add_argument(
        "--level",
        choices=("county", "prefecture"),
        default="county",
        help=words(message("a county sends its own months, a prefecture those of its counties (default: county)")),
    )
    action.add_argument(
        "--hours",
        type=whole_number(parser.language, 1, MOST_HOURS),
        default=72,
        metavar="N",
        help=words(message("valid for so long (72)")),
    )


def _enroll_code(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if not config.takes_months:
        return failed(EXIT_USAGE, TAKES_NONE.in_(language))
    if arguments.level == "prefecture" and config.area_level != "province":
        return failed(EXIT_USAGE, ABOVE_PREFECTURES.in_(language))
    name = arguments.name.strip() or arguments.county
    if not is_id(arguments.county) or len(name) > MOST_LETTERS or not name.isprintable():
        text = message("COUNTY: lower-case letters, digits, '-' and '_'; --name: at most 100 printable characters")
        return failed(EXIT_USAGE, text.in_(language))
    code, now = new_code(), datetime.now(UTC)
    expires = now + timedelta(hours=arguments.hours)
    store = open_store(config.store)
    try:
        store.area.issue_code(code_hash(plain(code) or ""), arguments.county, name, arguments.level, now, expires)
    finally:
        store.close()
    print(code)
    text = message(
        "Valid once, until {until}; an earlier code of {county} is void. On its collector, with this collector's address"
        " in [upstream] url:\n  campus-collector area enroll {code}"
    )
    until = expires.astimezone(config.timezone).strftime("%Y-%m-%d %H:%M")
    print(text.in_(language, until=until, county=arguments.county, code=code), file=sys.stderr)
    return EXIT_OK


def _enroll(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    upstream = config.upstream
    if upstream is None:
        return failed(EXIT_USAGE, SENDS_NONE.in_(language))
    store = open_store(config.store)
    try:
        key = SigningKey(store, config.key_folder)
        enrolled = enrol_above(store, key, arguments.code, upstream.url, upstream.token_file, upstream.ca_file, utc_now)
        fingerprint = key.fingerprint()
    except NotEnrolled as error:
        return failed(EXIT_FAILED, error.words.in_(language))
    finally:
        store.close()
    text = message(
        "Enrolled as {id} ({name}). Tell the level above the fingerprint of this collector's key, so that they can compare:\n"
        "  {fingerprint}"
    )
    print(escape_lines(text.in_(language, id=enrolled.county, name=enrolled.name, fingerprint=fingerprint)))
    return EXIT_OK


def escape_lines(text: str) -> str:
    """Lines in which a name from elsewhere cannot write to the terminal."""
    return "\n".join(escape_cell(line) for line in text.splitlines())


def _send(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if config.upstream is None:
        return failed(EXIT_USAGE, SENDS_NONE.in_(language))
    service = open_service(config, must_exist=True)
    try:
        if service.upward.upstream() is None:
            text = message("not enrolled yet: campus-collector area enroll CODE")
            return failed(EXIT_FAILED, text.in_(language))
        sent = service.upward.run(at_once=True)
        waiting = [month for month in service.upward.months() if month.acknowledged_at is None]
    except NoSigningKey as error:
        return failed(EXIT_FAILED, str(error))
    except StoreBusy:
        return failed(EXIT_FAILED, message("the running collector is sending just now: try again").in_(language))
    finally:
        service.store.close()
    text = message("{acknowledged} acknowledged, {waiting} waiting")
    print(text.in_(language, acknowledged=sent.acknowledged, waiting=sent.waiting))
    for month in reversed(waiting):
        if month.answer is not None:
            print(escape_cell(f"{_named(month)}: {month.answer.in_(language)}"), file=sys.stderr)
    return EXIT_OK if sent.waiting == 0 else EXIT_FAILED


def _named(month: OutgoingMonth) -> str:
    county = f"{month.county} " if month.county else ""
    return f"{county}{month.month}" + (f" #{month.number}" if month.number else "")


def _revoke(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    store = open_store(config.store, must_exist=True)
    try:
        revoked = store.area.revoke(arguments.county, datetime.now(UTC))
    finally:
        store.close()
    if not revoked:
        text = message("no such county: {id}")
        return failed(EXIT_FAILED, text.in_(language, id=escape_cell(arguments.county)))
    return EXIT_OK


def _status(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    service = open_service(config, must_exist=True)
    try:
        counties = service.area.counties() if config.takes_months else []
        members = {member.id: member for member in service.store.area.members()}
        months = service.upward.months()
        fingerprint = service.signing_key.fingerprint()
        upstream = service.upward.upstream()
    finally:
        service.store.close()
    if arguments.json:
        known = {"id": upstream.id, "url": upstream.url} if upstream is not None else None
        answer = {
            "level": config.area_level,
            "fingerprint": fingerprint,
            "upstream": known,
            "outgoing": [_outgoing_json(month) for month in reversed(months)],
            "counties": [_county_json(county) for county in counties],
            "members": [_member_json(member) for member in members.values()],
        }
        print(json_line(answer))
        return EXIT_OK
    _print_status(counties, months, fingerprint, language)
    return EXIT_OK


def _print_status(
    counties: list[CountyStanding], months: list[OutgoingMonth], fingerprint: str, language: Language
) -> None:
    for county in counties:
        newest = county.newest
        shown = newest.month if newest is not None else "-"
        more = [f"+{county.missing_more}"] if county.missing_more else []
        missing = ",".join([*county.missing_listed, *more]) or "-"
        print("\t".join(map(escape_cell, (county.label, county.name, shown, missing))))
    for month in reversed(months):
        if month.acknowledged_at is not None:
            state = message("acknowledged").in_(language)
        else:
            state = (month.answer or message("waits to be sent")).in_(language)
        print("\t".join(map(escape_cell, (_named(month), month.sha256, state))))
    print(pmessage("of a key", "Key: {fingerprint}").in_(language, fingerprint=fingerprint or "-"), file=sys.stderr)


def _outgoing_json(month: OutgoingMonth) -> dict[str, object]:
    return {
        "county": month.county,
        "month": month.month,
        "number": month.number,
        "sha256": month.sha256,
        "made_at": month.made_at.isoformat(),
        "acknowledged_at": month.acknowledged_at.isoformat() if month.acknowledged_at is not None else None,
        "attempts": month.attempts,
        "answer": month.answer.en if month.answer is not None else "",
    }


def _county_json(county: CountyStanding) -> dict[str, object]:
    return {
        "county": county.label,
        "name": county.name,
        "missing": county.missing,
        "missing_since": county.missing_since.isoformat() if county.missing_since is not None else None,
        "months": [
            {
                "month": month.month,
                "number": month.number,
                "series": month.series,
                "sha256": month.sha256,
                "report_hash": month.summary.report_hash,
                "received_at": month.received_at.isoformat(),
                "fingerprint": fingerprint_of(month.public_key),
            }
            for month in county.received
        ],
    }


def _member_json(member: AreaMember) -> dict[str, object]:
    return {
        "id": member.id,
        "name": member.name,
        "level": member.level,
        "fingerprint": fingerprint_of(member.public_key),
        "enrolled_at": member.enrolled_at.isoformat(),
        "revoked_at": member.revoked_at.isoformat() if member.revoked_at is not None else None,
    }
