"""Which days of a month are not judged? Exemptions of the policy, with their reason and their end. Pure."""

from datetime import date, timedelta

from campus_collector.judge.month import Month
from campus_collector.judge.policy import Policy


def exempt_days(policy: Policy, target: str, school: str, subject: str, month: Month) -> tuple[frozenset[date], str]:
    """The days, and the reasons why."""
    found: set[date] = set()
    reasons: list[str] = []
    for one in policy.exemptions:
        if one.school not in ("*", school) or one.target not in (None, target) or one.subject not in (None, subject):
            continue
        first, last = max(one.first, month.first_day), min(one.last, month.last_day)
        covered = {first + timedelta(days=number) for number in range((last - first).days + 1)}
        if covered and one.reason not in reasons:
            reasons.append(one.reason)
        found |= covered
    return frozenset(found), "; ".join(reasons)
