"""Keeps a result within the bounds of the wire: what a device says may be longer than any record allows, and the collector would refuse all of it.

Texts and lists that are too long are cut, entries with a name that the wire does not know are left out. What is still invalid becomes a failed
result, so that the other results of its batch are stored.
"""

import logging
import re
from typing import Any

import msgspec

from campus_wire.codec import WireError, decode_result, encode_result
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import AnyResult, Result, kind_of

log = logging.getLogger(__name__)
MAX_DETAIL = 300


def encode_within_bounds(result: AnyResult) -> bytes:
    """The bytes of a result that the collector can read."""
    try:
        body = encode_result(result)
        decode_result(body)
        return body
    except (WireError, ValueError, TypeError) as error:
        return _encode_trimmed(result, error)


def _encode_trimmed(result: AnyResult, why: Exception) -> bytes:
    trimmed = _trimmed(msgspec.to_builtins(result), type(result))
    try:
        body = msgspec.json.encode(trimmed)
        decode_result(body)
        log.warning("a result was cut to the bounds of the wire", extra={"subject": result.subject, "reason": str(why)})
        return body
    except (WireError, ValueError, TypeError) as error:
        reason = str(error)
    log.error("a result could not be made sound", extra={"subject": result.subject, "reason": reason})
    failure = Failure(
        Operation.UNKNOWN, FailureKind.UNKNOWN, f"internal error: {kind_of(result)}: {reason}"[:MAX_DETAIL]
    )
    changes: dict[str, Any] = {"record": None, "failure": failure, "validity": Validity.NOT_MEASURED, "detail": ""}
    return encode_result(msgspec.structs.replace(result, **changes))


def _trimmed(values: dict[str, Any], kind: type[Result]) -> Any:
    """The same within the bounds that its type declares for texts, lists and names."""
    from msgspec import inspect  # only for what is out of bounds: the resident agent does without

    return _within(values, inspect.type_info(kind), inspect)


def _within(value: Any, kind: Any, inspect: Any) -> Any:
    if isinstance(kind, inspect.UnionType):
        kind = next((member for member in kind.types if _takes(member, value, inspect)), kind)
    if isinstance(value, str):
        text = value.encode("utf-8", "replace").decode()
        return text[: getattr(kind, "max_length", None)]
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        fields = {field.encode_name: field.type for field in kind.fields}
        return {key: _within(item, fields[key], inspect) if key in fields else item for key, item in value.items()}
    if isinstance(kind, inspect.DictType) and isinstance(value, dict):
        names = [key for key in value if _is_valid(key, kind.key_type)]
        return {key: _within(value[key], kind.value_type, inspect) for key in names[: kind.max_length]}
    if isinstance(kind, inspect.ListType) and isinstance(value, list):
        return [_within(item, kind.item_type, inspect) for item in value[: kind.max_length]]
    return value


def _takes(kind: Any, value: Any, inspect: Any) -> bool:
    """Is this the member of a union that the value belongs to?"""
    kinds: dict[type, tuple[Any, ...]] = {
        str: (inspect.StrType, inspect.EnumType, inspect.LiteralType, inspect.DateTimeType),
        dict: (inspect.StructType, inspect.DictType),
        list: (inspect.ListType,),
    }
    return isinstance(kind, kinds.get(type(value), ()))


def _is_valid(key: str, kind: Any) -> bool:
    pattern, longest = getattr(kind, "pattern", None), getattr(kind, "max_length", None)
    return (pattern is None or re.search(pattern, key) is not None) and (longest is None or len(key) <= longest)
