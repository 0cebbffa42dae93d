"""The words of the operating system for what went wrong, in the reader's language."""

import errno
import os
import socket

from campus_base.messages import Message, bilingual, message, verbatim

_BY_NUMBER = {
    errno.EPERM: message("Operation not permitted"),
    errno.ENOENT: message("No such file or directory"),
    errno.EIO: message("Input/output error"),
    errno.ENXIO: message("No such device or address"),
    errno.EBADF: message("Bad file descriptor"),
    errno.EAGAIN: message("Resource temporarily unavailable"),
    errno.ENOMEM: message("Cannot allocate memory"),
    errno.EACCES: message("Permission denied"),
    errno.EBUSY: message("Device or resource busy"),
    errno.EEXIST: message("File exists"),
    errno.EXDEV: message("Invalid cross-device link"),
    errno.ENODEV: message("No such device"),
    errno.ENOTDIR: message("Not a directory"),
    errno.EISDIR: message("Is a directory"),
    errno.EINVAL: message("Invalid argument"),
    errno.ENFILE: message("Too many open files in system"),
    errno.EMFILE: message("Too many open files"),
    errno.EFBIG: message("File too large"),
    errno.ENOSPC: message("No space left on device"),
    errno.EROFS: message("Read-only file system"),
    errno.EPIPE: message("Broken pipe"),
    errno.ENAMETOOLONG: message("File name too long"),
    errno.ENOLCK: message("No locks available"),
    errno.ENOTEMPTY: message("Directory not empty"),
    errno.ELOOP: message("Too many levels of symbolic links"),
    errno.EMSGSIZE: message("Message too long"),
    errno.EOPNOTSUPP: message("Operation not supported"),
    errno.EAFNOSUPPORT: message("Address family not supported by protocol"),
    errno.EADDRINUSE: message("Address already in use"),
    errno.EADDRNOTAVAIL: message("Cannot assign requested address"),
    errno.ENETDOWN: message("Network is down"),
    errno.ENETUNREACH: message("Network is unreachable"),
    errno.ECONNABORTED: message("Software caused connection abort"),
    errno.ECONNRESET: message("Connection reset by peer"),
    errno.ENOBUFS: message("No buffer space available"),
    errno.ETIMEDOUT: message("Connection timed out"),
    errno.ECONNREFUSED: message("Connection refused"),
    errno.EHOSTDOWN: message("Host is down"),
    errno.EHOSTUNREACH: message("No route to host"),
    errno.EDQUOT: message("Disk quota exceeded"),
}
_BY_NAME_LOOKUP = {
    socket.EAI_NONAME: message("Name or service not known"),
    socket.EAI_NODATA: message("No address associated with hostname"),
    socket.EAI_AGAIN: message("Temporary failure in name resolution"),
    socket.EAI_FAIL: message("Non-recoverable failure in name resolution"),
}
_TIMED_OUT = message("timed out")
_BY_TEXT = {
    text.template: text
    for text in (
        message("database is locked"),
        message("unable to open database file"),
        message("attempt to write a readonly database"),
        message("disk I/O error"),
        message("database or disk is full"),
        message("database disk image is malformed"),
        message("file is not a database"),
    )
}
"""SQLite's own (https://www.sqlite.org/src/file/src/main.c, sqlite3ErrStr)."""


def error_words(error: BaseException) -> Message:
    """Why something failed: an error's own message where it has one, else the system's words; what has no translation stays English."""
    text = getattr(error, "text", None)
    if isinstance(text, Message):
        return text
    if isinstance(error, socket.gaierror):
        return _BY_NAME_LOOKUP.get(error.errno or 0, verbatim(error.strerror or str(error)))
    if isinstance(error, OSError):
        if error.errno is None and isinstance(error, TimeoutError):
            return _TIMED_OUT
        return _numbered(error.errno or 0, error.strerror or str(error))
    return _BY_TEXT.get(str(error), verbatim(str(error)))


def _numbered(number: int, shown: str) -> Message:
    """A library's numbers are its own (OpenSSL's 1 is not EPERM), and some add to the system's words: an address, a port."""
    words, system = _BY_NUMBER.get(number), os.strerror(number)
    if words is None or system.lower() not in shown.lower():
        return verbatim(shown)
    return words if shown == system else bilingual(shown, f"{words.zh} ({shown})")


def errno_words(number: int) -> Message:
    """The system's words for an error number."""
    return error_words(OSError(number, os.strerror(number)))
