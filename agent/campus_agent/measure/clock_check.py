"""Is it the certificate, or this gateway's clock? A certificate refused for its dates is requested once more, for the other side's time.

The second handshake proves authority and name as the first, and leaves out only the dates; the time is the `Date` of the answer.
"""

import contextlib
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

NOT_YET_VALID, EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED; openssl/x509_vfy.h
TOLERATED_SECONDS = 300.0
"""Clocks that agree so far are no reason for a certificate to be refused."""
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, openssl/x509_vfy.h
_MAX_HEAD_BYTES = 16_384


def refused_for_its_dates(error: BaseException) -> bool:
    """Was a certificate refused because it is not valid yet, or not any more?"""
    return isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in (NOT_YET_VALID, EXPIRED)


def their_time(plain: socket.socket, host: str, ca_file: str | None) -> datetime | None:
    """The other side's time, over a connection that is closed afterwards; None when its answer has none."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags |= _NO_CHECK_TIME
    with plain, contextlib.suppress(OSError, ValueError, TypeError, IndexError):
        with context.wrap_socket(plain, server_hostname=host) as line:
            name = f"[{host}]" if ":" in host else host
            line.sendall(f"HEAD / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode("ascii"))
            head = b""
            while b"\r\n\r\n" not in head and len(head) < _MAX_HEAD_BYTES:
                part = line.recv(4096)
                if not part:
                    break
                head += part
        for text in head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = text.partition(":")
            if name.strip().lower() == "date":
                moment = parsedate_to_datetime(value.strip())
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def clock_fault(error: ssl.SSLCertVerificationError, theirs: datetime | None, now: datetime) -> str | None:
    """Why the gateway's clock is the cause, for a technician; None when it is not.

    No authority dates a certificate into the future: one that is not valid yet is told from the clock alone.
    """
    apart = None if theirs is None else abs((theirs - now).total_seconds())
    other = "" if theirs is None else f", by the other side's {theirs.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if error.verify_code == NOT_YET_VALID or (apart is not None and apart > TOLERATED_SECONDS):
        return f"by this gateway's clock it is {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC{other}"
    return None
