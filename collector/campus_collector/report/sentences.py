"""The sentences of the report, from the figures by rules: every number in them is one of the figures'. Pure."""

from collections.abc import Sequence

from msgspec import UNSET

from campus_base.figures import percent
from campus_base.language import Language
from campus_base.messages import Message, bilingual, joined, message, pmessage, verbatim
from campus_collector.judge.explanations import UNIT_WORDS
from campus_collector.report.figures import Count, Figures, TargetChange, TownFigures
from campus_collector.report.groups import worst_of
from campus_collector.report.words import FORECASTS, TARGETS, UNITS, date_words, month_words, say

STEADY = 0.0005
"""A change that the table shows as 0.0."""
MOST_NAMES = 3
"""So many schools are named in a sentence; the others are counted."""
MOST_UNITS = 5
CLAUSE = pmessage("clauses", "{left}, {right}")
LONG_CLAUSE = message("{left}; {right}")
NAMES = pmessage("names", "{left}, {right}")


def opening(figures: Figures, language: Language) -> str:
    """What the document is about, how many schools, until when the data go."""
    text = message(
        "This circular gives what was measured in {month} at the rural schools of {area}. Schools: {schools}.",
        month=month_words(figures.month, language),
        area=figures.county or message("the county"),
        schools=figures.schools_total,
    ).in_(language)
    if isinstance(figures.as_of, str):
        day, _, clock = figures.as_of.partition(" ")
        moment = f"{date_words(day, language)}{'' if language == 'zh' else ' '}{clock}"
        text = _beside(text, message("Data until {moment}.", moment=moment).in_(language), language)
    return text


def state(figures: Figures, language: Language) -> str:
    """How far the first target that is judged has come, and the others in one clause; "" in a month without anything judged or exempt."""
    if figures.is_empty:
        return ""
    judged = [target for target in figures.targets if target.count.judged]
    if not judged:
        return message("Everything is exempt this month.").in_(language)
    first, *others = judged
    unit = UNITS[first.target]
    where = figures.scope_name if figures.scope else message("the county").in_(language)
    rates = [
        message("{target} {rate}", target=TARGETS[other.target], rate=_rate_words(other.count, short=True))
        for other in others
    ]
    return message(
        "In {month}, {met}{measure_word} of {judged} {unit} in {where} met “{target}”: {rate}{change}{others}.",
        month=month_words(figures.month, language),
        met=first.count.met,
        measure_word=_measure_word(first.target),
        judged=first.count.judged,
        unit=unit,
        where=where,
        target=TARGETS[first.target],
        rate=_rate_words(first.count),
        change=_change(first.count.known_ratio, first.last_month) or verbatim(""),
        others=message("; {rates}", rates=joined(rates, CLAUSE)) if rates else verbatim(""),
    ).in_(language)


def towns(figures: Figures, language: Language) -> str:
    """Who gained most, who lost most, who is last; "" where no two towns are ranked."""
    ranked = [town for town in figures.towns if town.score is not None]
    if len(ranked) < 2:
        return ""
    changes, parts = _gain_and_loss(ranked), []
    last = min(ranked, key=lambda town: town.score or 0)
    behind = (last.score or 0) < (ranked[0].score or 0)
    if changes:
        texts = [text for _, text in changes]
        if behind and changes[-1][0] is last and len(changes) == 2:
            texts[-1] = message("{lost}, {last}", lost=texts[-1], last=_last(last, again=True))
            behind = False
        parts.append(message("Compared with last month, {changes}.", changes=joined(texts, LONG_CLAUSE)))
    if behind:
        parts.append(message("{last}.", last=_last(last, again=False)))
    if not parts:
        return message("All towns stand alike.").in_(language)
    return together([part.in_(language) for part in parts], language)


def _gain_and_loss(ranked: Sequence[TownFigures]) -> list[tuple[TownFigures, Message]]:
    """The town that gained most, then the one that lost most, where there are such."""
    changed = [(town, (town.score or 0) - town.last_score) for town in ranked if town.last_score is not None]
    if not changed:
        return []
    found = []
    best, gain = max(changed, key=lambda pair: pair[1])
    worst, loss = min(changed, key=lambda pair: pair[1])
    if gain >= STEADY:
        found.append((best, message("{name} gained most ({gain:.1f} points)", name=best.name, gain=gain * 100)))
    if loss <= -STEADY:
        found.append((worst, message("{name} lost most ({loss:.1f} points)", name=worst.name, loss=-loss * 100)))
    return found


