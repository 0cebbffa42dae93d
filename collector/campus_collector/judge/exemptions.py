"""Which days of a month are not judged? Exemptions of the policy, with their reason and their end. Pure."""

from datetime import date, timedelta

from campus_collector.judge.month import Month
from campus_collector.judge.policy import Policy


def exempt_days(policy: Policy, target: str, school: str, subject: str, month: Month) -> tuple[frozenset[date], str]:
    days: set[date] = set()
    reasons: list[str] = []
    for exemption in policy.exemptions:
        if (
            exemption.school not in ("*", school)
            or exemption.target not in (None, target)
            or exemption.subject not in (None, subject)
        ):
            continue
        first, last = max(exemption.first, month.first_day), min(exemption.last, month.last_day)
        covered = {first + timedelta(days=number) for number in range((last - first).days + 1)}
        if covered and exemption.reason not in reasons:
            reasons.append(exemption.reason)
        days |= covered
    return frozenset(days), "; ".join(reasons)
