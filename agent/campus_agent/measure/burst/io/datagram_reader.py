"""Take datagrams from the kernel, many in one call: recvmmsg(2) on 64-bit Linux, a loop of recvmsg elsewhere.

Only the headers are copied, the filler stays in the kernel. Measured on 2 cores at 1 Gbit/s: a call each takes 7 microseconds a packet, more
than half a core; many in one call 2. So a slow gateway keeps up for longer, and a fast one leaves the core to the sender.
"""

import ctypes
import errno
import os
import socket
import struct
from typing import NamedTuple, Protocol

from campus_agent.measure.burst.io.syscalls import (
    ADDRESS_BYTES,
    Address,
    IoVector,
    MultiMessageHeader,
    receive_many,
    unpack_address,
)
from campus_agent.measure.burst.protocol.datagram import HEADER_BYTES, Datagram, unpack
from campus_agent.measure.link import timestamps

_BATCH = 64
_BUFFER_BYTES = 65_536
_CONTROL_BYTES = 64
_NOTHING = (errno.EAGAIN, errno.ECONNREFUSED, errno.EMSGSIZE)
"""The last two are what became of packets sent before, not of what comes in; a sender gets them by itself."""
_DONT_WAIT_TRUNC = socket.MSG_DONTWAIT | socket.MSG_TRUNC  # MSG_TRUNC: return the real length of a datagram that is cut
_RESULT = struct.Struct("@40xNi4xI4x")
"""Of a `MultiMessageHeader` after the call: bytes of control data, flags, bytes of the datagram."""
_CONTROL = struct.Struct("@NiillNiiI12x")
"""SO_TIMESTAMPNS first, then, once something was thrown away, SO_RXQ_OVFL: the order of the kernel (net/socket.c)."""
_STAMPED_BYTES, _COUNTED_BYTES = 32, 52


class Arrival(NamedTuple):
    """One datagram of the protocol: from whom, and the wall clock's nanoseconds when the kernel received it, if given."""

    datagram: Datagram
    address: Address
    wall_ns: int | None


class DatagramReader(Protocol):
    """What is here already. `drops` is how many the full receive buffer has thrown away, `malformed` how many were no packets of this protocol."""

    drops: int
    malformed: int

    def take(self) -> list[Arrival]:
        """What is here, in the order of arrival, at most some dozens; empty when there is nothing."""


class SingleReader:
    def __init__(self, sock: socket.socket) -> None:
        """`sock` is non-blocking and prepared."""
        self.drops = self.malformed = 0
        self._socket = sock
        self._buffer = bytearray(_BUFFER_BYTES)
        self._buffers = [self._buffer]

    def take(self) -> list[Arrival]:
        arrivals: list[Arrival] = []
        for _ in range(_BATCH):
            try:
                size, ancillary, _, address = self._socket.recvmsg_into(self._buffers, timestamps.ANCILLARY_BYTES)
            except OSError as error:
                if error.errno not in _NOTHING:
                    raise
                break
            datagram = unpack(self._buffer, size)
            stamp, drops = timestamps.read(ancillary)
            if drops is not None:
                self.drops = drops
            if datagram is None:
                self.malformed += 1
            else:
                arrivals.append(Arrival(datagram, address, stamp))
        return arrivals


class BulkReader:
    """All that is here in one call, into buffers made once."""

    def __init__(self, sock: socket.socket) -> None:
        """`sock` is non-blocking and prepared."""
        self.drops = self.malformed = 0
        self._descriptor = sock.fileno
        self._receive = receive_many()
        self._headers = bytearray(_BATCH * HEADER_BYTES)
        self._control = bytearray(_BATCH * _CONTROL_BYTES)
        self._names = bytearray(_BATCH * ADDRESS_BYTES)
        self._messages = (MultiMessageHeader * _BATCH)()
        starts = [
            ctypes.addressof((ctypes.c_char * len(area)).from_buffer(area))
            for area in (self._headers, self._control, self._names)
        ]
        self._vectors = (IoVector * _BATCH)()
        for index, message in enumerate(self._messages):
            self._vectors[index] = IoVector(starts[0] + index * HEADER_BYTES, HEADER_BYTES)
            message.header.vectors = ctypes.pointer(self._vectors[index])
            message.header.vector_count = 1
            message.header.control = starts[1] + index * _CONTROL_BYTES
            message.header.control_size = _CONTROL_BYTES
            message.header.name = starts[2] + index * ADDRESS_BYTES
            message.header.name_size = ADDRESS_BYTES
        self._fresh = bytes(self._messages)  # the kernel writes into the lengths: they are set back before each call
        self._result = memoryview(self._messages).cast("B")
        self._used = 0
        self._last = (b"", ("", 0))

    def take(self) -> list[Arrival]:
        """As `DatagramReader.take`. Raises OSError for what is no matter of the network."""
        ctypes.memmove(self._messages, self._fresh, self._used * ctypes.sizeof(MultiMessageHeader))
        count = self._receive(self._descriptor(), self._messages, _BATCH, _DONT_WAIT_TRUNC, None)
        if count < 0:
            self._used = 0
            code = ctypes.get_errno()
            if code in _NOTHING:
                return []
            raise OSError(code, os.strerror(code))
        self._used = count
        arrivals: list[Arrival] = []
        results = _RESULT.iter_unpack(self._result[: count * ctypes.sizeof(MultiMessageHeader)])
        controls = _CONTROL.iter_unpack(memoryview(self._control)[: count * _CONTROL_BYTES])
        for index, ((control_size, _, size), control) in enumerate(zip(results, controls, strict=True)):
            start = index * HEADER_BYTES
            datagram = unpack(self._headers, size, start)
            if control_size >= _COUNTED_BYTES:
                self.drops = control[8]
            if datagram is None:
                self.malformed += 1
                continue
            stamp = control[3] * 1_000_000_000 + control[4] if control_size >= _STAMPED_BYTES else None
            arrivals.append(Arrival(datagram, self._address(index), stamp))
        return arrivals

    def _address(self, index: int) -> Address:
        """Nearly always the same as the last one."""
        name = bytes(self._names[index * ADDRESS_BYTES : (index + 1) * ADDRESS_BYTES])
        if name != self._last[0]:
            self._last = (name, unpack_address(name) or ("", 0))
        return self._last[1]


def datagram_reader_for(sock: socket.socket, *, kernel_stamps: bool) -> DatagramReader:
    """The faster one where its structures are known to fit."""
    if kernel_stamps and ctypes.sizeof(ctypes.c_void_p) == 8 and receive_many() is not None:
        return BulkReader(sock)
    return SingleReader(sock)