def _last(town: TownFigures, *, again: bool) -> Message:
    """`again`: it was just named."""
    unmet = town.counts["classroom_bandwidth"].unmet if "classroom_bandwidth" in town.counts else 0
    share = percent(town.score or 0)
    last = (
        message("it is also last with {share}", share=share)
        if again
        else message("{town} is last with {share}", town=town.name, share=share)
    )
    return message("{last} and {unmet} classrooms to mend", last=last, unmet=unmet) if unmet else last


def changes(figures: Figures, language: Language) -> list[str]:
    """What became better and worse since the month before, target by target, and in which schools."""
    listed = [] if figures.changes is UNSET else [each for each in figures.changes if each.repaired or each.worse]
    if figures.changes is UNSET:
        return [message("There is no month before to compare with.").in_(language)]
    if not listed:
        return [message("No verdict changed between met and not met since last month.").in_(language)]
    texts = [_changed(each) for each in listed]
    sentences = [message("Since last month: {changes}.", changes=joined(texts, LONG_CLAUSE)).in_(language)]
    rooms = next((each for each in listed if each.target == "classroom_bandwidth"), None)
    if rooms is not None and rooms.worse_schools:
        names = _schools_with_numbers(rooms.worse_schools, language)
        sentences.append(message("Most classrooms newly not met: {names}.", names=names).in_(language))
    if rooms is not None and rooms.repaired_schools:
        names = _schools_with_numbers(rooms.repaired_schools, language)
        sentences.append(message("Most classrooms repaired: {names}.", names=names).in_(language))
    return [together(sentences, language)]


def _changed(change: TargetChange) -> Message:
    return message(
        "{target}: {repaired}{measure_word} newly met, {worse}{measure_word} newly not met",
        target=TARGETS[change.target],
        repaired=change.repaired,
        worse=change.worse,
        measure_word=_measure_word(change.target),
    )


def _schools_with_numbers(schools: Sequence[tuple[str, int]], language: Language) -> str:
    texts = [message("{school} ({number})", school=name, number=number).in_(language) for name, number in schools]
    return _list(texts, language)


def forecasts(figures: Figures, language: Language) -> str:
    """When each target will be met everywhere by the progress so far, or why nothing is said; targets of which the same is said stand together."""
    by_words: dict[Message, list[Message]] = {}
    for forecast in figures.forecasts:
        target = figures.target(forecast.target)
        if target is None or not target.count.judged:
            continue
        key = "given_open" if forecast.status == "given" and forecast.latest is None else forecast.status
        words = FORECASTS[key].with_(
            months=forecast.months,
            earliest=month_words(forecast.earliest, language) if forecast.earliest else "",
            latest=month_words(forecast.latest, language) if forecast.latest else "",
        )
        by_words.setdefault(words, []).append(TARGETS[forecast.target])
    if not by_words:
        return ""
    texts = [
        message("{targets}: {words}", targets=joined(targets, NAMES), words=words)
        for words, targets in by_words.items()
    ]
    return message(
        "When everything will be met by the progress of the last twelve months, for orientation: {texts}.",
        texts=joined(texts, LONG_CLAUSE),
    ).in_(language)


def worst(figures: Figures, language: Language) -> str:
    """How many classrooms do not meet their target, in how many schools."""
    rooms = [each for each in figures.failing if each.target == "classroom_bandwidth"]
    if not rooms:
        return message("Every classroom meets its target.").in_(language)
    text = message(
        "{unmet} classrooms in {schools} schools do not meet their target",
        unmet=len(rooms),
        schools=len({each.school for each in rooms}),
    )
    lacking = sum(each.verdict == "insufficient" for each in rooms)
    if lacking:
        text = message("{text}, {lacking} of them for lack of data", text=text, lacking=lacking)
    return message("{text}.", text=text).in_(language)


