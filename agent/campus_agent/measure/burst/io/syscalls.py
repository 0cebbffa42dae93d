"""What sendmmsg(2) and recvmmsg(2) need: their structures (64-bit Linux), the functions, and socket addresses as the kernel has them."""

import ctypes
import socket
import struct
import sys
from typing import Any

Address = tuple[Any, ...]
ADDRESS_BYTES = 28
"""Room for the larger one, sockaddr_in6."""
_FAMILY = struct.Struct("@H")
_IPV4 = struct.Struct("!H4s")
_IPV6 = struct.Struct("!HI16s")
_SCOPE = struct.Struct("@I")


class IoVector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class MessageHeader(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint),
        ("vectors", ctypes.POINTER(IoVector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class MultiMessageHeader(ctypes.Structure):
    """struct mmsghdr: `length` is what was sent or received."""

    _fields_ = (("header", MessageHeader), ("length", ctypes.c_uint))


def send_many() -> Any:
    """sendmmsg, or None where there is none."""
    function = _function("sendmmsg")
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    return function


def receive_many() -> Any:
    """recvmmsg, or None where there is none."""
    function = _function("recvmmsg")
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    return function


def pack_address(family: socket.AddressFamily, address: Address) -> bytes:
    """An address as sockaddr_in or sockaddr_in6."""
    host, port, *rest = address
    if family == socket.AF_INET6:
        flow, scope = (*rest, 0, 0)[:2]
        packed = socket.inet_pton(family, str(host).partition("%")[0])
        return _FAMILY.pack(family) + _IPV6.pack(port, flow, packed) + _SCOPE.pack(scope)
    return _FAMILY.pack(family) + _IPV4.pack(port, socket.inet_aton(host)) + bytes(8)


def unpack_address(name: bytes) -> Address | None:
    """The address in `ADDRESS_BYTES` bytes, as Python's sockets have it but for a zone in the text; None for another family."""
    (family,) = _FAMILY.unpack_from(name)
    if family == socket.AF_INET:
        port, packed = _IPV4.unpack_from(name, _FAMILY.size)
        return socket.inet_ntoa(packed), port
    if family == socket.AF_INET6:
        port, flow, packed = _IPV6.unpack_from(name, _FAMILY.size)
        (scope,) = _SCOPE.unpack_from(name, _FAMILY.size + _IPV6.size)
        return socket.inet_ntop(socket.AF_INET6, packed), port, flow, scope
    return None


def _function(name: str) -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_int
    return function
