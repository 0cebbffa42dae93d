"""What the report says beside its numbers, in both languages side by side."""

from collections.abc import Mapping

from campus_base.language import Language
from campus_base.messages import Message, message, pmessage
from campus_base.wire_words import FAILURE_WORDS, OPERATION_WORDS, SKIP_WORDS, VALIDITY_WORDS

WORDS: dict[str, Message] = {
    "title": message("Circular on the network compliance of the county's rural schools in {month}"),
    "title_issuer": message("{issuer}: circular on the network compliance of the county's rural schools in {month}"),
    "title_excerpt": message("{name}: school network compliance in {month}"),
    "footer": message("{title} · issued on {date}"),
    "month": message("{month}"),
    "date": message("{year}-{number:02d}-{day:02d}"),
    "signer": message("Signed by: {signer}"),
    "salutation": message("{addressees}:"),
    "annexes": message("Annexes:"),
    "annex": message("Annex {number}"),
    "copies": message("Copies to: {copies}."),
    "printed_on": message("Printed on {date}"),
    "working": message("still being worked out: not all results are judged, figures will change"),
    "not_closed": message("DRAFT: figures may still change"),
    "in_progress": message("DRAFT: the month is in progress, figures will change"),
    "simulated": message("INVENTED DATA for demonstration and checks"),
    "empty": message("No subject was to be judged and no result is on record for this month."),
    "source": message("Look up: {address}"),
    # headings
    "h_state": message("1. Overall"),
    "h_problems": message("2. Problems"),
    "h_required": message("3. What is required"),
    "h_targets": message("1.1 The targets."),
    "h_towns": message("1.2 The towns."),
    "h_changes": message("1.3 Changes since last month."),
    "h_forecast": message("1.4 Forecast."),
    "h_schools": message("2.1 Schools with most unmet classrooms."),
    "h_carriers": message("2.2 Access lines and their contracts."),
    "h_equipment": message("2.3 Lessons, recording rooms and platforms"),
    "h_ledger": message("2.4 The problem ledger."),
    "h_silent": message("2.5 Schools without data."),
    "h_mend": message("3.1 Repair in time."),
    "h_overdue": message("3.2 Overdue problems."),
    "h_report": message("3.3 Keep reporting."),
    # annexes
    "a_schools": pmessage("annex", "All schools"),
    "a_failing": message("What does not meet its target"),
    "a_carriers": message("Access lines by carrier"),
    "a_equipment": message("Recording rooms, live lessons and cloud platforms"),
    "a_ledger": message("Overdue problems and problems that failed the new test"),
    "a_data": message("Completeness of the data, trend and corrections"),
    "a_method": message("How it is judged, and how the figures can be checked"),
    # tables
    "table": message("Table {number}. {title}"),
    "t_targets": message("Targets"),
    "t_towns": message("Rates of the towns"),
    "t_towns_shown": message("Rates of the towns (the first {first} and the last {last} of {all})"),
    "t_worst": message("Schools with most unmet classrooms"),
    "t_carriers": message("Lines by carrier"),
    "t_units": message("Open problems by responsible unit"),
    "t_schools": pmessage("table", "Schools"),
    "t_failing": message("What does not meet its target"),
    "t_lines": message("Lines by school"),
    "t_rooms": message("Recording rooms"),
    "t_room_use": message("Use of recording rooms in timetabled lessons"),
    "t_worst_lessons": message("Worst lessons of the month"),
    "t_live": message("Schools that are not ready for live lessons"),
    "t_platforms": message("Platforms"),
    "t_ledger": message("The ledger in the month"),
    "t_ledger_lines": message("Overdue problems and problems that failed the new test"),
    "t_coverage": message("Classrooms with enough valid tests, by town"),
    "t_servers": message("Test servers of the access lines"),
    "t_data": message("Results"),
    "t_reasons": pmessage("sheet", "Not judged"),
    "t_agreement": message("Quick test against reference test"),
    "t_trend": message("Rates by month"),
    "t_corrections": message("Corrections"),
    "t_rules": message("Rules"),
    "t_heads": message("Check sums of the schools' results"),
    "t_failing_rooms": message("Unmet classrooms and lines, each"),
    "t_problems": message("What does not meet its target"),
    # short names, of the workbook's sheets
    "n_targets": pmessage("sheet", "Targets"),
    "n_towns": pmessage("sheet", "Towns"),
    "n_worst": pmessage("sheet", "Worst schools"),
    "n_carriers": pmessage("sheet", "Carriers"),
    "n_units": pmessage("sheet", "Units"),
    "n_schools": pmessage("sheet", "Schools"),
    "n_failing": pmessage("sheet", "Unmet list"),
    "n_lines": pmessage("sheet", "Lines"),
    "n_rooms": pmessage("sheet", "Recording rooms"),
    "n_room_use": pmessage("sheet", "Use of recording rooms"),
    "n_worst_lessons": pmessage("sheet", "Worst lessons"),
    "n_live": pmessage("sheet", "Live lessons"),
    "n_platforms": pmessage("sheet", "Platforms"),
    "n_ledger": pmessage("sheet", "Ledger"),
    "n_ledger_lines": pmessage("sheet", "Overdue"),
    "n_coverage": pmessage("sheet", "Enough tests"),
    "n_servers": pmessage("sheet", "Test servers"),
    "n_data": pmessage("sheet", "Results"),
    "n_reasons": pmessage("sheet", "Not judged"),
    "n_agreement": pmessage("sheet", "Agreement"),
    "n_trend": pmessage("sheet", "Trend"),
    "n_corrections": pmessage("sheet", "Corrections"),
    "n_rules": pmessage("sheet", "Rules"),
    "n_heads": pmessage("sheet", "Check sums"),
    "n_failing_rooms": pmessage("sheet", "Each classroom"),
    "n_problems": pmessage("sheet", "Unmet list"),
    "sheet": message("{number} {name}"),
    # units
    "u_targets": message("Rates in %, changes in percentage points"),
    "u_share_of": message("Rates in %"),
    "u_share": message("Unit: %"),
    "u_towns": message("Unit: schools; rates in %, changes in percentage points"),
    "u_rooms": message("Unit: classrooms"),
    "u_lines": message("Unit: lines"),
    "u_rates": message("Unit: Mbit/s"),
    "u_problems": message("Unit: problems"),
    "u_covered": message("Unit: classrooms; share in %"),
    "u_servers": message("Unit: schools, tests"),
    "u_results": message("Unit: results"),
    "u_reasons": message("Unit: results; one may have several reasons"),
    "u_schools": message("Unit: met/judged"),
    "u_lessons": message("Unit: lessons"),
    "u_minutes": message("Unit: minutes"),
    "u_polls": message("Unit: polls, %"),
    "u_requests": message("Unit: schools, requests, %, ms"),
    "u_directions": message("Unit: directions, %"),
    "u_verdicts": message("Unit: verdicts"),
    "u_rules": message("Unit: as in the text"),
    # columns
    "c_target": message("target"),
    "c_counted": message("counted in"),
    "c_subjects": message("judged"),
    "c_covered": message("with enough valid tests"),
    "c_coverage": pmessage("column", "share"),
    "c_name": pmessage("column", "name"),
    "c_server": pmessage("column", "address"),
    "c_server_place": pmessage("column", "where it stands"),
    "c_tests": pmessage("column", "tests"),
    "whole_area": message("county"),
    "server_unrecorded": message("not recorded by the gateway"),
    "e_servers": message("No test of an access line is on record in this month."),
    "c_met": message("met"),
    "c_not_met": message("not met"),
    "c_insufficient": message("insufficient data"),
    "c_exempt": message("exempt"),
    "c_ratio": message("rate"),
    "c_vs_month": message("on last month"),
    "c_vs_year": message("on last year"),
    "c_rank": message("rank"),
    "c_place": message("place"),
    "c_town": message("town"),
    "c_school": message("school"),
    "c_school_id": message("school's code"),
    "c_town_id": message("town's code"),
    "c_schools": pmessage("number of", "schools"),
    "c_score": message("all targets"),
    "c_seat": message("town seat"),
    "c_results": message("valid results"),
    "c_object": message("what"),
    "c_classroom": message("classroom or subject"),
    "c_verdict": message("verdict"),
    "c_decided": message("passed/valid"),
    "decided": message("{passing}/{valid}"),
    "c_measured": message("measured, Mbit/s"),
    "c_required": message("required, Mbit/s"),
    "c_cause": message("likeliest cause"),
    "c_unit": message("responsible unit"),
    "c_since": message("registered on"),
    "c_use_rooms": message("rooms"),
    "c_timetabled": message("timetabled"),
    "c_recorded": message("recorded"),
    "c_streamed": message("streamed only"),
    "c_unused": message("neither"),
    "c_use_unknown": message("not known"),
    "c_day": message("day"),
    "c_time": message("time"),
    "c_observed": message("minutes observed"),
    "c_bad": message("of them bad"),
    "c_polls": message("polls in school hours"),
    "c_availability": message("available"),
    "c_platform": message("platform"),
    "c_requests": message("requests"),
    "c_success": message("passing"),
    "c_first_byte": message("answer time, ms"),
    "c_number": message("no."),
    "c_due": message("to be repaired by"),
    "c_state": pmessage("of a problem", "state"),
    "c_item": message("item"),
    "c_count": message("number"),
    "c_reason": message("reason"),
    "c_segment": message("segment"),
    "c_compared": message("directions compared"),
    "c_agreeing": message("same verdict"),
    "c_agreement": message("agreement"),
    "c_rate_ratio": message("rate, quick / reference"),
    "c_month": message("month"),
    "c_was": message("published"),
    "c_now": message("now"),
    "c_rule": message("how it is judged"),
    "c_limits": message("where the limits come from"),
    "c_stored": message("results stored"),
    "c_head": message("check sum (SHA-256) of the last result stored"),
    "c_carrier": message("carrier"),
    "other_carriers": message("{count} other carriers"),
    "c_contract": message("contract"),
    "c_promised": message("promised, Mbit/s"),
    "c_lines": pmessage("number of", "lines"),
    "c_kept": message("promise kept"),
    "c_broken": message("promise not kept"),
    "c_unknown": message("cannot be said"),
    "c_broken_since": message("not kept since"),
    "c_page": message("page"),
    "yes": message("yes"),
    "rooms_many": message("{number} classrooms"),
    "object_uplink": message("the school's line"),
    "verdicts_mixed": message("not met {not_met}, insufficient data {insufficient}"),
    "cause_of": message("{cause} ({number})"),
    "span": message("{low} to {high}"),
    "overdue": message("overdue"),
    "contradicted": message("failed the new test"),
    "both": message("overdue; failed the new test"),
    "kept": message("kept"),
    "broken": message("not kept"),
    "carrier_unknown": message("carrier not given"),
    "l_opening": message("open before the month"),
    "l_ended": message("joined to a school's problem, or no longer judged"),
    "l_opened": message("opened in the month"),
    "l_struck": message("struck off in the month"),
    "l_contradicted": message("failed the new test"),
    "l_open": message("open at the month's end"),
    "l_overdue": message("of these overdue"),
    "d_valid": message("valid"),
    "d_passing": message("of these passing"),
    "d_invalid": message("not sound (kept, not judged)"),
    "d_failed": message("failed"),
    "d_skipped": message("not made, with a reason"),
    "s_classroom": message("gateway to classroom"),
    "s_uplink": message("school to bureau"),
    # instead of a table without rows
    "e_failing": message("nothing: every subject meets its target"),
    "e_rooms": message("no school must have a recording room this month"),
    "e_room_use": message("no recorder told of its use this month"),
    "e_live": message("the line of every judged school is ready"),
    "e_platforms": message("no platform is judged this month"),
    "e_ledger_lines": message("No problem is overdue or failed the new test."),
    "e_reasons": message("every result could be judged"),
    "e_agreement": message("nothing was compared this month"),
    "e_towns": message("no town is known"),
    "e_schools": message("no school is known"),
    # charts
    "chart_lessons": message(
        "Worst lessons minute by minute: high and dark is bad, low is good, a frame is not observed"
    ),
    "chart_trend": message("Share met by month"),
    "chart_burn": message("Classrooms below 100 Mbit/s by month (share)"),
    "chart_forecast": message(
        "Classrooms below 100 Mbit/s by month (share); hatched: where it leads by the progress so far"
    ),
    # notes
    "rules_changed": message(
        "The rule of {names} changes inside this month; a month is judged by the rule in force on its first day."
    ),
    "score_note": message(
        "“All targets” is the mean of the town's rates of the targets that all towns with data have:"
        " {names}; equal means share a rank. Towns in which fewer than half of such a target's subjects"
        " have enough data are not ranked."
    ),
    "score_note_none": message(
        "No town is ranked: too few subjects have enough data, or the towns have no target in common."
    ),
    "score_note_all": message(
        "“All targets” is the mean of the town's rates of its targets; equal means share a rank."
    ),
    "see_table": message("The rates are in the table."),
    "no_data": message("no data"),
    "not_ranked": message("not ranked"),
    "provisional": message(
        "PROVISIONAL CALENDAR: the holidays of this month are not known to the program; Monday to Friday"
        " are taken for workdays"
    ),
    "looked_until": message("The ledger has been worked out up to {day}; what was measured later is not in it yet."),
    "never_looked": message("The ledger has not been worked out yet."),
    "live_note": message(
        "Judged on tests of the school's line to the bureau that are made outside lessons: delay, jitter"
        " and loss, idle and under load. It says whether the line could bear a live lesson, not how any"
        " lesson went."
    ),
    "use_note": message(
        "A figure, not a target. Recorders tell only whether they record and whether a stream flows, never what is in it: a stream that flows does"
        " not prove that a class was held. A lesson counts once for each recording room; in which no recorder answered, it is not known."
    ),
    "lessons_note": message(
        "Judged on each minute of the lessons: a small stream between the school's gateway and the bureau's test server"
        " says how many packets were lost, how long round trips took, and whether the line was gone for a second or more."
    ),
    "failing_note": message(
        "Classrooms of one school with one cause are one row; the workbook (Excel) names each of them on the sheet"
        " “{sheet}”. “Passed/valid” are the tests of the month; “measured” is the median of the tests that fell short."
    ),
    "lines_note": message(
        "The promised rates are those of the inventory; measured is the slower direction, between the school and the"
        " bureau's test server. Where the promise is above the target and the target is met, the test ends before"
        " the promise is reached: it cannot be said."
    ),
    "excerpt_more": message("{number} more are listed in the county's report."),
    "limits_rate": message("rate: asked for from above; all other limits: this county's rules"),
    "limits_room": message("a room in each town seat: asked for from above; all other limits: this county's rules"),
    "limits_own": message("all limits: this county's rules"),
    "method_limits": message(
        "100 Mbit/s, 1 Gbit/s and the recording rooms are asked for from above. How many results must pass, how many"
        " results and days are needed, the tolerance, and the limits of delay, jitter, loss and answer time are set by"
        " this county's rules of assessment (version {version}); they are not the values of a national standard."
    ),
    "method_1": message(
        "Line rate = measured payload rate × (payload + all headers, preamble and gap) / payload; both"
        " directions count."
    ),
    "method_2": message(
        "A tolerance of {tolerance} allows for measurement error. Too few data count as not met; exempt"
        " subjects do not count. Rate = met / (all - exempt)."
    ),
    "method_3": message(
        "A result that was not sound (other traffic, busy gateway, machine switched off, untrusted"
        " clock) is kept and shown, never judged. A month is decided by the share of valid results that"
        " pass; “measured” is the median of those that fell short, slower direction (of all valid ones"
        " where data are too few)."
    ),
    "method_4": message(
        "The quick test ends as soon as it is sure; agreement compares it with ten seconds of iperf3"
        " within the same hour."
    ),
    "method_5": message(
        "Outlook: a straight line through the last twelve months at most, with the limits of 95 %"
        " confidence of its slope; from six months on, and only while it surely falls."
    ),
    "proof_text": message(
        "Check sum (SHA-256) of this report's figures: {hash}. Program {version}. Each school's results are joined"
        " to a chain that cannot be changed unseen; table {table} gives its end. Whoever keeps this page can show that"
        " nothing stored before was changed."
    ),
    "proof_short": message("Check sum (SHA-256) of the figures: {hash}. Program {version}."),
    "proof_key": message(
        "What this collector reports to the level above is signed with its key (Ed25519), whose fingerprint (SHA-256) is"
        " {fingerprint}."
    ),
    "proof_pages": message(
        "Pages: {address}/schools/CODE?month={month} shows a school with every verdict and its derivation; CODE is the"
        " school's code of table {table}."
    ),
    "proof_head": message("The school's chain: {results} results, check sum {head}."),
    "no_corrections": message("No verdict of a closed month has changed."),
    "corrections_text": message(
        "Results that arrived after closing change {n} verdicts; the reports of those months stay as they were issued."
    ),
    "no_trend": message("There are no earlier months with data."),
    "fonts_pdf": message("Fonts: this machine has no {missing}; {substitutes} stand for them in this file."),
    "fonts_docx": message(
        "Fonts: this file names {fonts}; a computer that lacks one of them shows another in its place."
    ),
}
UNITS: dict[str, Message] = {
    "classroom_bandwidth": pmessage("counted", "classrooms"),
    "uplink_bandwidth": pmessage("counted", "schools"),
    "recording_room": message("town-seat schools"),
    "live_class": pmessage("counted", "schools"),
    "platform_access": message("pairs of school and platform"),
}
"""What is counted by a target, with its measure word."""
TARGETS: dict[str, Message] = {
    "classroom_bandwidth": pmessage("target", "100 Mbit/s per class"),
    "uplink_bandwidth": pmessage("target", "Gigabit per school"),
    "recording_room": pmessage("target", "Recording room"),
    "live_class": pmessage("target", "Live lessons"),
    "platform_access": pmessage("target", "Cloud platforms"),
}
"""What the report calls each target, in tables and sentences."""
COUNTED_IN: dict[str, Message] = {
    "classroom_bandwidth": pmessage("counted in", "classrooms"),
    "uplink_bandwidth": pmessage("counted in", "schools"),
    "recording_room": pmessage("counted in", "schools"),
    "live_class": pmessage("counted in", "schools"),
    "platform_access": pmessage("counted in", "school × platform"),
}
FORECASTS: dict[str, Message] = {
    "reached": message("reached"),
    "too_few_months": message("cannot be said: data of {months} months, six are needed"),
    "not_falling": message("cannot be said: no sure progress"),
    "too_far": message("not within five years, if it goes on so"),
    "given": message("between {earliest} and {latest}"),
    "given_open": message("{earliest} at the earliest"),
}
VERDICTS: dict[str, Message] = {
    "met": message("met"),
    "not_met": message("not met"),
    "insufficient": message("insufficient data"),
    "exempt": message("exempt"),
}


def say(key: str, language: Language, **values: object) -> str:
    return WORDS[key].in_(language, **values)


def month_words(month: str, language: Language) -> str:
    """`2026-10` as people write it."""
    year, number = month.split("-")
    return say("month", language, month=month, year=year, number=int(number))


def date_words(day: str, language: Language) -> str:
    """`2026-10-05` as people write it."""
    year, number, of = (int(part) for part in day.split("-"))
    return say("date", language, year=year, number=number, day=of)


def reason_words(symptom: str, language: Language) -> str:
    """Why a result could not be judged: `invalid:...`, `skipped:...`, `failed:operation/kind`."""
    kind, _, what = symptom.partition(":")
    if kind == "failed":
        operation, _, failure = what.partition("/")
        where = _in(OPERATION_WORDS, operation, language)
        why = _in(FAILURE_WORDS, failure, language)
        return message("{where}: {why}", where=where, why=why).in_(language)
    return _in(VALIDITY_WORDS if kind == "invalid" else SKIP_WORDS, what, language)


def _in(words: Mapping, key: str, language: Language) -> str:  # type: ignore[type-arg]
    for known, text in words.items():
        if str(known) == key:
            return str(text.in_(language))
    return key
