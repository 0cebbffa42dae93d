"""Who reads a page: what it says in their language, at the moment they read it."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from campus_base.figures import percent_as_written
from campus_base.language import Language
from campus_base.messages import Message
from campus_base.wire_words import VERDICT_WORDS
from campus_collector.domain.agents import Agent
from campus_collector.http.pages.words import WORDS, age_words, ago_words
from campus_collector.judge.month import Month
from campus_collector.judge.policy import Policy
from campus_collector.judge.workdays import is_provisional, last_announced_day
from campus_wire.bandwidth import Verdict
from campus_wire.failures import Validity
from campus_wire.records import AnyResult

MARKS = {Verdict.MET: "✓", Verdict.NOT_MET: "✗", Verdict.INSUFFICIENT: "?", Verdict.EXEMPT: "–"}


@dataclass(frozen=True, slots=True)
class Badge:
    """A verdict as shape, word and class; `note` stands beside it."""

    verdict: str
    mark: str
    word: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """The language and the moment of one page."""

    language: Language
    now: datetime

    def words(self, key: str, **values: object) -> str:
        """A sentence of the pages in the reader's language."""
        return WORDS[key].in_(self.language, **values)

    def text(self, text: Message) -> str:
        return text.in_(self.language)

    def badge(self, verdict: Verdict, note: str = "", *, word: str = "") -> Badge:
        """`word` instead of the verdict's own."""
        return Badge(verdict.value, MARKS[verdict], word or self.text(VERDICT_WORDS[verdict]), note)

    def state(self, up: bool | None) -> Badge:
        """Up, down, or not known, as shape and word."""
        verdict = Verdict.INSUFFICIENT if up is None else Verdict.MET if up else Verdict.NOT_MET
        return self.badge(verdict, word=self.words("unknown_state" if up is None else "works" if up else "broken"))

    def reporting(self, agent: Agent | None) -> Badge:
        """Does this gateway report?"""
        if agent is None or agent.last_report_at is None:
            return self.badge(Verdict.INSUFFICIENT, word=self.words("never"))
        if not agent.is_up(self.now):
            age = self.text(age_words((self.now - agent.last_report_at).total_seconds()))
            return self.badge(Verdict.NOT_MET, word=self.words("silent", age=age))
        return self.badge(Verdict.MET, word=self.words("reporting"))

    def when(self, result: AnyResult | None) -> str:
        """How long ago a result was measured; "" where it is not known."""
        if result is None or result.validity is Validity.CLOCK_UNTRUSTED:
            return ""
        return self.ago(result.started_at)

    def ago(self, moment: datetime) -> str:
        return self.text(ago_words(max(0.0, (self.now - moment).total_seconds())))

    def month(self, month: Month) -> str:
        return self.words("month", month=str(month), year=month.year, number=month.number)

    def judged_by(self, policy: Policy, month: Month) -> str:
        """By which policy a month is judged, and whether its calendar is a provisional one."""
        tolerance = percent_as_written(1 - policy.tolerance_ratio)
        text = self.words("judged_by", version=policy.version, tolerance=tolerance)
        if not is_provisional(month.last_day):
            return text
        return f"{text} {self.words('provisional', day=last_announced_day())}"

    def updated(self, zone: tzinfo) -> str:
        return self.words("updated", time=self.now.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"))
