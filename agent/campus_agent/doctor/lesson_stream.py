"""Does the uplink's test server answer the lesson stream, by the school's key?"""

import asyncio
import os
import socket
import time

from campus_agent.config.model import AgentConfig
from campus_agent.doctor.findings import CheckResult
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.stream.packets import (
    SenderPacket,
    error_estimate,
    pack_sender,
    to_timestamp,
    unpack_reflected,
)
from campus_base.messages import Message, message
from campus_base.settings import read_secret
from campus_base.system_errors import error_words
from campus_base.wire_words import FAILURE_WORDS

TRIES, WAIT_SECONDS = 5, 0.6
_CHECK = message("lesson stream")


async def lesson_stream(config: AgentConfig) -> list[CheckResult]:
    """Nothing where the stream is off."""
    if not config.lesson_stream.enabled or config.uplink is None:
        return []
    host, port = config.uplink.host, config.stream_port
    try:
        key = read_secret(config.test_key_file).reveal().encode() if config.test_key_file else None
        address = await reachable(host, config.uplink.port, 5.0, 3.0)
        round_trip = await asyncio.to_thread(_ask, address.family, address.text, port, key)
    except ProbeFailed as failed:
        what = message("{host}: {kind}", host=host, kind=FAILURE_WORDS[failed.failure.kind])
        return [CheckResult(_CHECK, False, what, message("check the name and the DNS servers (/etc/resolv.conf)"))]
    except (OSError, ValueError) as error:
        what = message("{address}:{port}: {error}", address=host, port=port, error=error_words(error))
        return [CheckResult(_CHECK, False, what, _remedy(port))]
    if round_trip is None:
        what = message("{address}:{port} (UDP) does not answer", address=address.text, port=port)
        return [CheckResult(_CHECK, False, what, _remedy(port))]
    what = message("{address}:{port} answers in {ms:.1f} ms", address=address.text, port=port, ms=round_trip * 1000)
    return [CheckResult(_CHECK, True, what)]


def _remedy(port: int) -> Message:
    return message(
        "on the test server: campus-agent respond --stream-port {port} --test-key-file KEY, with this school's key; open UDP"
        " port {port} in its firewall; check the clock of both",
        port=port,
    )


def _ask(family: socket.AddressFamily, address: str, port: int, key: bytes | None) -> float | None:
    """The round trip in seconds of the first packet that is answered; None when none is. Raises OSError."""
    session = int.from_bytes(os.urandom(2)) or 1
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        sock.settimeout(WAIT_SECONDS)
        for number in range(TRIES):
            sender = SenderPacket(number, to_timestamp(time.time_ns()), error_estimate(1.0), session)
            began = time.monotonic()
            sock.send(pack_sender(sender, key))
            try:
                answer = unpack_reflected(sock.recv(2048), key)
            except TimeoutError:
                continue
            if answer is not None and answer.sender_sequence == number:
                return time.monotonic() - began
    return None
