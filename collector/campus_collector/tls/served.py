"""The collector's certificate as it is served: read again when its files change, and known by when it ends."""

import logging
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from cryptography import x509

from campus_collector.domain.server_tls import server_context

log = logging.getLogger(__name__)

CHECK_SECONDS = 10.0
"""The files are looked at no more often."""
WARN_BEFORE = timedelta(days=30)
_Stamp = tuple[tuple[int, int, int], ...]


class ServedCertificate:
    """Certificate, key and private authority of `[server]`; a renewed pair is served from the next connection on."""

    def __init__(self, cert: Path, key: Path, ca: Path | None = None) -> None:
        """Raises OSError, ValueError when the pair cannot be used."""
        self._cert, self._key, self._ca = cert, key, ca
        self._lock = threading.Lock()
        self._checked_at = monotonic()
        self._stamp = self._stamp_now()
        self._context = self._load()
        self._expires_at = self._read_end()

    def context(self) -> ssl.SSLContext:
        """The context for a new connection. A pair that cannot be read keeps the one before it, with one line in the log."""
        self._reload_if_changed()
        return self._context

    def expires_at(self) -> datetime:
        """When the served certificate ends, or its private authority if that is earlier."""
        self._reload_if_changed()
        return self._expires_at

    def _reload_if_changed(self) -> None:
        with self._lock:
            if monotonic() - self._checked_at < CHECK_SECONDS:
                return
            self._checked_at = monotonic()
            stamp = self._stamp_now()
            if stamp == self._stamp:
                return
            try:
                self._context, self._expires_at = self._load(), self._read_end()
            except (OSError, ValueError) as error:
                if stamp != ():  # half of a pair may have been written: it is tried again
                    log.warning(
                        "renewed certificate not taken yet", extra={"file": str(self._cert), "error": str(error)}
                    )
                return
            self._stamp = stamp
            log.info("renewed certificate is served", extra={"expires_at": self._expires_at.isoformat()})

    def _load(self) -> ssl.SSLContext:
        return server_context(self._cert, self._key)

    def _read_end(self) -> datetime:
        return certificate_end(self._cert, self._ca)

    def _stamp_now(self) -> _Stamp:
        try:
            states = [path.stat() for path in (self._cert, self._key)]
        except OSError:
            return ()
        return tuple((state.st_mtime_ns, state.st_ino, state.st_size) for state in states)


def certificate_end(cert: Path, ca: Path | None = None) -> datetime:
    """When the first certificate of a file ends, or the private authority that signed it if that is earlier. Raises OSError, ValueError."""
    ends = [x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc]
    if ca is not None:
        ends.append(x509.load_pem_x509_certificate(ca.read_bytes()).not_valid_after_utc)
    return min(ends)


def ends_soon(expires_at: datetime, now: datetime | None = None) -> bool:
    """Is it time to renew: within 30 days, or past?"""
    return expires_at - (now or datetime.now(UTC)) < WARN_BEFORE
