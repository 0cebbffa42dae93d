"""What a month looks like on its way up: the record, its canonical octets, the signature over them. Pure.

The octets of a statement are JSON in UTF-8 with the keys of every object sorted and no blanks: whoever writes the same statement writes the same
octets. A signature (Ed25519) is made over the words of `_DOMAIN`, a line feed, and these octets. Version 1: fields are added, never removed or used
for something else; a receiver leaves fields that it does not know, and keeps the octets as they were signed.
"""

import hashlib
import zlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from campus_collector.area.key import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, is_signed
from campus_collector.domain.area import SchoolDetail, VerdictTotals
from campus_wire.bandwidth import Verdict
from campus_wire.ids import ID_PATTERN
from campus_wire.records import Problem

SCHEMA_VERSION: Literal[1] = 1
MAX_STATEMENT_BYTES = 12 * 1024 * 1024
"""A prefecture of 1500 schools with the verdict of each of its 60 000 classrooms takes 5 MB."""
MAX_HANDED_ON_BYTES = 16 * 1024 * 1024 + 64 * 1024
"""A county's largest statement in base 64, and what the prefecture adds."""
MAX_ENVELOPE_BYTES = 24 * 1024 * 1024
"""The largest statement that is handed on in base 64, and what goes with it."""
MAX_DEPTH = 32
"""Objects and lists within each other; this version needs five. Whatever is accepted must be read again, from any depth of the program's calls."""
MONTH_PATTERN = r"^20\d\d-(0[1-9]|1[0-2])\Z"
HASH_PATTERN = r"^[0-9a-f]{64}\Z"
_DOMAIN = b"campusmeter month 1\n"

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
"""Of counties, schools and targets: a county may have a target that this version does not know."""
MonthName = Annotated[str, Meta(pattern=MONTH_PATTERN)]
Hash = Annotated[str, Meta(pattern=HASH_PATTERN)]
MaybeHash = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
Name = Annotated[str, Meta(max_length=200)]
Text = Annotated[str, Meta(max_length=400)]
Number = Annotated[int, Meta(ge=0, le=10**9)]


class BadStatement(ValueError):
    """Octets that are no statement; says where."""


class SchoolHead(msgspec.Struct, frozen=True):
    """How many results of a school were stored, and the end of their chain."""

    school: Id
    results: Number
    head: Hash


class TownMonth(msgspec.Struct, frozen=True):
    """A town; `id` is "" of schools that belong to none."""

    id: Annotated[str, Meta(max_length=64)]
    name: Name
    schools: Number
    totals: dict[Id, VerdictTotals]


class SchoolMonth(msgspec.Struct, frozen=True):
    """A school, where the county lets it be seen."""

    id: Id
    name: Name
    town: Annotated[str, Meta(max_length=64)]
    totals: dict[Id, VerdictTotals]


class SubjectOfMonth(msgspec.Struct, frozen=True, array_like=True):
    """A published verdict, where the county lets it be seen."""

    target: Id
    school: Id
    subject: Annotated[str, Meta(max_length=200)]
    verdict: Verdict


class ChangedVerdict(msgspec.Struct, frozen=True, array_like=True):
    """A verdict that a correction changes; school and subject are "" where the county does not let them be seen."""

    target: Id
    school: Annotated[str, Meta(max_length=64)]
    subject: Annotated[str, Meta(max_length=200)]
    was: Verdict
    now: Verdict


class IssuedHash(msgspec.Struct, frozen=True, array_like=True):
    """The hash of a document as it was issued."""

    form: Annotated[str, Meta(max_length=10)]
    language: Annotated[str, Meta(max_length=10)]
    sha256: Hash


class MonthBundle(msgspec.Struct, frozen=True, tag_field="kind", tag="month"):
    """A county's closed month (`number` 0), or its nth correction: then `reported_in` is the month whose report names what changed, and why.

    `previous` is the SHA-256 of the statement that this county made before, "" of the first. `heads_before` are the heads of the month closed
    before, `heads` those of this one, both as its report prints them; none where the county does not name its schools.
    """

    schema_version: Literal[1]
    county: Id
    county_name: Name
    month: MonthName
    number: Annotated[int, Meta(ge=0, le=10_000)]
    made_at: Annotated[str, Meta(max_length=40)]
    closed_at: Annotated[str, Meta(max_length=40)]
    previous: MaybeHash
    report_hash: Hash
    documents: Annotated[list[IssuedHash], Meta(max_length=100)]
    archive: MaybeHash
    policy_version: Name
    program_version: Name
    tolerance_ratio: Annotated[float, Meta(ge=0, le=1)]
    required_bits_per_second: dict[Id, float]
    simulated: bool
    detail: SchoolDetail
    schools_total: Number
    totals: dict[Id, VerdictTotals]
    towns: Annotated[list[TownMonth], Meta(max_length=10_000)]
    problems_open: Number
    problems_overdue: Number
    schools: Annotated[list[SchoolMonth], Meta(max_length=100_000)] = []
    verdicts: Annotated[list[SubjectOfMonth], Meta(max_length=2_000_000)] = []
    heads_before: Annotated[list[SchoolHead], Meta(max_length=100_000)] = []
    heads: Annotated[list[SchoolHead], Meta(max_length=100_000)] = []
    reported_in: Annotated[str, Meta(pattern=r"^(20\d\d-(0[1-9]|1[0-2]))?\Z")] = ""
    changed: Annotated[list[ChangedVerdict], Meta(max_length=2_000_000)] = []


