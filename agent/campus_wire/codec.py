"""Bytes to records and back, with one clear error.

A batch is decoded in two steps: the envelope, then each result on its own. The bytes of a result are kept as they came, so
fields that this version does not know survive storage and export unchanged.
"""

import zlib
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec

from campus_wire import SCHEMA_VERSION
from campus_wire.records import AnyResult, Envelope, Receipt, Result

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Largest body, after decompression: a batch of 500 results with full interval series is below 3 MiB."""
MAX_BATCH_RESULTS = 1000
MAX_PART_BYTES = 512 * 1024
"""The largest announcement or agent's state: a thousand classrooms with long names."""

T = TypeVar("T")


class WireError(ValueError):
    """Bytes that break the contract: `code` for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code beside the message."""
        super().__init__(message)
        self.code = code


class TooLarge(WireError):
    """More bytes or results than the contract allows."""


_encoder = msgspec.json.Encoder()
_envelope_decoder = msgspec.json.Decoder(Envelope)


class _Version(msgspec.Struct):
    schema_version: int


_version_decoder = msgspec.json.Decoder(_Version)
_result_decoder: msgspec.json.Decoder[AnyResult] = msgspec.json.Decoder(AnyResult)
_receipt_decoder = msgspec.json.Decoder(Receipt)


def encode_result(result: Result) -> bytes:
    """One result as compact JSON."""
    return _encoder.encode(result)


def decode_result(raw: bytes | msgspec.Raw) -> AnyResult:
    """One result from JSON. Raises WireError naming the place."""
    return _decode(_result_decoder, raw, "invalid_result")


def encode_envelope(envelope: Envelope) -> bytes:
    """A batch as compact JSON; results are inserted byte for byte."""
    return _encoder.encode(envelope)


def decode_envelope(body: bytes) -> Envelope:
    """The envelope of a batch, its results still raw. Raises WireError: TooLarge, or with code `schema_version`."""
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge("body_too_large", f"body of {len(body)} bytes is larger than {MAX_BODY_BYTES} bytes")
    _check_bounds(body)
    return _decode(_envelope_decoder, body, "invalid_envelope")


def _check_bounds(body: bytes) -> None:
    """Raises WireError for another version, TooLarge before anything is decoded that grows with the number of its elements."""
    try:
        bounds = _decode(_bounds_decoder(), body, "invalid_envelope")
    except WireError as error:
        # another version may differ in every other field
        _check_version(_decode(_version_decoder, body, "invalid_envelope").schema_version)
        if "at most length" in str(error):
            raise TooLarge("too_many_results", f"more than {MAX_BATCH_RESULTS} results in one batch") from None
        raise
    _check_version(bounds.schema_version)
    for name, part in (("agent", bounds.agent), ("announcement", bounds.announcement)):
        if len(memoryview(part)) > MAX_PART_BYTES:
            raise TooLarge("body_too_large", f"{name} is larger than {MAX_PART_BYTES} bytes")


def _check_version(version: int) -> None:
    if version != SCHEMA_VERSION:
        text = f"schema_version {version} is not supported; this side speaks {SCHEMA_VERSION}"
        raise WireError("schema_version", text)


@cache
def _bounds_decoder() -> msgspec.json.Decoder[Any]:
    """Reads the version, the parts that hold lists of their own as they came, and `results` as an array of so many at most.

    It stops at the first result that is too much, before millions of small ones are in memory. Made when first used: an agent never does.
    """
    results = [(f"at_{index}", msgspec.Raw, msgspec.Raw()) for index in range(MAX_BATCH_RESULTS)]
    bounded = msgspec.defstruct("_BoundedResults", results, array_like=True, forbid_unknown_fields=True)
    parts = [(name, msgspec.Raw, msgspec.Raw()) for name in ("agent", "announcement")]
    return msgspec.json.Decoder(
        msgspec.defstruct("_Bounds", [("schema_version", int), ("results", bounded, None), *parts])
    )


def encode_receipt(receipt: Receipt) -> bytes:
    """The collector's answer as JSON."""
    return _encoder.encode(receipt)


def decode_receipt(body: bytes) -> Receipt:
    """The collector's answer from JSON. Raises WireError."""
    return _decode(_receipt_decoder, body, "invalid_receipt")


def compress(body: bytes) -> bytes:
    """gzip, as sent with `Content-Encoding: gzip`."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def decompress(body: bytes, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Undo `compress`, never holding more than the limit. Raises WireError; TooLarge for a compressed bomb."""
    unpacker = zlib.decompressobj(31)
    try:
        plain = unpacker.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise WireError("invalid_gzip", f"body is not valid gzip: {error}") from None
    if len(plain) > limit_bytes:
        raise TooLarge("body_too_large", f"body grows beyond {limit_bytes} bytes when decompressed")
    if not unpacker.eof:
        raise WireError("invalid_gzip", "body is not valid gzip: it ends too early")
    if unpacker.unused_data:
        raise WireError("invalid_gzip", "body is not valid gzip: something follows its end")
    return plain


def utc(moment: datetime) -> datetime:
    """The same moment in UTC, as all times travel."""
    return moment.astimezone(UTC)


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw, code: str) -> T:
    try:
        return decoder.decode(raw)
    except UnicodeDecodeError:
        raise WireError(code, "text is not valid UTF-8") from None
    except msgspec.MsgspecError as error:
        raise WireError(code, str(error)) from None
    except RecursionError:  # msgspec stops at the interpreter's depth, well before the stack ends
        raise WireError("too_deep", "nested too deeply") from None
