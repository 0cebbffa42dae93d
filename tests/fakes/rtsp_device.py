"""A FAKE RTSP device for tests: strict about its addresses, odd in the ways a test names. One thread a connection; packets follow PLAY."""

import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

PICTURE = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:{control}\r\n"
SOUND = "m=audio 0 RTP/AVP 8\r\na=control:{control}\r\n"
SESSION = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\n"
PACKETS = 60


@dataclass(slots=True)
class Asked:
    """A request as it came."""

    method: str
    address: str
    headers: Mapping[str, str]

    def reply(self, status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
        """An answer to it."""
        lines = [f"RTSP/1.0 {status}", f"CSeq: {self.headers.get('cseq', '0')}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body and "Content_Length" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body


Own = Callable[[Asked], bytes | None]
"""What a test answers instead; None for the honest answer, b"" to hang up."""


@dataclass(slots=True)
class RtspDevice:
    """`known`: the addresses it can set up. `base`: its Content-Base. `between`: octets between packets. `after_sdp`: octets after the description."""

    description: str
    known: tuple[str, ...]
    base: str | None = None
    own: Own = lambda asked: None
    between: Callable[[int], bytes] = lambda number: b""
    after_sdp: bytes = b""
    session: Callable[[int], str] = lambda number: "12345678"
    packets: int = PACKETS
    leaves: bool = False
    """Hangs up after its packets."""
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    def serve(self, client: socket.socket) -> None:
        """One connection."""
        self.connections += 1
        channels: list[int] = []
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                more = client.recv(65_536)
                if not more:
                    return
                buffer += more
            head, buffer = buffer.split(b"\r\n\r\n", 1)
            if head.startswith(b"RTSP/"):
                self.asked.append(Asked("reply", head.decode(), {}))
                continue
            asked = _request(head)
            self.asked.append(asked)
            if not self._answer(client, asked, channels):
                return

    def set_up(self) -> list[str]:
        """The addresses that were asked to be set up."""
        return [each.address for each in self.asked if each.method == "SETUP"]

    def _answer(self, client: socket.socket, asked: Asked, channels: list[int]) -> bool:
        instead = self.own(asked)
        if instead is not None:
            client.sendall(instead)
            return instead != b"" and b"Connection: close" not in instead
        if asked.method == "DESCRIBE":
            base = {} if self.base is None else {"Content_Base": self.base}
            client.sendall(asked.reply(body=self.description.encode(), Content_Type="application/sdp", **base))
            client.sendall(self.after_sdp)
        elif asked.method == "SETUP":
            channel = re.search(r"interleaved=(\d+)", asked.headers.get("transport", ""))
            if asked.address not in self.known:
                client.sendall(asked.reply("404 Not Found"))
            elif channel is None:
                client.sendall(asked.reply("461 Unsupported Transport"))
            else:
                channels.append(int(channel[1]))
                transport = f"RTP/AVP/TCP;unicast;interleaved={channel[1]}-{int(channel[1]) + 1}"
                client.sendall(asked.reply(Session=self.session(len(channels)), Transport=transport))
        elif asked.method == "PLAY":
            if not channels or asked.headers.get("session") != self.session(1):
                client.sendall(asked.reply("454 Session Not Found"))
                return True
            client.sendall(asked.reply())
            self._play(client, channels)
            return not self.leaves
        else:
            client.sendall(asked.reply())
            return asked.method != "TEARDOWN"
        return True

    def _play(self, client: socket.socket, channels: list[int]) -> None:
        for number in range(self.packets):
            client.sendall(self.between(number))
            for channel in channels:
                stamp = (number * 1800).to_bytes(4)
                packet = b"\x80\x60" + number.to_bytes(2) + stamp + b"SSRC" + b"\x41" * 300
                client.sendall(b"$" + bytes([channel]) + len(packet).to_bytes(2) + packet)
            time.sleep(0.005)


def _request(head: bytes) -> Asked:
    first, *rest = head.decode("utf-8", "surrogateescape").split("\r\n")
    method, address, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return Asked(method, address, headers)