class HandedOn(msgspec.Struct, frozen=True, tag_field="kind", tag="handed_on"):
    """A county's bundle that a prefecture hands on unchanged: with the key that the county has there, and which enrolment there it belongs to."""

    schema_version: Literal[1]
    prefecture: Id
    county: Id
    county_name: Name
    series: Annotated[int, Meta(ge=1, le=10_000)]
    received_at: Annotated[str, Meta(max_length=40)]
    statement: bytes
    signature: bytes
    public_key: bytes


class Envelope(msgspec.Struct, frozen=True):
    """What is sent to POST /v1/months: a statement (base 64 of its octets), the signature over it, and the key that signed."""

    schema_version: int
    statement: bytes
    signature: bytes
    public_key: bytes


class MonthReceipt(msgspec.Struct, frozen=True):
    """The level above has it. `stored` is False of what it had already."""

    county: str
    month: str
    number: int
    sha256: str
    stored: bool


class MonthProblem(Problem, frozen=True):
    """Why a month was refused: `type` ends with the reason, `about` is what it is about."""

    about: str = ""


class MemberCode(msgspec.Struct, frozen=True):
    """A county shows its code with its public key; the signature is over the code, so that nobody enrols with another's key."""

    code: Annotated[str, Meta(min_length=1, max_length=40)]
    public_key: bytes
    signature: bytes


class MemberEnrolled(msgspec.Struct, frozen=True):
    """The county's id and name at the level above, and its token, which is shown this once."""

    county: Id
    name: str
    token: str
    area: str = ""


Statement = MonthBundle | HandedOn
_canonical = msgspec.json.Encoder(order="sorted").encode
_statement = msgspec.json.Decoder(Statement).decode


def canonical_bytes(statement: Statement) -> bytes:
    """The octets that are signed: the same statement gives the same octets."""
    return _canonical(msgspec.json.decode(msgspec.json.encode(statement)))


def statement_of(content: bytes) -> Statement:
    """From canonical octets. Raises BadStatement, also for the same statement written in another way."""
    _check_size(content, MAX_HANDED_ON_BYTES)
    try:
        statement: Statement = _statement(content)
        if not isinstance(statement, HandedOn):
            _check_size(content, MAX_STATEMENT_BYTES)
        values = msgspec.json.decode(content)
        if not _is_flat(values):
            raise BadStatement(f"more than {MAX_DEPTH} objects and lists within each other")
        if _canonical(values) != content:
            raise BadStatement("not in canonical form: keys sorted, no blanks, each key once")
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadStatement(str(error)[:300]) from None
    return statement


def _check_size(content: bytes, most: int) -> None:
    if len(content) > most:
        raise BadStatement(f"a statement of {len(content)} bytes; {most} are allowed")


def _is_flat(values: dict[str, object]) -> bool:
    """Are at most MAX_DEPTH objects and lists within each other?"""
    level: list[Any] = [values]
    for _ in range(MAX_DEPTH):
        parts = [value.values() if isinstance(value, dict) else value for value in level]
        level = [inner for part in parts for inner in part if isinstance(inner, dict | list)]
        if not level:
            return True
    return False


def sha256_of(content: bytes) -> str:
    """By which a statement is named, in hex."""
    return hashlib.sha256(content).hexdigest()


def signed_words(content: bytes) -> bytes:
    """What is really signed: no signature for something else can be taken for that of a month."""
    return _DOMAIN + content


def enrolment_words(code: str) -> bytes:
    """What is signed at enrolment; `code` without its groups."""
    return b"campusmeter enrol member 1\n" + code.encode()


def envelope_of(content: bytes) -> Envelope:
    """From JSON. Raises BadStatement; nothing is verified yet."""
    try:
        envelope = msgspec.json.decode(content, type=Envelope)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadStatement(str(error)[:300]) from None
    return envelope


def is_valid(content: bytes, signature: bytes, public_key: bytes) -> bool:
    """Was the statement signed with this key?"""
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    return is_signed(signed_words(content), signature, public_key)


def packed(envelope: Envelope) -> bytes:
    """As an envelope is stored: JSON, compressed."""
    return zlib.compress(msgspec.json.encode(envelope))


def unpacked(stored: bytes) -> Envelope:
    """The envelope that `packed` was given."""
    return msgspec.json.decode(zlib.decompress(stored), type=Envelope)


def month_of_envelope(envelope: Envelope) -> MonthBundle:
    """The county's own bundle, handed on or not. Raises BadStatement."""
    statement = statement_of(envelope.statement)
    inner = statement_of(statement.statement) if isinstance(statement, HandedOn) else statement
    if not isinstance(inner, MonthBundle):
        raise BadStatement("what was handed on is no county's month")
    return inner
