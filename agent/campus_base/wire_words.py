"""What the closed vocabularies of campus_wire are called, in both languages."""

from campus_base.messages import Message, message, pmessage
from campus_wire.bandwidth import Verdict
from campus_wire.failures import FailureKind, Operation, SkipReason, Validity

OPERATION_WORDS: dict[Operation, Message] = {
    Operation.RESOLVE: message("resolving the name"),
    Operation.CONNECT: message("connecting"),
    Operation.TLS: message("TLS handshake"),
    Operation.AUTHENTICATE: message("authenticating"),
    Operation.REQUEST: message("sending the request"),
    Operation.READ: message("reading the answer"),
    Operation.TRANSFER: message("transferring test data"),
    Operation.PREPARE: message("preparing the test"),
    Operation.UNKNOWN: message("unknown step"),
}

FAILURE_WORDS: dict[FailureKind, Message] = {
    FailureKind.NAME_NOT_FOUND: message("the name does not exist"),
    FailureKind.NAME_SERVER_FAILED: message("the name server did not answer"),
    FailureKind.CONNECTION_REFUSED: message("connection refused: the host is up, the service is not running"),
    FailureKind.CONNECTION_RESET: message("connection reset by the other side"),
    FailureKind.HOST_UNREACHABLE: message("host unreachable: switched off or unplugged"),
    FailureKind.NETWORK_UNREACHABLE: message("network unreachable: no route"),
    FailureKind.TIMEOUT: message("no answer in time"),
    FailureKind.BUSY: message("the endpoint is busy with another test"),
    FailureKind.NOT_AUTHORISED: message("not authorised"),
    FailureKind.CERTIFICATE_EXPIRED: message("the certificate has expired"),
    FailureKind.CERTIFICATE_NOT_YET_VALID: message("the certificate is not valid yet by this gateway's clock"),
    FailureKind.CERTIFICATE_NAME_MISMATCH: message("the certificate is for another name"),
    FailureKind.CERTIFICATE_UNTRUSTED: message("the certificate is not trusted"),
    FailureKind.TLS_FAILED: message("TLS handshake failed"),
    FailureKind.HTTP_STATUS: message("the server answered with an error status"),
    FailureKind.INTERCEPTED: message("something else than the platform answered (a log-in page of the network?)"),
    FailureKind.PROTOCOL_ERROR: message("the answer was not understood"),
    FailureKind.PERMISSION_DENIED: message("the gateway lacks a permission"),
    FailureKind.NOT_CONFIGURED: message("a file or a setting is missing on the gateway"),
    FailureKind.TOOL_MISSING: message("a program or library is missing on the gateway"),
    FailureKind.WORKER_DIED: message("the measuring process died"),
    FailureKind.UNKNOWN: message("unknown cause"),
}

VALIDITY_WORDS: dict[Validity, Message] = {
    Validity.OK: message("valid"),
    Validity.ENDPOINT_OFF: message("endpoint switched off or not reachable"),
    Validity.ENDPOINT_BUSY: message("endpoint busy"),
    Validity.CROSS_TRAFFIC: message("other traffic was too high during the test"),
    Validity.GATEWAY_CPU: message("the gateway's CPU was too busy during the test"),
    Validity.GATEWAY_LIMIT: message("the gateway itself was the limit, not the line"),
    Validity.ENDPOINT_LIMIT: message("the endpoint itself was the limit, not the line"),
    Validity.CLOCK_UNTRUSTED: message("the gateway's clock cannot be trusted"),
    Validity.INCONCLUSIVE: message("no sure verdict was possible"),
    Validity.NOT_MEASURED: message("could not be measured"),
    Validity.UNKNOWN: message("not valid (unknown reason)"),
}

SKIP_WORDS: dict[SkipReason, Message] = {
    SkipReason.LESSON: message("a lesson is going on"),
    SkipReason.BLACKOUT: message("blackout day: no active test"),
    SkipReason.HOLIDAY: message("holiday"),
    SkipReason.BYTE_BUDGET: message("the day's byte budget is used up"),
    SkipReason.CROSS_TRAFFIC: message("the segment is busy"),
    SkipReason.GATEWAY_CPU: message("the gateway is busy"),
    SkipReason.SEGMENT_BUSY: message("another test is running on the segment"),
    SkipReason.NO_SLOT: message("the test server has no free slot"),
    SkipReason.ENDPOINT_OFF: message("the endpoint is switched off"),
    SkipReason.STOPPING: message("the agent is stopping"),
    SkipReason.UNKNOWN: message("unknown reason"),
}

VERDICT_WORDS: dict[Verdict, Message] = {
    Verdict.MET: message("met"),
    Verdict.NOT_MET: message("not met"),
    Verdict.INSUFFICIENT: message("insufficient data"),
    Verdict.EXEMPT: message("exempt"),
}

RESULT_WORDS: dict[Verdict, Message] = {
    Verdict.MET: pmessage("result", "met"),
    Verdict.NOT_MET: pmessage("result", "not met"),
    Verdict.INSUFFICIENT: pmessage("result", "insufficient data"),
    Verdict.EXEMPT: message("exempt"),
}
"""Of one result: in Chinese a result is 合格, a subject in a month is 达标."""
