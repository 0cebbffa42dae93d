"""Two or three sentences that say what changed and where, from the figures by rules: every number in them is one of the figures'. Pure."""

from campus_base.figures import percent
from campus_base.language import Language, Text
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.report.figures import Count, Figures, TargetFigures, TownFigures
from campus_collector.report.words import UNITS, month_words

STEADY = 0.0005
"""A change that the table shows as 0.0."""


def sentences(figures: Figures, language: Language) -> list[str]:
    """For the summary; an excerpt speaks of its own area."""
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
        text = Text("Everything is exempt this month.", "本月全部对象免考核。")
        return text.in_(language)
    first, *others = judged
    unit = UNITS[first.target]
    where = figures.scope_name if figures.scope else ("全县" if language == "zh" else "the county")
    month = month_words(figures.month, language)
    zh = f"{month}，{where}应考核的{first.count.judged}{unit.zh}中，{first.count.met}{_measure(unit.zh)}达到{TARGET_WORDS[first.target].zh}要求，{_rate_words(first.count).zh}"
    en = f"In {month}, {first.count.met} of {first.count.judged} {unit.en} in {where} met “{TARGET_WORDS[first.target].en}”: {_rate_words(first.count).en}"
    change = _change(first)
    if change is not None:
        zh, en = zh + change.zh, en + change.en
    rest = [(other, _rate_words(other.count, short=True)) for other in others]
    if rest:
        zh += "；" + "，".join(f"{TARGET_WORDS[target.target].zh}{share.zh}" for target, share in rest)
        en += "; " + ", ".join(f"{TARGET_WORDS[target.target].en} {share.en}" for target, share in rest)
    return Text(en + ".", zh + "。").in_(language)


def _rate_words(count: Count, *, short: bool = False) -> Text:
    if not count.has_data:
        return Text("no data", "无数据")
    text = percent(count.ratio or 0)
    return Text(text, text if short else f"达标率{text}")


def _change(target_figures: TargetFigures) -> Text | None:
    now, before = target_figures.count.known_ratio, target_figures.last_month
    if now is None or before is None:
        return None
    points = now - before
    shown = f"{abs(points) * 100:.1f}"
    if abs(points) < STEADY:
        return Text(", as last month", "，与上月持平")
    if points > 0:
        return Text(f", {shown} points more than last month", f"，比上月提高{shown}个百分点")
    return Text(f", {shown} points less than last month", f"，比上月下降{shown}个百分点")


def _towns(figures: Figures, language: Language) -> list[str]:
    """Who gained most, who lost most, who is last."""
    ranked = [town for town in figures.towns if town.score is not None]
    if len(ranked) < 2:
        return []
    parts: list[Text] = []
    changed = [(town, (town.score or 0) - town.last_score) for town in ranked if town.last_score is not None]
    if changed:
        best, gain = max(changed, key=lambda pair: pair[1])
        worst, loss = min(changed, key=lambda pair: pair[1])
        if gain >= STEADY:
            parts.append(
                Text(
                    f"{best.name} gained most ({gain * 100:.1f} points)",
                    f"{best.name}进步最大（提高{gain * 100:.1f}个百分点）",
                )
            )
        if loss <= -STEADY:
            parts.append(
                Text(
                    f"{worst.name} lost most ({-loss * 100:.1f} points)",
                    f"{worst.name}下降最多（{-loss * 100:.1f}个百分点）",
                )
            )
    last = min(ranked, key=lambda town: town.score or 0)
    if (last.score or 0) < (ranked[0].score or 0):
        again = bool(changed) and worst is last and loss <= -STEADY
        parts.append(_last(last, again=again))
    if not parts:
        return [Text("All towns stand alike.", "各镇街综合达标率相同。").in_(language)]
    zh, en = "，".join(part.zh for part in parts), "; ".join(part.en for part in parts)
    return [Text(f"Over all targets, {en}.", f"从综合达标率看，{zh}。").in_(language)]


def _last(town: TownFigures, *, again: bool) -> Text:
    """`again`: it was just named."""
    unmet = town.counts["classroom_bandwidth"].unmet if "classroom_bandwidth" in town.counts else 0
    share = percent(town.score or 0)
    en = f"it is also last with {share}" if again else f"{town.name} is last with {share}"
    zh = f"且为全县最低（{share}）" if again else f"{town.name}最低（{share}）"
    if unmet:
        en, zh = f"{en} and {unmet} classrooms to mend", f"{zh}，有{unmet}个班级未达标"
    return Text(en, zh)


def _ledger(figures: Figures, language: Language) -> str:
    ledger = figures.ledger
    if not (ledger.opened or ledger.struck_off or ledger.open):
        return ""
    zh = f"问题台账本月新立案{ledger.opened}个、销号{ledger.struck_off}个，月末尚有{ledger.open}个未销号"
    en = f"The ledger gained {ledger.opened} problems and lost {ledger.struck_off}; {ledger.open} were open at the month's end"
    if ledger.overdue:
        zh, en = f"{zh}，其中{ledger.overdue}个逾期", f"{en}, {ledger.overdue} of them overdue"
    if ledger.contradicted:
        zh = f"{zh}；{ledger.contradicted}个已报整改完成但实测不符"
        en = f"{en}; measurements contradicted {ledger.contradicted} claims"
    return Text(en + ".", zh + "。").in_(language)


def _failing(figures: Figures, language: Language) -> str:
    number = len(figures.failing)
    return Text(
        f"{number} subjects do not meet their targets; they are listed below with cause and who has to act.",
        f"尚有{number}项未达标，原因和责任单位见下表。",
    ).in_(language)


def _measure(unit: str) -> str:
    """The measure word alone: 个, 所, 项."""
    return unit[0]
