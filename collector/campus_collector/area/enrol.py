"""Enrolment: a county shows the code that the level above gave it, with its public key, and gets its token; both sides."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from campus_base.files import check_writable, write_whole
from campus_base.messages import Message, message, verbatim
from campus_base.system_errors import error_words
from campus_collector.area.bundle import MemberCode, MemberEnrolled, enrolment_words
from campus_collector.area.connection import NoAnswer, decoded, post
from campus_collector.area.key import NoSigningKey, SigningKey, is_signed
from campus_collector.domain.area import AreaMember, Upstream
from campus_collector.domain.enrolment_codes import code_hash, plain
from campus_collector.domain.tokens import token_hash
from campus_collector.store.store import Store
from campus_wire.records import Problem

PATH = "/v1/months/enroll"
_BY_STATUS = {
    403: message("the code is unknown, used or expired: ask the level above for a new one"),
    404: message("the level above takes no months at this address: check [upstream] url"),
    429: message("too many wrong codes: try again later"),
}


class NotEnrolled(Exception):
    """It did not work; says why."""

    def __init__(self, words: Message) -> None:
        super().__init__(words.en)
        self.words = words


def enrol_above(
    store: Store,
    key: SigningKey,
    code: str,
    url: str,
    token_file: Path,
    ca_file: Path | None,
    now: Callable[[], datetime],
) -> MemberEnrolled:
    """Spend the code, keep the token in its file. What could fail here is tried before the code is used. Raises NotEnrolled, StoreUnavailable."""
    letters = plain(code)
    if letters is None:
        raise NotEnrolled(message("this is no code: twelve letters and digits in groups of four"))
    try:
        check_writable(token_file)
        key.make()
        asked = MemberCode(letters, key.public_key(), key.sign(enrolment_words(letters)))
    except OSError as error:
        words = message("{file}: {reason}; the code was not used", file=token_file, reason=error_words(error))
        raise NotEnrolled(words) from None
    except NoSigningKey as error:
        raise NotEnrolled(verbatim(str(error))) from None
    try:
        answer = post(url, PATH, msgspec.json.encode(asked), ca_file)
    except NoAnswer as error:
        raise NotEnrolled(error.words) from None
    if answer.status != 201:
        raise NotEnrolled(_BY_STATUS.get(answer.status, verbatim(_title(answer.status, answer.body))))
    enrolled = decoded(answer.body, MemberEnrolled)
    if enrolled is None:
        raise NotEnrolled(message("the answer was not understood ({error})", error=f"HTTP {answer.status}"))
    try:
        write_whole(token_file, enrolled.token.encode() + b"\n", 0o600)
    except OSError as error:
        words = message(
            "{file}: {reason}; the code is used: ask for a new one", file=token_file, reason=error_words(error)
        )
        raise NotEnrolled(words) from None
    store.outgoing.enrolled(Upstream(enrolled.county, url, now()))
    return enrolled


def redeem(store: Store, asked: MemberCode, token: str, now: datetime) -> AreaMember | None:
    """The member whose code this is, with its key; None for a code that is not good, or a key that its sender does not have. Raises StoreUnavailable."""
    letters = plain(asked.code)
    if letters is None or not is_signed(enrolment_words(letters), asked.signature, asked.public_key):
        return None
    return store.area.redeem_code(code_hash(letters), token_hash(token), asked.public_key, now)


def _title(status: int, body: bytes) -> str:
    problem = decoded(body, Problem)
    return f"HTTP {status}" + (f": {problem.title[:200]}" if problem is not None else "")
