"""What can go wrong with a measurement, in closed vocabularies.

Three different things, each with its own word:

* a `Failure` is data: the network or the device did not do what was asked, at a named operation;
* a `Validity` other than `ok` says that the measurement itself was not sound: kept, shown, never judged;
* a `SkipReason` says why a planned test was not made at all.

New members may be added at any time; a reader that does not know a member reads it as `unknown`.
"""

from enum import StrEnum

import msgspec


class Vocabulary(StrEnum):
    """A closed list of words whose last is `unknown`."""

    @classmethod
    def _missing_(cls, value: object) -> "Vocabulary":
        """A word of a newer version reads as `unknown`: its result is kept, and the bytes keep the word."""
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a word of {cls.__name__}")
        return cls["UNKNOWN"]


class Operation(Vocabulary):
    """During which step did it fail?"""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    AUTHENTICATE = "authenticate"
    REQUEST = "request"
    READ = "read"
    TRANSFER = "transfer"
    PREPARE = "prepare"
    UNKNOWN = "unknown"


class FailureKind(Vocabulary):
    """How did it fail? The most specific member that is certain."""

    NAME_NOT_FOUND = "name_not_found"
    NAME_SERVER_FAILED = "name_server_failed"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    HOST_UNREACHABLE = "host_unreachable"
    NETWORK_UNREACHABLE = "network_unreachable"
    TIMEOUT = "timeout"
    BUSY = "busy"
    NOT_AUTHORISED = "not_authorised"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_NAME_MISMATCH = "certificate_name_mismatch"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    TLS_FAILED = "tls_failed"
    HTTP_STATUS = "http_status"
    INTERCEPTED = "intercepted"
    PROTOCOL_ERROR = "protocol_error"
    PERMISSION_DENIED = "permission_denied"
    TOOL_MISSING = "tool_missing"
    NOT_CONFIGURED = "not_configured"
    WORKER_DIED = "worker_died"
    UNKNOWN = "unknown"


class Validity(Vocabulary):
    """Was the measurement itself sound? Only `ok` is judged."""

    OK = "ok"
    ENDPOINT_OFF = "endpoint_off"
    ENDPOINT_BUSY = "endpoint_busy"
    CROSS_TRAFFIC = "cross_traffic"
    GATEWAY_CPU = "gateway_cpu"
    GATEWAY_LIMIT = "gateway_limit"
    ENDPOINT_LIMIT = "endpoint_limit"
    CLOCK_UNTRUSTED = "clock_untrusted"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not_measured"
    UNKNOWN = "unknown"


class SkipReason(Vocabulary):
    """Why was a planned test not made?"""

    LESSON = "lesson"
    BLACKOUT = "blackout"
    HOLIDAY = "holiday"
    BYTE_BUDGET = "byte_budget"
    CROSS_TRAFFIC = "cross_traffic"
    GATEWAY_CPU = "gateway_cpu"
    SEGMENT_BUSY = "segment_busy"
    NO_SLOT = "no_slot"
    ENDPOINT_OFF = "endpoint_off"
    STOPPING = "stopping"
    UNKNOWN = "unknown"


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A failed step: which, how, and a short detail for a technician (scrubbed of secrets, at most 300 characters)."""

    operation: Operation
    kind: FailureKind
    detail: str = ""