def uplinks(figures: Figures, language: Language) -> str:
    """How many lines do not reach the gigabit; "" where none is judged."""
    target = figures.target("uplink_bandwidth")
    if target is None or not target.count.judged:
        return ""
    if not target.count.unmet:
        return message("The line of every judged school reaches the gigabit.").in_(language)
    parts = []
    if target.count.not_met:
        parts.append(message("{number} schools' lines do not reach the gigabit", number=target.count.not_met))
    if target.count.insufficient:
        parts.append(message("{number} schools' lines have insufficient data", number=target.count.insufficient))
    return message("{parts}.", parts=joined(parts, CLAUSE)).in_(language)


def test_servers(figures: Figures, language: Language) -> str:
    """What the uplinks were tested against in the month, else what they are tested against by the configuration; "" where neither says it."""
    used = [] if figures.servers is UNSET else [server for server in figures.servers if server.host]
    if used:
        named = [_server(server.name or server.host, server.place) for server in used[:MOST_NAMES]]
        if len(used) > len(named):
            text = message("Lines were tested against {servers} and {more} other servers.", more=len(used) - len(named))
        else:
            text = message("Lines were tested against {servers}.")
        return text.in_(language, servers=joined(named, NAMES))
    servers = () if figures.official is UNSET else figures.official.test_servers
    if not servers:
        return ""
    known = [_server(name, place) for name, place, *_ in servers]
    return message("Lines are tested against {servers}.", servers=joined(known, NAMES)).in_(language)


def _server(name: str, place: str) -> Message:
    return message("{name} ({place})", name=name, place=place) if place else verbatim(name)


def coverage(figures: Figures, language: Language) -> str:
    """How many classrooms have enough valid tests; "" where none are judged."""
    target = figures.target("classroom_bandwidth")
    if target is None or target.count.coverage is None:
        return ""
    count = target.count
    if not count.insufficient:
        text = message("All {judged} classrooms had enough valid tests for a verdict.")
        return text.in_(language, judged=count.judged)
    return message(
        "{covered} of {judged} classrooms ({share}) had enough valid tests for a verdict; the others count as not met.",
        covered=count.met + count.not_met,
        judged=count.judged,
        share=percent(target.count.coverage),
    ).in_(language)


def carriers(figures: Figures, language: Language) -> str:
    """Lines that do not keep the promise of their contract."""
    lines = [] if figures.lines is UNSET else figures.lines
    if not lines:
        return message("The inventory names no carriers and no promised rates: contracts are not compared.").in_(
            language
        )
    promised, broken = (
        [line for line in lines if line.promised_bits_per_second],
        [line for line in lines if line.kept is False],
    )
    text = message(
        "The inventory names the carrier or contract of {lines} lines, {promised} of them with a promised rate.",
        lines=len(lines),
        promised=len(promised),
    ).in_(language)
    if not promised:
        return text
    unknown = sum(line.kept is None for line in promised)
    if unknown:
        words = message(
            "Of {unknown} it cannot be said, for want of tests or because they end at the target.", unknown=unknown
        )
        text = _beside(text, words.in_(language), language)
    if not broken:
        none = (
            message("None of the others is measured below its promise.")
            if unknown
            else message("None is measured below its promise.")
        )
        return text if unknown == len(promised) else _beside(text, none.in_(language), language)
    below = message(
        "{broken} are measured below their promise, the longest since {since}.",
        broken=len(broken),
        since=date_words(min(line.since for line in broken), language),
    ).in_(language)
    return _beside(text, below, language)


def lessons(figures: Figures, language: Language) -> str:
    """How many schools' lines are ready for live lessons; "" where none is judged."""
    words = message("Live lessons (by tests of the line outside lessons)")
    if figures.lessons is not UNSET:
        words = message("Live lessons (by the minutes of the lessons)")
    return _counted(figures, "live_class", words, language)


def worst_lessons(figures: Figures, language: Language) -> str:
    """The lessons with most bad minutes, one of a school; "" when no minute was bad, or the month is not judged by minutes."""
    lessons = [] if figures.lessons is UNSET else worst_of(figures.lessons)
    if not lessons:
        return ""
    listed = [
        message(
            "{school} {day} {time} ({bad} of {observed} minutes bad)",
            school=each.school_name,
            day=each.worst_day,
            time=each.worst_time,
            bad=each.worst_bad,
            observed=each.worst_observed,
        )
        for each in lessons
    ]
    pair = pmessage("list of lessons", "{left}; {right}")
    return message("Worst lessons of the month: {lessons}.", lessons=joined(listed, pair)).in_(language)


