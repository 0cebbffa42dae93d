"""Every sentence of the pages, in both languages."""

import re

from campus_base.figures import megabits, milliseconds, rounded
from campus_base.messages import Message, bilingual, message, pmessage, verbatim
from campus_collector.http.pages.school_words import SCHOOL_WORDS
from campus_wire.records import AgentState

IDENTITY_SHARED_WORDS = message(
    "two machines report as this gateway (a copied disk or token): revoke the token and enroll the right one again"
)
WORDS: dict[str, Message] = {
    "problems": message("Problem ledger"),
    "problem": message("Problem"),
    "commands": message("Asked of the gateway"),
    "command_what": message("What"),
    "command_by": message("Asked by"),
    "command_starts_in": message("begins in about {minutes} min"),
    "command_result": message("result of {subject}"),
    "command_result_comes": message("the result is on its way"),
    "command_text": message("What the gateway says"),
    "test_now": message("Test now"),
    "test_now_hint": message(
        "The gateway tests by its rules: never on an examination day, not beyond the day's bytes; in a lesson it waits for the next break, an hour at most."
    ),
    "all_commands": message("All that was asked of this gateway"),
    "no_commands": message("Nothing was asked of this gateway yet."),
    "search": message("Search"),
    "search_hint": message(
        "Name or number of a school, classroom, town, device or problem; an address; a carrier; a person."
    ),
    "nothing_fits": message("Nothing fits. Fewer words find more."),
    "more_hits": message("… and {count} more: add a word"),
    "devices": message("devices"),
    "month_to_show": pmessage("of a page", "Month"),
    "month_before": message("Month before"),
    "month_after": message("Month after"),
    "problems_count": message("{count} shown"),
    "to_call": message("To be called today"),
    "today_count": message("{count} school(s)"),
    "covers_rooms": message(" ({count} classrooms)"),
    "since_day": message("since {day}, {days} days"),
    "other_problems": message("{count} other open problem(s)"),
    "hand_over": message("Hand over to {unit}"),
    "all_problems": message("All open problems"),
    "all_gateways": message("All gateways"),
    "nobody_to_call": message("Nothing is open: nobody needs to be called."),
    "no_such_town": message("There is no town {id}."),
    "days_left": message("{count} days left"),
    "no_change": message("as last month"),
    "better_by": message("▲ {points} points"),
    "worse_by": message("▼ {points} points"),
    "to_go": message("still {count} to go"),
    "none_to_go": message("none left"),
    "months_table": message("Month by month"),
    "rooms_to_go": message("still {count} classrooms to go"),
    "no_rooms_to_go": message("no classroom is left to do"),
    "coverage": message("enough valid tests: {share} of classrooms ({count} of {judged})"),
    "to_do_by_cause": message("Still to do, by school and cause"),
    "same_cause_rooms": message("{school}: {count} classrooms, one cause"),
    "same_cause_others": message("{school}: {count}, one cause"),
    "same_school_rooms": message("{school}: {count} classrooms"),
    "school_page": message("the school's page"),
    "same_school_others": message("{school}: {count}"),
    "newly_not_met": message("Newly not met"),
    "repaired": message("Repaired this month"),
    "and_more": message("and {count} more"),
    "none_of_these": message("none"),
    "towns": message("Towns"),
    "met_of": message("{met} of {judged}"),
    "heat_legend": message("Share of what is met; the darker the more. Dashes: nothing to judge."),
    "carriers": message("Carriers"),
    "carrier_unknown": message("not in the inventory"),
    "all_carriers": message("all carriers"),
    "lines": message("Lines"),
    "promised": message("By contract"),
    "below_contract": message("below the contract"),
    "without_contract": message("contract's rate not known"),
    "no_lines": message("No uplink fits this selection."),
    "line_rates_legend": message(
        "Rates are line rates: what the line carries with all its headers. A contract is compared with the slower direction of"
        " the newest valid test, with the tolerance of the policy; the month's verdict is by the target."
    ),
    "releases": message("Releases of the agent"),
    "no_releases": message("No release was added yet: gateways are upgraded by hand."),
    "release_wave": message("Wave"),
    "release_since": message("Since"),
    "release_target": message("Offered version"),
    "upgrade_none": message("nothing offered yet"),
    "upgrade_offered": message("offered"),
    "upgrade_installed": message("installed"),
    "upgrade_returned": message("went back to the version before"),
    "unmeasured": message("Classrooms with too few tests"),
    "unmeasured_hint": message(
        "A classroom gets a verdict when it has enough valid tests on enough days; without, it counts as not met. The most frequent reason comes first."
    ),
    "without_valid": message("of these without any valid test"),
    "valid_tests": message("Valid tests"),
    "unmeasured_count": message("{count} of {judged}; enough tests: {share}"),
    "why": message("Why"),
    "what_to_do": message("What to do"),
    "all_measured": message("Every classroom has enough valid tests in this month."),
    "all_reasons": message("all reasons"),
    "schools_count_rooms": message("{count} classrooms"),
    "wall": message("The office's screen"),
    "wall_hint": message(
        "A link opens the screen without a log-in, on any browser, and no other page. A new link ends the one before."
    ),
    "wall_make": message("Make a link"),
    "wall_made": message("Open this on the screen. It is shown only now."),
    "wall_twice": message(
        "Nothing was changed: this form was sent before, or somebody else made a link meanwhile; that link is the valid one. If it is lost, make another here."
    ),
    "wall_end": message("To end it without making another:"),
    "wall_gateways": message("Gateways silent for a day: {silent} of {count}"),
    "none_ticked": message("Tick at least one problem first."),
    "changed_many": message("Done for {count} problem(s)."),
    "not_done": message("Not done:"),
    "tick": message("Tick problem {number}"),
    "with_ticked": message("With those that are ticked"),
    "export_ticked": message("Excel file of these"),
    "save_filter": message("Save this selection as"),
    "save": message("Save"),
    "forget": message("Forget {name}"),
    "saved_filters": message("Saved selections"),
    "cause": message("Cause"),
    "sort": message("Order"),
    "words_to_find": message("Words"),
    "days_overdue": message("{days} days overdue"),
    "page_before": message("Previous page"),
    "page_after": message("Next page"),
    "page_rows": message("{first} to {last} of {total}"),
    "no_problems": message("No problem fits this selection."),
    "any": message("any"),
    "still_open": message("still open"),
    "older_than": message("open for days"),
    "show": message("Show"),
    "show_content": pmessage("content", "Show"),
    "as_xlsx": message("Excel file"),
    "as_csv": message("CSV file"),
    "number": message("No."),
    "responsible": message("Responsible"),
    "due": message("Due"),
    "opened_on": message("Opened"),
    "struck_off_on": message("Struck off"),
    "failing_days": message("Failing days"),
    "passing_days": message("Passing days in a row"),
    "measure": message("Measure"),
    "colon": message(": "),
    "comma": pmessage("clauses", ", "),
    "list_comma": message(", "),
    "semicolon": message("; "),
    "derivation": message("How the verdict came about"),
    "covers": pmessage("of a problem", "Classrooms"),
    "work_on_it": message("Work on it"),
    "comment": message("Comment"),
    "acknowledge": message("Acknowledge"),
    "assign": message("Assign"),
    "change_due": message("Change the date"),
    "note_measure": message("Note the measure"),
    "add_comment": pmessage("button", "Comment"),
    "claim_fixed": message("Claim it fixed"),
    "claim_hint": message("Measurements decide: it is struck off after {days} passing days in a row."),
    "history": message("History"),
    "back_to_problems": pmessage("link back", "Ledger"),
    "back_to_school": pmessage("link back", "School"),
    "log_in": message("Log in"),
    "log_out": message("Log out"),
    "log_in_to_work": message("Log in to work on it"),
    "log_in_to_import": message("Log in to import"),
    "logged_in_as": message("Logged in as {name}."),
    "token": message("Personal token"),
    "token_hint": message("No account yet, or a forgotten password: ask the administrator."),
    "your_name": message("NAME"),
    "person_name": message("Name"),
    "password": message("Password"),
    "password_old": message("Present password"),
    "password_new": message("New password"),
    "password_again": message("New password again"),
    "password_hint": message(
        "10 characters or more; length counts, a sentence is good. After it you log in again everywhere."
    ),
    "password_refused": message(
        "Name and password do not fit, or the name is locked for a quarter of an hour after wrong passwords."
    ),
    "passwords_differ": message("The two new passwords differ."),
    "change_password": message("Change the password"),
    "set_password": message("Set a password"),
    "log_in_by_token": message("With a personal token"),
    "log_in_by_provider": message("Log in with {label}"),
    "provider_away": message("The log-in service does not answer; try a password or token."),
    "provider_refused": message("The log-in service's answer was not accepted; please try again."),
    "identity_unknown": message("{identity} has no access here; the administrator can grant it."),
    "account": message("Account"),
    "people": message("People"),
    "role": message("Role"),
    "role_viewer": message("viewer: reads"),
    "role_operator": message("operator: works on the ledger"),
    "role_admin": message("admin: also the inventory"),
    "role_town": message("Reach"),
    "whole_county": message("whole county"),
    "proofs": message("Logs in by"),
    "proof_token": message("token"),
    "proof_password": message("password"),
    "proof_identity": message("single sign-on ({identity})"),
    "person_locked": message("locked for now"),
    "person_revoked": message("access withdrawn"),
    "person_active": message("active"),
    "people_hint": message("Who is to be let in, or has left: tell IT staff."),
    "people_commands": message("On the collector's machine:"),
    "for_staff": message("For IT staff"),
    "show_month": pmessage("month", "Show"),
    "collector_address": message("https://collector.example:8443"),
    "enrolment_code": pmessage("placeholder", "CODE"),
    "fleet_commands": message(
        "Receipts that do not fit: campus-collector verify. A copied disk or token: campus-collector agent-token"
        " SCHOOL --revoke, then campus-collector enroll-code SCHOOL."
    ),
    "form_html": pmessage("form of a report", "Web page"),
    "form_pdf": message("PDF"),
    "form_xlsx": message("Excel"),
    "form_docx": message("Word"),
    "fleet": message("Gateways"),
    "test_server": message(
        "Test server of the uplinks: turns for {rate} Gbit/s are given out ([slots]"
        " capacity_bits_per_second), up to {gigabytes} GB an hour. It must serve as much: campus-agent"
        " respond --capacity {capacity}; without --capacity it refuses after 10 GB an hour."
    ),
    "needs_a_hand": message("Gateways that need a hand"),
    "endpoint": message("Tested by"),
    "endpoints": message("What classrooms are tested by"),
    "rooms_asleep": message("Classrooms that never answer"),
    "room_asleep": message("has never answered this month"),
    "only_these": message("only these"),
    "asleep_count": message("{count} never answer"),
    "asleep_hint": message(
        "A classroom never answers when all its tests of this month, made in school hours, met a machine that was off or unplugged."
        " Have it switched on for one lesson, check its network cable, or correct its address in the inventory."
    ),
    "rooms_covered": message("Classrooms with enough valid tests"),
    "share_of": message("{share} ({count} of {judged})"),
    "clock": message("Clock"),
    "disk_free": message("Free on its disk"),
    "upgrade_wave": message("Upgrade"),
    "no_gateway_fits": message("No gateway fits this selection."),
    "no_rooms_fit": message("No classroom fits this selection."),
    "all_schools": message("all schools"),
    "fleet_own": message("collector {version}"),
    "warnings": message("Needs a hand"),
    "no_warnings": message("nothing"),
    "trail": message("What people did"),
    "token_refused": message("This token is not known, or revoked."),
    "not_allowed": message("You are not allowed to do that."),
    "too_many": message("Too many attempts; wait some minutes."),
    "form_old": message("The page was too old; please do it again."),
    "inventory": message("Inventory"),
    "mistakes_count": message("{count} mistake(s); nothing was changed."),
    "would_change": message("What would change"),
    "would_remove": message("{sheet}: {gone} of {had} rows would be removed. Make sure that this is meant."),
    "confirm_removal": message("Rows would be removed: confirm it with the check box."),
    "removal_is_meant": message("Yes, these rows are to be removed"),
    "ignored": message("Left aside"),
    "valid_from": message("In force from"),
    "activate": message("Put in force"),
    "imported": message("In force: version {version}."),
    "choose_file": message("Excel file (.xlsx), or CSV files in a .zip"),
    "preview": message("Preview"),
    "imports": message("Imports"),
    "counties": message("Counties"),
    "counties_compared": message("Comparison of counties"),
    "county_word": pmessage("of an area", "County"),
    "county_trend": message("Month by month"),
    "county_months": message("Months and corrections"),
    "county_missing": message("missing: {months}; since {day}"),
    "county_not_here": message("nothing has come of this month yet"),
    "county_revoked": message("Its token was revoked: nothing more is awaited."),
    "county_versions": message("Policy and program"),
    "counties_here": message("{here} of {awaited} counties"),
    "no_counties": message("No county has sent a month yet."),
    "give_county_code": message("A code for a county: campus-collector area enroll-code COUNTY"),
    "no_such_county": message("There is no county {id}."),
    "prefectures_silent": message("Enrolled, and nothing has come yet: {names}"),
    "area_whole": message("The whole area"),
    "takes_no_months": message("This collector takes no months of others."),
    "correction_number": message("correction no. {number}"),
    "correction_of": message("correction no. {number}, named in the report of {month}: {count} verdicts"),
    "corrected_since": message("corrected since"),
    "check_sums": message("Check sums"),
    "statement_hash": message("Check sum of what was signed"),
    "key_fingerprint": message("Fingerprint (SHA-256) of the key that signs what goes up:"),
    "upward": message("Upward reporting"),
    "sends_no_months": message("This collector sends its months to nobody."),
    "upward_to": message("Closed months go to {url}; this collector is known there as {id}."),
    "upward_not_enrolled": message("Not enrolled at {url} yet, so nothing is sent."),
    "enroll_above": message("With the code from above: campus-collector area enroll CODE"),
    "upward_waiting": message("{count} wait to be acknowledged"),
    "upward_none_waiting": message("Everything that was made is acknowledged."),
    "waits_to_be_sent": message("waits to be sent"),
    "acknowledged_at": message("acknowledged on {at}"),
    "tried_again": message("tried {count} times; again after {at}"),
    "made_at": message("Made"),
    "monthly": message("Monthly reports"),
    "month_word": message("month"),
    "monthly_state": message("state"),
    "monthly_open": message("in progress; closes {at}"),
    "monthly_complete": message("not closed; closes {at}"),
    "monthly_closed": message("closed"),
    "monthly_documents": message("report"),
    "monthly_hash": message("hash of its figures"),
    "monthly_archive": message("archive"),
    "archive_archived": message("archived: {results} results"),
    "archive_waiting": message("not archived yet"),
    "archive_elsewhere": message("archived: not on this machine"),
    "archive_lost": message("lost: its files are not there as they were archived"),
    "monthly_none": message("There are no results yet, so there is no report."),
    "monthly_excerpt": message("One page for a town or a school"),
    "monthly_area": message("town or school"),
    "monthly_form": message("form"),
    "monthly_get": message("get it"),
    "policy": message("Policy"),
    "help": message("Help"),
    "policy_version": message("version {version}"),
    "policy_text": message("The whole text"),
    "source": message("Source"),
    "in_force_from": message("From"),
    "in_force": message("in force"),
    "rule": message("Rule"),
    "formula": message(
        "Line rate = goodput × bytes of a full frame on the line / bytes of payload in it; for"
        " Ethernet, IPv4, TCP with timestamps 1538/1448."
    ),
    "ledger_rule": message(
        "A problem opens after {failing} failing days of the last {window} with results, or {silent}"
        " school days without any; it is due {due} days later, struck off after {passing} passing days"
        " in a row; a claim is contradicted by {contradict} failing days."
    ),
    "maintenance": message("Planned maintenance"),
    "exemptions": message("Exemptions"),
    "all_targets": message("all"),
    "from_until": message("from - until"),
    "reason": message("Reason"),
    "likely_causes": message("Likely causes"),
    "by_day": message("Day by day"),
    "day": message("Day"),
    "valid": message("Valid"),
    "passing": message("Passing"),
    "uncounted": message("Not judged"),
    "exempt_day": message("(exempt)"),
    "each_result": message("Each result ({count})"),
    "port": message("port {switch} {port}: {link} ({found_by})"),
    "port_errors": message("; {ratio} of frames with errors: cable or plug"),
    "port_unknown": message("switch port not read: {why}"),
    "inspection": message("inspection from a browser {when}: down {down}, up {up}, {verdict} ({machine}; {browser})"),
    "own_machine": message("the classroom's machine"),
    "other_machine": message("another machine, perhaps on Wi-Fi"),
    "grade": message("evidence: {grade}"),
    "dhcp": message(
        "{count} DHCP servers answer in the school ({listed}; {when}): one of them does not belong"
        " there, often a home router plugged in by its wrong port."
    ),
    "shared": message("One cause for the whole school: "),
    "left_out": message("Left out, because of an error that the log names: {schools}."),
    "quarantine": message("Results that were not accepted"),
    "quarantine_hint": message(
        "They arrived and are kept apart: they count for no verdict. Of each school the newest 500 are kept."
    ),
    "quarantine_empty": message("Nothing is in quarantine."),
    "received": message("Received"),
    "content": message("Content"),
    "certificate_ends": message(
        "The collector's certificate ends on {day}: ask IT staff to renew it, or gateways and browsers will refuse it."
    ),
    "simulated": message("Invented schools: simulated data."),
    "data_as_of": message("Data as of {time}."),
    "still_judging": message(
        "Still being worked out: results of {count} school(s) are not judged yet; figures will change."
    ),
    "still_ledger": message("Still being worked out: the ledger has not looked at all complete days yet."),
    "product": message("CampusMeter"),
    "tagline": message("School network compliance, by measurement"),
    "overview": message("Overview"),
    "other_language": message("中文"),
    "month": message("Month {month} (in progress)"),
    "agreement": message("Quick tests against iperf3 for 10 s this month: {agreeing} of {compared} directions agree."),
    "no_agreement": message("Quick tests have not been compared with iperf3 for 10 s this month."),
    "judged_by": message("Policy version {version}; line rates; tolerance {tolerance}."),
    "provisional": message(
        "PROVISIONAL CALENDAR: holidays are known to the program up to {day} only; for later days Monday"
        " to Friday are taken for workdays."
    ),
    "calendar_known": message(
        "Holidays and make-up workdays are known up to {day}; for later days Monday to Friday are taken"
        " for workdays, provisionally."
    ),
    "doubtful": message("doubtful: "),
    "on_request": message("tested on request: a person chose the moment"),
    "targets": message("This month by target"),
    "rate_of": message("Compliance rate"),
    "no_subjects": message("nothing to judge yet"),
    "subjects_count": message("{count} to be judged"),
    "schools": message("Schools"),
    "schools_count": message("{count} schools, those with most to do first"),
    "school": message("School"),
    "town": message("Town"),
    "classrooms": pmessage("target", "Classrooms"),
    "classroom": message("Classroom"),
    "uplink": message("School uplink"),
    "services": message("Cloud platforms"),
    "service": message("Platform"),
    "other_targets": message("The school as a whole"),
    "target": message("Target"),
    "room": message("Recording room {room}"),
    "device": message("Device"),
    "state": message("State"),
    "readings": message("What it says"),
    "works": message("works"),
    "broken": message("does not work"),
    "unknown_state": message("not known"),
    "optional": message("not required"),
    "beyond": message("beyond its limit: {reading}"),
    "gateway": message("Gateway"),
    "measured": message("Line rate (latest valid test)"),
    "required": message("required {rate}"),
    "down": pmessage("direction", "down"),
    "up": pmessage("direction", "up"),
    "latest": message("Latest test"),
    "this_month": message("This month"),
    "progress": message("{decided}; {valid}/{need} tests on {days}/{need_days} days"),
    "progress_minutes": message("{decided}; {valid}/{need} minutes on {days}/{need_days} days"),
    "rtt": message("RTT {idle} idle, {working} under load"),
    "rtt_idle": message("RTT {idle}"),
    "below": message("{rate} is below {least}"),
    "by_latest": message("Latest tests: ✓ {met}  ✗ {not_met}  ? {open}"),
    "never": message("never measured"),
    "never_valid": message("no valid test yet"),
    "not_judged": message("not judged"),
    "skipped": message("not tested: {reason}"),
    "first_byte": message("First byte"),
    "access": message("Result"),
    "reachable": message("reachable"),
    "with_status": message("{note} (HTTP status {status})"),
    "not_reachable": message("not reachable"),
    "last_report": message("Last report"),
    "silent": message("no report for {age}"),
    "reporting": message("reporting"),
    "pending": message("Waiting on the gateway"),
    "results_count": message("{count} results"),
    "dropped": message("Dropped on the gateway"),
    "clock_offset": message("Clock difference"),
    "cpu": message("CPU"),
    "memory": message("Memory free"),
    "disk": message("Disk free"),
    "version": message("Agent version"),
    "identity": message("Identity"),
    "config_problem": message("Refused the collector's configuration"),
    "all_well": message("nothing open"),
    "not_met_count": message("{count} not met"),
    "insufficient_count": message("{count} with too little data"),
    "empty_title": message("No school has reported yet"),
    "empty_1": message("1. Import the list of schools and classrooms:"),
    "empty_2": message("2. IT staff make a code for each school, and enrol its gateway with it."),
    "empty_3": message("3. The first results appear here within a few minutes."),
    "no_such_school": message("No such school: {id}"),
    "no_such_problem": message("No such problem: {number}"),
    "no_such_subject": message("{subject} was not judged by {target} in {month}."),
    "no_such_target": message("No such target: {target}"),
    "back": message("All schools"),
    "legend": message(
        "Solid line: required rate. Dotted line: required rate less the tolerance. A bar that reaches"
        " the dotted line passes."
    ),
    "updated": message("As of {time}; the page renews itself every minute."),
    **SCHOOL_WORDS,
    "unavailable": message("The database cannot be read at the moment. The page tries again by itself."),
}


