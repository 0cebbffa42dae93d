"""Is there such a school, such a town? For commands and requests that name it."""

from campus_base.messages import Message, message
from campus_base.text import printable_line
from campus_collector.domain.days import EPOCH
from campus_collector.domain.schools import School
from campus_collector.store.store import Store

MOST_SHOWN_LETTERS = 64


def look_up(store: Store, school: str | None, town: str | None) -> tuple[School | None, Message | None]:
    """The school asked for, and what of both is not known, in words. Removed schools and their towns are known."""
    if not school and not town:
        return None, None
    schools = store.schools.all(EPOCH)
    if town and all(known.town != town for known in schools):
        return None, _unknown(message("No such town"), town)
    named = next((known for known in schools if known.id == school), None)
    return named, no_such_school(school) if school and named is None else None


def no_such_school(school: str) -> Message:
    return _unknown(message("No such school"), school)


def _unknown(what: Message, given: str) -> Message:
    shown = printable_line(given, MOST_SHOWN_LETTERS)
    return message("{what}: {shown}", what=what, shown=shown)