def room_use(figures: Figures, language: Language) -> str:
    """In how many timetabled lessons recording rooms were used; "" where no recorder told."""
    if figures.room_use is UNSET:
        return ""
    rows = figures.room_use
    values = {
        name: sum(getattr(row, name) for row in rows) for name in ("timetabled", "recorded", "streamed", "unknown")
    }
    return message(
        "Use of recording rooms: of {timetabled} timetabled lessons {recorded} were recorded, in {streamed} others a stream flowed;"
        " of {unknown} nothing is known.",
        **values,
    ).in_(language)


def rooms(figures: Figures, language: Language) -> str:
    """How many schools' recording rooms work, and which do not; "" where none is judged."""
    text = _counted(figures, "recording_room", message("Recording rooms"), language)
    if not text:
        return ""
    failed = [room.school_name for room in figures.rooms if room.verdict == "not_met"]
    if failed:
        text = _beside(text, message("Not met: {names}.", names=_names(failed, language)).in_(language), language)
    return text


def platforms(figures: Figures, language: Language) -> str:
    """How platforms were reached, and the one that was reached worst; "" where none is judged."""
    text = _counted(figures, "platform_access", message("Cloud platforms (each school and platform)"), language)
    if not text:
        return ""
    tried = [platform for platform in figures.platforms if platform.success_ratio is not None]
    if tried:
        least = min(tried, key=lambda platform: platform.success_ratio or 0)
        rate = "100%" if least.success_ratio == 1 else percent(least.success_ratio or 0)
        more = message("The lowest share of passing requests: {platform}, {rate}.", platform=least.name, rate=rate)
        text = _beside(text, more.in_(language), language)
    return text


def _counted(figures: Figures, target: str, what: Message, language: Language) -> str:
    """A target's counts in a sentence; "" where nothing is judged."""
    of_target = figures.target(target)
    if of_target is None or not of_target.count.judged:
        return ""
    count, word = of_target.count, _measure_word(target)
    parts = [
        message("judged {number}{measure_word}", number=count.judged, measure_word=word),
        message("met {number}{measure_word}", number=count.met, measure_word=word),
    ]
    if count.not_met:
        parts.append(message("not met {number}{measure_word}", number=count.not_met, measure_word=word))
    if count.insufficient:
        parts.append(message("insufficient data {number}{measure_word}", number=count.insufficient, measure_word=word))
    return message("{what}: {parts}.", what=what, parts=joined(parts, CLAUSE)).in_(language)


def _measure_word(target: str) -> Message:
    """What Chinese puts between number and thing: 个, 所, 项."""
    return bilingual("", UNITS[target].zh[0])


def ledger(figures: Figures, language: Language) -> str:
    """The ledger's balance; it says so when nothing is on record."""
    figures_of = figures.ledger
    opening = 0 if figures_of.opening is UNSET else figures_of.opening
    if not (opening or figures_of.opened or figures_of.struck_off or figures_of.open):
        return message("The ledger has no open problem.").in_(language)
    parts = []
    if figures_of.opening is not UNSET:
        parts.append(message("{number} problems were open before the month", number=figures_of.opening))
    parts.append(
        message(
            "{opened} were opened, {struck_off} struck off", opened=figures_of.opened, struck_off=figures_of.struck_off
        )
    )
    if figures_of.ended_otherwise is not UNSET and figures_of.ended_otherwise:
        parts.append(
            message("{number} joined to a school's problem or no longer judged", number=figures_of.ended_otherwise)
        )
    parts.append(message("{number} are open at its end", number=figures_of.open))
    if figures_of.overdue:
        parts.append(message("{number} of them overdue", number=figures_of.overdue))
    if figures_of.contradicted:
        parts.append(message("{number} failed the new test", number=figures_of.contradicted))
    return message("The ledger: {parts}.", parts=joined(parts, CLAUSE)).in_(language)


