"""What do the packets of a stream say about it: rate, loss, jitter? RTP headers only (RFC 3550); no picture or sound is ever looked at. Pure."""

from dataclasses import dataclass, field

HEADER_BYTES = 12
_MOD = 1 << 16
_MAX_DROPOUT = 3000
"""A larger step of the sequence numbers is a new start, not a loss (RFC 3550, appendix A.1)."""


@dataclass(slots=True)
class Listener:
    """Statistics of one medium. `clock_rate` is that of its timestamps, in hertz."""

    clock_rate: int
    packets: int = 0
    received_bytes: int = 0
    lost: int = 0
    jitter_seconds: float = 0.0
    first_at: float | None = None
    last_at: float = 0.0
    _expected: int | None = None
    _transit: float | None = field(default=None)

    def take(self, packet: bytes, at: float) -> bool:
        """One packet, arrived at this moment (seconds). False when it is no RTP."""
        if len(packet) < HEADER_BYTES or packet[0] >> 6 != 2:
            return False
        if 72 <= packet[1] & 0x7F <= 76:  # RTCP on the same port (RFC 5761)
            return False
        sequence, stamp = int.from_bytes(packet[2:4]), int.from_bytes(packet[4:8])
        if self._expected is not None:
            gap = (sequence - self._expected) % _MOD
            if gap < _MAX_DROPOUT:
                self.lost += gap
            elif gap > _MOD - 100:  # late: it was counted as lost; or the last once more
                self.lost = max(0, self.lost - 1) if gap != _MOD - 1 else self.lost
                sequence = (self._expected - 1) % _MOD
        self._expected = (sequence + 1) % _MOD
        transit = at - stamp / self.clock_rate
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < 10:  # beyond that the timestamps wrapped or began anew
                self.jitter_seconds += (change - self.jitter_seconds) / 16
        self._transit = transit
        if self.first_at is None:
            self.first_at = at
        self.last_at = at
        self.packets += 1
        self.received_bytes += len(packet)
        return True

    @property
    def loss_ratio(self) -> float | None:
        """Lost of expected; None of nothing."""
        expected = self.packets + self.lost
        return self.lost / expected if expected else None

    @property
    def bits_per_second(self) -> float | None:
        """Mean rate between first and last packet, RTP headers included; None of fewer than two moments."""
        seconds = self.last_at - self.first_at if self.first_at is not None else 0.0
        return self.received_bytes * 8 / seconds if seconds > 0 else None