REFUSALS: dict[int, Message] = {
    400: message("This address was not understood: please go back and try again."),
    401: message("Please log in."),
    403: message("You are not allowed to see or do that."),
    404: message("This is not known here."),
    405: message("This address was not understood: please go back and try again."),
    409: message("This is not possible now: please open the page again."),
    411: message("The form did not arrive whole: please try again."),
    413: message("The file or form is too large."),
    429: message("Too many attempts; wait some minutes."),
    503: message("Not possible just now; please try again in a moment."),
}


def age_words(seconds: float) -> Message:
    """How long ago, in the largest unit that says enough."""
    if seconds < 60:
        return message("less than a minute")
    for unit, single, several in (
        (86_400, message("{count} day"), message("{count} days")),
        (3_600, message("{count} hour"), message("{count} hours")),
        (60, message("{count} minute"), message("{count} minutes")),
    ):
        if seconds >= unit:
            count = int(seconds // unit)
            return (several if count > 1 else single).with_(count=count)
    raise AssertionError("unreachable")


def ago_words(seconds: float) -> Message:
    if seconds < 60:
        return message("just now")
    age = age_words(seconds)
    return message("{age} ago", age=age)


def config_problem_words(state: AgentState) -> Message | None:
    """Why the gateway refused the configuration it was given; None: it did not. An old agent says it in English only."""
    english = state.config_problem_en
    return bilingual(english, state.config_problem_zh or english) if english else None


def rate_words(bits_per_second: float | None, *limits: float) -> Message:
    """A rate, in Mbit/s in both languages, as evidence and reports write it. `limits` are rates that it is compared with."""
    if bits_per_second is None:
        return verbatim("—")
    value = bits_per_second / 1e6
    decimals = 0 if value >= 995 or value == round(value) else 1
    text = megabits(bits_per_second, *limits, decimals=decimals)
    return message("{text} Mbit/s", text=text)


def browser_words(agent: str) -> str:
    """Which browser and system a User-Agent names, shortly; what it says is its own word."""
    browsers = [
        match[0].replace("Edg/", "Edge ").replace("/", " ")
        for pattern in _BROWSERS
        if (match := re.search(pattern, agent)) is not None
    ]
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " · ".join(part for part in ((browsers or [agent[:40]])[0], system) if part) or "?"


_BROWSERS = (r"MicroMessenger/[\d.]+", r"Edg/\d+", r"Firefox/\d+", r"Chrome/\d+", r"Safari/\d+")
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def duration_words(seconds: float | None, *limits: float) -> Message:
    """A short time; `limits` are the longest that are allowed."""
    if seconds is None:
        return verbatim("—")
    if seconds >= 1:
        shown = rounded(seconds, 2, at_most=limits)
        return message("{shown} s", shown=shown)
    text = milliseconds(seconds, *limits, decimals=1 if seconds < 0.1 else 0)
    return message("{text} ms", text=text)


def size_words(size: float | None) -> Message:
    """An amount of memory or disk."""
    if size is None:
        return verbatim("—")
    text = f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
    return verbatim(text)