def units(figures: Figures, language: Language) -> str:
    """How many problems each responsible unit has open; "" where none is."""
    ordered = sorted(figures.ledger.by_unit.items(), key=lambda pair: (-pair[1], pair[0]))
    texts = [
        message("{unit} {number}", unit=UNIT_WORDS.get(unit, verbatim(unit)), number=number) for unit, number in ordered
    ]
    if not texts:
        return ""
    shown = texts[:MOST_UNITS]
    return message("Open by responsible unit: {units}.", units=joined(shown, NAMES)).in_(language)


def silent(figures: Figures, language: Language, *, all_names: bool = False) -> str:
    """Which schools have no valid result; a few names unless `all_names`."""
    names = figures.data.silent_schools
    if not names:
        return message("Every school has valid results.").in_(language)
    listed = _list(names, language) if all_names else _names(names, language)
    return message("Schools without any valid result this month ({n}): {names}.", n=len(names), names=listed).in_(
        language
    )


def required_repairs(figures: Figures, language: Language, annex: str) -> str:
    """What the responsible units have to do; `annex` lists the problems."""
    if not figures.failing and not figures.ledger.open:
        return message("Keep what was reached; new problems are registered and handed over as they appear.").in_(
            language
        )
    return message(
        "The responsible units repair what {annex} lists within the time set in the ledger, and then apply for it to"
        " be struck off; a problem is struck off only when new measurements meet the target.",
        annex=annex,
    ).in_(language)


def required_of_overdue(figures: Figures, language: Language, annex: str) -> str:
    """What is to be done about problems that are overdue, or were reported as repaired and are not."""
    ledger_figures, texts = figures.ledger, []
    if ledger_figures.overdue:
        texts.append(
            message(
                "{number} problems are overdue ({annex}): the responsible units say why, and when they will be repaired.",
                number=ledger_figures.overdue,
                annex=annex,
            )
        )
    if ledger_figures.contradicted:
        texts.append(
            message(
                "{number} problems were reported as repaired and failed the new test: they go back for repair.",
                number=ledger_figures.contradicted,
            )
        )
    if not texts:
        return say("e_ledger_lines", language)
    return together([text.in_(language) for text in texts], language)


def required_of_reporting(figures: Figures, language: Language) -> str:
    """What schools have to do so that data come."""
    number = len(figures.data.silent_schools)
    texts = []
    if number:
        texts.append(
            message(
                "The {number} schools without valid results check power and network of their gateway, and ask the bureau"
                " for help where that does not do.",
                number=number,
            )
        )
    texts.append(
        message("Schools keep gateway and classroom computers switched on at school hours, so that tests can be made.")
    )
    return together([text.in_(language) for text in texts], language)


def numbered(texts: Sequence[str]) -> list[str]:
    """Those that say anything, as the third level of an official document: 1. 2. 3."""
    return [f"{number}. {text}" for number, text in enumerate([text for text in texts if text], start=1)]


def failing(figures: Figures, language: Language) -> str:
    """Of an excerpt: how much does not meet its target; "" where all does."""
    if not figures.failing:
        return ""
    return message(
        "{number} subjects do not meet their targets; they are listed below with cause and responsible unit.",
        number=len(figures.failing),
    ).in_(language)


def _rate_words(count: Count, *, short: bool = False) -> Message:
    if not count.has_data:
        return message("no data")
    text = "100%" if count.ratio == 1 else percent(count.ratio or 0)
    return verbatim(text) if short else message("{text}", text=text)


def _change(now: float | None, before: float | None) -> Message | None:
    if now is None or before is None:
        return None
    points = now - before
    number = f"{abs(points) * 100:.1f}"
    if abs(points) < STEADY:
        return message(", as last month")
    if points > 0:
        return message(", {shown} points more than last month", shown=number)
    return message(", {shown} points less than last month", shown=number)


def _names(names: Sequence[str], language: Language) -> str:
    if len(names) <= MOST_NAMES:
        return _list(names, language)
    return message("{names} and others, {all} in all", names=_list(names[:MOST_NAMES], language), all=len(names)).in_(
        language
    )


def _list(texts: Sequence[str], language: Language) -> str:
    return message(", ").in_(language).join(texts)


def _beside(left: str, right: str, language: Language) -> str:
    return together([left, right], language)


def together(texts: Sequence[str], language: Language) -> str:
    return ("" if language == "zh" else " ").join(text for text in texts if text)
