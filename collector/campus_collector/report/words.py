"""What the report says beside its numbers, in both languages side by side."""

from campus_base.language import Language
from campus_base.messages import Message, message, pmessage
from campus_base.wire_words import FAILURE_WORDS, OPERATION_WORDS, SKIP_WORDS, VALIDITY_WORDS

WORDS: dict[str, Message] = {
    "title": message("Monthly report on school network compliance"),
    "title_county": message("{county}: monthly report on school network compliance"),
    "title_excerpt": message("{name}: school network compliance"),
    "month": message("{month}"),
    "fact_month": message("Month"),
    "fact_issued": message("Issued on"),
    "fact_made": message("Made on"),
    "fact_policy": message("Policy version"),
    "fact_as_of": message("Data as of"),
    "working": message("still being worked out: not all results are judged, figures will change"),
    "fact_schools": pmessage("number of", "Schools"),
    "schools_value": message("{n}"),
    "date": message("{year}-{number:02d}-{day:02d}"),
    "not_closed": message("NOT CLOSED: figures may still change"),
    "in_progress": message("NOT CLOSED: the month is in progress, figures will change"),
    "simulated": message("INVENTED DATA for demonstration and checks"),
    "empty": message("No subject was to be judged and no result is on record for this month."),
    "summary": message("1. Summary"),
    "towns": message("2. Towns"),
    "schools": message("3. Schools"),
    "failing": message("4. What does not meet its target"),
    "rooms": message("5. Recording rooms"),
    "live": message("6. Ready for live lessons (line tested outside lessons)"),
    "platforms": message("7. Cloud platforms"),
    "ledger": message("8. Problem ledger"),
    "data": message("9. How complete the data are"),
    "trend": message("10. Trend and outlook"),
    "corrections": message("11. Corrections of earlier months"),
    "method": message("Appendix: method"),
    "proof": message("Appendix: proof"),
    "t_targets": message("Targets"),
    "t_towns": message("Ranking of towns"),
    "t_schools": message("Schools"),
    "t_failing": message("Not met"),
    "t_rooms": message("Recording rooms"),
    "t_live": message("Live lessons"),
    "t_platforms": message("Platforms"),
    "t_ledger": message("Ledger"),
    "t_units": message("By unit"),
    "t_ledger_lines": message("Overdue or contradicted"),
    "t_data": message("Results"),
    "t_reasons": pmessage("sheet", "Not judged"),
    "t_agreement": message("Agreement"),
    "t_trend": message("Trend"),
    "t_forecast": message("Outlook"),
    "t_corrections": message("Corrections"),
    "t_rules": message("Rules"),
    "t_heads": message("Chain heads"),
    "c_target": message("target"),
    "c_subjects": message("judged"),
    "c_met": message("met"),
    "c_not_met": message("not met"),
    "c_insufficient": message("insufficient data"),
    "c_exempt": message("exempt"),
    "c_ratio": message("rate"),
    "c_vs_month": message("points on last month"),
    "c_vs_year": message("points on last year"),
    "c_rank": message("rank"),
    "c_town": message("town"),
    "c_school": message("school"),
    "c_schools": pmessage("number of", "schools"),
    "c_score": message("all targets"),
    "c_seat": message("town seat"),
    "c_results": message("valid results"),
    "c_classroom": message("classroom or subject"),
    "c_verdict": message("verdict"),
    "c_decided": message("passed of valid"),
    "decided": message("{passing} of {valid}; {share} needed"),
    "decided_of": message("{passing} of {valid}"),
    "c_measured": message("measured where short, Mbit/s"),
    "c_required": message("required, Mbit/s"),
    "c_cause": message("likeliest cause"),
    "c_unit": message("who has to act"),
    "c_polls": message("polls in school hours"),
    "c_availability": message("available"),
    "c_platform": message("platform"),
    "c_requests": message("requests"),
    "c_success": message("passing"),
    "c_first_byte": message("first byte, ms"),
    "c_number": message("no."),
    "c_due": message("due"),
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
    "c_outlook": message("met everywhere"),
    "c_was": message("published"),
    "c_now": message("now"),
    "c_rule": message("how it is judged"),
    "c_stored": message("results stored"),
    "c_head": message("SHA-256 of the chain's head"),
    "yes": message("yes"),
    "overdue": message("overdue"),
    "contradicted": message("measurements contradict the claim"),
    "both": message("overdue; measurements contradict the claim"),
    "l_opening": message("open before the month"),
    "l_ended": message("joined to a school's problem, or no longer judged"),
    "l_opened": message("opened in the month"),
    "l_struck": message("struck off in the month"),
    "l_contradicted": message("claims contradicted by measurements"),
    "l_open": message("open at the month's end"),
    "l_overdue": message("of these overdue"),
    "d_valid": message("valid"),
    "d_passing": message("of these passing"),
    "d_invalid": message("not sound (kept, not judged)"),
    "d_failed": message("failed"),
    "d_skipped": message("not made, with a reason"),
    "s_classroom": message("gateway to classroom"),
    "s_uplink": message("school to bureau"),
    "n_failing": message("nothing: every subject meets its target"),
    "n_rooms": message("no school must have a recording room this month"),
    "n_live": message("the line of every judged school is ready"),
    "n_platforms": message("no platform is judged this month"),
    "n_ledger_lines": message("none is overdue or contradicted"),
    "n_units": message("nothing is open"),
    "n_reasons": message("every result could be judged"),
    "n_agreement": message("nothing was compared this month"),
    "n_towns": message("no town is known"),
    "n_schools": message("no school is known"),
    "silent": message("Schools without any valid result this month ({n}): {names}."),
    "none_silent": message("Every school has valid results."),
    "chart_trend": message("Share met by month"),
    "chart_towns": message("All targets by town"),
    "chart_burn": message("Classrooms below 100 Mbit/s by month (share)"),
    "chart_burn_told": message(
        "Classrooms below 100 Mbit/s by month (share); hatched: where it leads, with 95 % confidence"
    ),
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
        "Content hash (SHA-256) of these figures: {hash}. Program {version}. Whoever keeps this page can"
        " show that nothing stored before was changed."
    ),
    "no_corrections": message("No verdict of a closed month has changed."),
    "corrections_text": message(
        "Results that arrived after closing change {n} verdicts; the reports of those months stay as they were issued."
    ),
    "no_trend": message("There are no earlier months with data."),
}
UNITS: dict[str, Message] = {
    "classroom_bandwidth": pmessage("counted", "classrooms"),
    "uplink_bandwidth": pmessage("counted", "schools"),
    "recording_room": message("town-seat schools"),
    "live_class": pmessage("counted", "schools"),
    "platform_access": message("pairs of school and platform"),
}
"""What is counted by a target, with its measure word."""
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


def _in(words: dict, key: str, language: Language) -> str:  # type: ignore[type-arg]
    for known, text in words.items():
        if str(known) == key:
            return str(text.in_(language))
    return key
