"""Give many datagrams to the kernel in one call: sendmmsg(2) on Linux, a loop of sendto elsewhere.

Measured on 2 cores: a loop of sendto ends at 865 Mbit/s and takes a whole core; sendmmsg offers 1 150 Mbit/s at half a core; UDP
segmentation offload (UDP_SEGMENT, udp(7)) at a quarter. But to a shaper on the same machine such a block is one packet, which counts the
frame overhead once: the line reads up to 1.6 % too fast. So blocks are the last resort of a sender that is too slow without.
"""

import ctypes
import errno
import os
import socket
import struct
import sys

from campus_agent.measure.burst.io.syscalls import Address, IoVector, MultiMessageHeader, pack_address, send_many
from campus_agent.measure.burst.protocol.datagram import Datagram, Kind, pack_into
from campus_agent.measure.burst.spec import MAX_BATCH_PACKETS

Buffer = bytearray | memoryview
TOO_LARGE = errno.EMSGSIZE
"""The kernel knows of a hop with a smaller MTU: packets of this size do not pass."""
_QUEUE_FULL = (errno.EAGAIN, errno.ENOBUFS)
_NO_BLOCKS = (errno.EIO, errno.EINVAL, errno.ENOPROTOOPT, errno.EOPNOTSUPP)
_SOL_UDP, _UDP_SEGMENT = 17, 103  # linux/udp.h


class Batch:
    """Up to `MAX_BATCH_PACKETS` datagrams of one size to one address, on a non-blocking socket.

    The filler is random, so that nothing on the way can compress it.
    """

    def __init__(self, sock: socket.socket, address: Address, payload_bytes: int) -> None:
        """Make the buffers once: filling in the headers is all that is left while the load runs."""
        self._socket = sock
        self._address = address
        filler = os.urandom(payload_bytes)
        self.buffers: list[Buffer] = [bytearray(filler) for _ in range(MAX_BATCH_PACKETS)]
        self._send_many = send_many()
        if self._send_many is not None:
            self._views = [(ctypes.c_char * payload_bytes).from_buffer(buffer) for buffer in self.buffers]
            self._name = ctypes.create_string_buffer(pack_address(sock.family, address))
            self._vectors = (IoVector * MAX_BATCH_PACKETS)(
                *[IoVector(ctypes.addressof(view), payload_bytes) for view in self._views]
            )
            self._messages = (MultiMessageHeader * MAX_BATCH_PACKETS)()
            for message, vector in zip(self._messages, self._vectors, strict=True):
                message.header.name = ctypes.addressof(self._name)
                message.header.name_size = len(self._name) - 1  # create_string_buffer adds a byte
                message.header.vectors = ctypes.pointer(vector)
                message.header.vector_count = 1

    def begin(self, token: bytes, burst: int) -> None:
        """Set what all datagrams of a burst have in common."""
        for buffer in self.buffers:
            pack_into(buffer, Datagram(Kind.LOAD, token, burst, 0, 0))

    def send(self, count: int) -> int:
        """Send the first `count` datagrams; how many the kernel took. Fewer: the interface's own queue is full.

        Raises OSError for anything else.
        """
        if self._send_many is not None:
            taken: int = self._send_many(self._socket.fileno(), self._messages, count, 0)
            if taken >= 0:
                return taken
            code = ctypes.get_errno()
            if code in _QUEUE_FULL:
                return 0
            raise OSError(code, os.strerror(code))
        return _send_singly(self._socket, self._address, self.buffers[:count])


class Blocks(Batch):
    """The same, in blocks that the kernel (or the interface) cuts up. Where it cannot, one by one."""

    def __init__(self, sock: socket.socket, address: Address, payload_bytes: int, block_packets: int) -> None:
        """The buffers are adjacent in memory: a block is a slice of them."""
        self._socket = sock
        self._address = address
        self._size = payload_bytes
        self._block = block_packets
        self._able = sys.platform.startswith("linux")
        self._segment = struct.pack("@H", payload_bytes)
        self._all = memoryview(bytearray(os.urandom(payload_bytes) * MAX_BATCH_PACKETS))
        self.buffers = [self._stretch(index, 1) for index in range(MAX_BATCH_PACKETS)]

    def send(self, count: int) -> int:
        first = 0
        while first < count and self._able:
            packets = min(self._block, count - first)
            options = [(_SOL_UDP, _UDP_SEGMENT, self._segment)] if packets > 1 else []
            try:
                self._socket.sendmsg([self._stretch(first, packets)], options, 0, self._address)
            except OSError as error:
                if error.errno in _QUEUE_FULL:
                    return first
                if error.errno not in _NO_BLOCKS:
                    raise
                self._able = False
            else:
                first += packets
        return first + _send_singly(self._socket, self._address, self.buffers[first:count])

    def _stretch(self, first: int, packets: int) -> memoryview:
        return self._all[first * self._size : (first + packets) * self._size]


def batch_for(sock: socket.socket, address: Address, payload_bytes: int, block_packets: int) -> Batch:
    """Single packets, or blocks of them."""
    if block_packets > 1:
        return Blocks(sock, address, payload_bytes, block_packets)
    return Batch(sock, address, payload_bytes)


def _send_singly(sock: socket.socket, address: Address, buffers: list[Buffer]) -> int:
    """One call each; how many the kernel took."""
    for index, buffer in enumerate(buffers):
        try:
            sock.sendto(buffer, address)
        except OSError as error:
            if error.errno in _QUEUE_FULL:
                return index
            raise
    return len(buffers)
