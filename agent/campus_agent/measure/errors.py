"""From exceptions to failure kinds, the most specific first; what no rule names is `unknown` with the system's own text."""

import errno
import socket
import ssl

from campus_wire.failures import Failure, FailureKind, Operation, Validity

_BY_ERRNO = {
    errno.ECONNREFUSED: FailureKind.CONNECTION_REFUSED,
    errno.ECONNRESET: FailureKind.CONNECTION_RESET,
    errno.ECONNABORTED: FailureKind.CONNECTION_RESET,
    errno.EPIPE: FailureKind.CONNECTION_RESET,
    errno.EHOSTUNREACH: FailureKind.HOST_UNREACHABLE,
    errno.EHOSTDOWN: FailureKind.HOST_UNREACHABLE,
    errno.ENETUNREACH: FailureKind.NETWORK_UNREACHABLE,
    errno.ENETDOWN: FailureKind.NETWORK_UNREACHABLE,
    errno.EADDRNOTAVAIL: FailureKind.NETWORK_UNREACHABLE,
    errno.ETIMEDOUT: FailureKind.TIMEOUT,
    errno.EACCES: FailureKind.PERMISSION_DENIED,
    errno.EPERM: FailureKind.PERMISSION_DENIED,
}
_NAME_MISSING = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED, openssl/x509_vfy.h
_NOT_YET_VALID = 9  # X509_V_ERR_CERT_NOT_YET_VALID
_WRONG_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

ENDPOINT_AWAY = frozenset(
    {
        FailureKind.CONNECTION_REFUSED,
        FailureKind.HOST_UNREACHABLE,
        FailureKind.NETWORK_UNREACHABLE,
        FailureKind.TIMEOUT,
    }
)
"""While connecting; one that was connected and then fell silent is on, and its name is another matter altogether."""


def kind_of_error(error: BaseException) -> FailureKind:
    """The failure kind of an exception from a socket, the resolver or TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            return FailureKind.CERTIFICATE_EXPIRED
        if error.verify_code == _NOT_YET_VALID:
            return FailureKind.CERTIFICATE_NOT_YET_VALID
        return (
            FailureKind.CERTIFICATE_NAME_MISMATCH
            if error.verify_code in _WRONG_NAME
            else FailureKind.CERTIFICATE_UNTRUSTED
        )
    if isinstance(error, socket.gaierror):
        return FailureKind.NAME_NOT_FOUND if error.errno in _NAME_MISSING else FailureKind.NAME_SERVER_FAILED
    if isinstance(error, TimeoutError):
        return FailureKind.TIMEOUT
    if isinstance(error, ssl.SSLError):  # before the numbers: its errno is OpenSSL's own, 1 is not EPERM
        return FailureKind.TLS_FAILED
    if isinstance(error, ConnectionResetError) and error.errno is None:  # http.client: closed without an answer
        return FailureKind.CONNECTION_RESET
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return _BY_ERRNO[error.errno]
    return FailureKind.UNKNOWN


def failure_of(operation: Operation, error: BaseException) -> Failure:
    """An exception as data: which step, which kind, the system's words."""
    return Failure(operation, kind_of_error(error), str(error)[:300])


def validity_of(failure: Failure) -> Validity:
    """Of a measurement of a line that failed, and so proves nothing of the line."""
    if failure.kind is FailureKind.BUSY:
        return Validity.ENDPOINT_BUSY
    away = failure.kind in ENDPOINT_AWAY and failure.operation is Operation.CONNECT
    return Validity.ENDPOINT_OFF if away else Validity.NOT_MEASURED
