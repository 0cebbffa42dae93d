"""Two or three sentences that say what changed and where, from the figures by rules: every number in them is one of the figures'. Pure."""

from msgspec import UNSET

from campus_base.figures import percent
from campus_base.language import Language
from campus_base.messages import Message, bilingual, joined, message, pmessage, verbatim
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.report.figures import Count, Figures, TargetFigures, TownFigures
from campus_collector.report.words import UNITS, month_words

STEADY = 0.0005
"""A change that the table shows as 0.0."""


def sentences(figures: Figures, language: Language) -> list[str]:
    """For the summary; an excerpt is about its own area."""
    if figures.is_empty:
        return []
    parts = [_state(figures, language)]
    if figures.scope == "":
        parts += _towns(figures, language)
        parts.append(_ledger(figures, language))
    elif figures.failing:
        parts.append(_failing(figures, language))
    return [sentence for sentence in parts if sentence]


def _state(figures: Figures, language: Language) -> str:
    """How far the first target that is judged has come, and the others in one clause."""
    judged = [target for target in figures.targets if target.count.judged]
    if not judged:
        text = message("Everything is exempt this month.")
        return text.in_(language)
    first, *others = judged
    unit = UNITS[first.target]
    where = figures.scope_name if figures.scope else (message("the county").in_(language))
    month = month_words(figures.month, language)
    rates = [
        message("{target} {rate}", target=TARGET_WORDS[other.target], rate=_rate_words(other.count, short=True))
        for other in others
    ]
    return message(
        "In {month}, {met}{measure_word} of {judged} {unit} in {where} met “{target}”: {rate}{change}{others}.",
        month=month,
        met=first.count.met,
        measure_word=bilingual("", unit.zh[0]),  # 个, 所, 项
        judged=first.count.judged,
        unit=unit,
        where=where,
        target=TARGET_WORDS[first.target],
        rate=_rate_words(first.count),
        change=_change(first) or verbatim(""),
        others=message("; {rates}", rates=joined(rates, pmessage("clauses", "{left}, {right}")))
        if rates
        else verbatim(""),
    ).in_(language)


def _rate_words(count: Count, *, short: bool = False) -> Message:
    if not count.has_data:
        return message("no data")
    text = percent(count.ratio or 0)
    return verbatim(text) if short else message("{text}", text=text)


def _change(target_figures: TargetFigures) -> Message | None:
    now, before = target_figures.count.known_ratio, target_figures.last_month
    if now is None or before is None:
        return None
    points = now - before
    shown = f"{abs(points) * 100:.1f}"
    if abs(points) < STEADY:
        return message(", as last month")
    if points > 0:
        return message(", {shown} points more than last month", shown=shown)
    return message(", {shown} points less than last month", shown=shown)


def _towns(figures: Figures, language: Language) -> list[str]:
    """Who gained most, who lost most, who is last."""
    ranked = [town for town in figures.towns if town.score is not None]
    if len(ranked) < 2:
        return []
    parts: list[Message] = []
    changed = [(town, (town.score or 0) - town.last_score) for town in ranked if town.last_score is not None]
    if changed:
        best, gain = max(changed, key=lambda pair: pair[1])
        worst, loss = min(changed, key=lambda pair: pair[1])
        if gain >= STEADY:
            parts.append(message("{name} gained most ({gain:.1f} points)", name=best.name, gain=gain * 100))
        if loss <= -STEADY:
            parts.append(message("{name} lost most ({loss:.1f} points)", name=worst.name, loss=-loss * 100))
    last = min(ranked, key=lambda town: town.score or 0)
    if (last.score or 0) < (ranked[0].score or 0):
        again = bool(changed) and worst is last and loss <= -STEADY
        parts.append(_last(last, again=again))
    if not parts:
        return [message("All towns stand alike.").in_(language)]
    changes = joined(parts, message("{left}; {right}"))
    return [message("Over all targets, {changes}.", changes=changes).in_(language)]


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


def _ledger(figures: Figures, language: Language) -> str:
    ledger = figures.ledger
    opening = 0 if ledger.opening is UNSET else ledger.opening
    ended = 0 if ledger.ended_otherwise is UNSET else ledger.ended_otherwise
    if not (opening or ledger.opened or ledger.struck_off or ledger.open):
        return ""
    if ledger.opening is UNSET:  # closed by an earlier version
        text = message(
            "The ledger gained {opened} problems and lost {struck_off}; {open} were open at the month's end",
            opened=ledger.opened,
            struck_off=ledger.struck_off,
            open=ledger.open,
        )
    else:
        moved = message(
            "{opening} problems of the ledger were open before the month; {opened} were opened and {struck_off} struck off",
            opening=opening,
            opened=ledger.opened,
            struck_off=ledger.struck_off,
        )
        if ended:
            moved = message(
                "{text}, {ended} merged into one of the school or no longer judged", text=moved, ended=ended
            )
        text = message("{text}; {open} were open at the month's end", text=moved, open=ledger.open)
    if ledger.overdue:
        text = message("{text}, {overdue} of them overdue", text=text, overdue=ledger.overdue)
    if ledger.contradicted:
        text = message("{text}; measurements contradicted {claims} claims", text=text, claims=ledger.contradicted)
    return message("{text}.", text=text).in_(language)


def _failing(figures: Figures, language: Language) -> str:
    number = len(figures.failing)
    return message(
        "{number} subjects do not meet their targets; they are listed below with cause and who has to act.",
        number=number,
    ).in_(language)
