"""What an area's report says beside its figures; targets, verdicts and most headings are those of a county's report (`report.words`)."""

from campus_base.messages import Message, message, pmessage

AREA_WORDS: dict[str, Message] = {
    "title": message("Circular on the network compliance of rural schools in {month}, by county"),
    "title_issuer": message("{issuer}: circular on the network compliance of rural schools in {month}, by county"),
    "opening": message(
        "This circular adds up what {here} of {all} counties of {area} have closed for {month} and sent signed."
        " Schools: {schools}."
    ),
    "state": message("“{target}”: {met} of {judged} met, {rate}."),
    "simulated": message("INVENTED DATA for demonstration and checks"),
    "incomplete": message("{count} counties are missing: figures will change"),
    "the_area": message("the area"),
    "h_state": message("1. Overall"),
    "h_counties": message("2. The counties"),
    "h_missing": message("3. Counties without this month"),
    "h_corrections": message("4. Corrections"),
    "none_missing": message("Every county has sent this month."),
    "missing_text": message("Not here and not counted: {names}."),
    "missing_since": message("{name} (since {day})"),
    "missing_not_due": message("{name} (not due yet)"),
    "no_corrections": message("No county has corrected an earlier month."),
    "corrections_text": message(
        "Results that arrived after closing change earlier months. What was reported then stays as it is; from now on the"
        " corrected figures count."
    ),
    "counties_note": message(
        "Each row carries the beginning of the check sum (SHA-256) of the county's report that it is taken from. Annex 3"
        " gives it whole."
    ),
    "a_figures": message("Figures by county and target"),
    "a_trend": message("The area month by month"),
    "a_proof": message("How the figures can be checked"),
    "t_targets": message("Targets"),
    "t_counties": message("Rates of the counties"),
    "t_corrections": message("Corrections"),
    "t_figures": message("Figures by county and target"),
    "t_trend": message("Rates by month"),
    "t_proof": message("Check sums and keys of the counties"),
    "n_targets": pmessage("sheet", "Targets"),
    "n_counties": pmessage("sheet", "Counties"),
    "n_corrections": pmessage("sheet", "Corrections"),
    "n_figures": pmessage("sheet", "By county"),
    "n_trend": pmessage("sheet", "Trend"),
    "n_proof": pmessage("sheet", "Check sums"),
    "u_counties": message("Unit: schools; rates in %"),
    "u_changed": message("Unit: verdicts"),
    "c_county": pmessage("of an area", "county"),
    "c_counties": pmessage("number of", "counties"),
    "c_hash": pmessage("of a month", "check sum"),
    "c_corrected": pmessage("of a month", "correction"),
    "c_changed": message("verdicts changed"),
    "c_received": message("received on"),
    "c_report_hash": message("check sum (SHA-256) of the county's figures"),
    "c_statement_hash": message("check sum (SHA-256) of what was signed"),
    "c_fingerprint": message("fingerprint (SHA-256) of the county's key"),
    "c_versions": message("rules, program"),
    "proof_text": message(
        "Check sum (SHA-256) of this report's figures: {hash}. Program {version}. A county's figures are those that it"
        " closed; it signed them with its key (Ed25519), and this collector verified the signature, the sums and that the"
        " chains of results go on where the month before ended. A county prints the same check sum in its own report, and"
        " the fingerprint of its key on its page of rules."
    ),
}
