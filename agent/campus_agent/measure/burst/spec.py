"""Every constant of the protocol and of the method, each with its reason (docs/pages/en/protocol.md)."""

from typing import Literal

PROTOCOL_NAME: Literal["campusmeter"] = "campusmeter"
PROTOCOL_VERSION = 1
DEFAULT_PORT = 5301

# --- Control connection -----------------------------------------------------------------------------------------------
NONCE_BYTES = 32
TOKEN_BYTES = 16
TAG_BYTES = 16
MAX_GREETING_BYTES = 512
"""Largest message before authentication: the longest legitimate one is below 250 bytes."""
MAX_REQUEST_BYTES = 2048
"""Largest message a client may send once authenticated."""
MAX_REPORT_BYTES = 1_500_000
"""Largest message a responder may send once authenticated: a report of `MAX_COLUMN` rows at 30 bytes each, and a margin."""
MAX_REPORT_ROWS = 8192
"""A longer burst is thinned to about this many rows: more would cost more than they add."""
MAX_COLUMN = 40_000
HANDSHAKE_SECONDS = 3.0
"""From accept to authenticated. A school path needs 3 round trips; who needs longer is slow on purpose."""
IDLE_SECONDS = 5.0
"""An authenticated client that says nothing for this long is gone: the slot is free again."""
SESSION_SECONDS = 60.0
SLOT_WAIT_SECONDS = 0.2
"""A session whose client has ended it may take this long to end before the next client gets the answer that the responder is busy."""
CONNECT_SECONDS = 3.0
CONTROL_BYTES = 30_000
CONTROL_RATIO = 0.02
"""Kept of a client's bytes for the control connection: greeting and probes, and a report for each burst."""
MAX_PENDING_CONNECTIONS = 32
"""Connections not yet authenticated; one more pushes out the oldest, so that slow ones cannot lock others out."""

# --- Load -------------------------------------------------------------------------------------------------------------
OFFERED_RATIO = 1.15
"""Offered load over the target: above every capacity that could fail, yet a link in order loses next to nothing."""
BURST_SECONDS = 0.05
"""Spread of the estimate at 50 ms and 100 Mbit/s: below 0.1 % with kernel stamps; 10 ms would be five times worse."""
BATCH_SECONDS = 0.0005
"""Packets due within this time go to the kernel in one call: sleeping is exact to about 0.1 ms, so less gains nothing."""
MAX_BATCH_PACKETS = 64
BLOCK_PACKETS = 16
"""Packets handed to the kernel as one (UDP_SEGMENT) where a sender cannot keep up otherwise."""
MIN_BLOCK_BITS_PER_SECOND = 300e6
"""Below this a sender that falls behind is disturbed, not slow: larger blocks would not help it."""
BLOCK_BIAS_RATIO = 0.005
"""Standard error that blocks add, however many bursts: a shaper on the way may count one frame's overhead for a whole block,
and then reads 1.5 % too fast."""
OVERTIME_RATIO = 1.5
"""A sender that gets too little CPU stops at this many times the planned duration: what it sends later loads the line for nothing."""
QUIET_SECONDS = 0.025
"""No packet for this long after the planned end: the rest is lost. Longer than one packet at 1 Mbit/s (12 ms)."""
MAX_BURST_SECONDS = 5.0
MAX_OVERHEAD_BYTES = 120
"""Most that IPv6, UDP, Ethernet, PPPoE and four VLAN tags add to a payload: 40 + 8 + 38 + 8 + 16, rounded up."""
BURST_START_SECONDS = 1.0
"""Longest wait for a burst's first packet."""
DRAIN_SECONDS = 2.0
"""Longest wait, after the planned end, for packets that still come out of a deep queue."""
PROBE_INTERVAL_SECONDS = 0.005
IDLE_PROBES = 20
IDLE_PROBE_INTERVAL_SECONDS = 0.003
SETTLE_SECONDS = 1.0
"""Wait for a first answer to the probes; after that, two usual round trips are enough."""
_RETRY_PAUSE_SECONDS = 0.1
_FAST_RETRY_PAUSE_SECONDS = 0.05
"""Pause after a rejected burst: its cause may be over. Six rejected ones at a gigabit must fit into a second."""
RESERVE_SECONDS = 0.3
"""Left of the deadline for a burst's way there, its queue and its report."""
MAX_NARROWER_HOPS = 4
"""Each narrower hop of a path shows only after the one before: so many are learnt within a test."""
FALLBACK_MTU_BYTES = 1400
"""Where full packets vanish (a tunnel that drops them silently), these pass nearly everywhere."""
SAMPLE_SECONDS = 0.001
"""Interface counters are read this often by a receiver: 50 points a burst, 2 % of a core."""
FRESH_SECONDS = 0.00008
"""A counter read this soon after a packet's kernel stamp is of that very moment."""
READING_SECONDS = 0.0003
"""A counter whose reading took longer is of no known moment: the thread lost its processor meanwhile, and a queue ran empty."""
LATE_SAMPLE_SECONDS = 0.004
"""A receiver that lags behind reads the counters this often, and takes the time of reading."""

# --- Streams (TCP) -----------------------------------------------------------------------------------------------------
STREAM_MAGIC = b"CMS1"
"""How a data connection begins, then its ticket: as the length of a frame it would be a thousand million bytes."""
STREAM_JOIN_SECONDS = 1.0
"""From the order to the data connection: two round trips."""
STREAM_SECONDS = 1.2
"""Longest stream: 0.1 s of ramp on a slow path, eight windows, and a margin."""
STREAM_BUFFER_BYTES = 1_048_576
STREAM_CONGESTION_CONTROL = "cubic"
"""Known and everywhere; it fills the queue, which keeps the line busy."""
STREAM_TELL_SECONDS = 0.02
"""How often a receiver reports what has come: the sender ends that much after the verdict is certain."""
STREAM_RAMP_SECONDS = 0.04
STREAM_SLOT_SECONDS = 0.02
STREAM_SLOT_ROUND_TRIPS = 1.5
STREAM_ROUND_TRIPS = 12
"""Slow start goes by round trips: on a long path slots are longer, and the stream is."""
MIN_STREAM_WINDOWS = 2
"""One window alone may lie in the ramp of a path that starts slowly; two that agree do not."""
STREAM_STILL_RATIO = 1.1
"""Slow start doubles in a round trip; a slot of 20 ms that is hardly faster than the two before it is no part of it."""
STREAM_WINDOW_SECONDS = 0.1
"""Measured: the spread of TCP goodput in 0.1 s is below 1 % on an idle line, in 10 ms it is 10 %."""
STREAM_FULL_RATIO = 0.97
"""A stream slower than this times its pace was held up by the line."""
STREAM_OVERHEAD_RATIO = 1.1
"""Line bytes for a byte of payload, for the responder's account: 1.066 with full packets, and acknowledgements."""

# --- Reading a burst --------------------------------------------------------------------------------------------------
WAITING_SECONDS = 0.0001
"""A packet counts as having waited in the bottleneck's queue only by this margin: the noise of stamps."""
MIN_WINDOW_SECONDS = 0.01
MIN_WINDOW_PACKETS = 20
CHUNKS = 10
MIN_CHUNK_SECONDS = 0.002
NEAR_RATIO = 0.03
"""Chunks this near to their median belong to the line; what lies further off is a stall or its making up."""
STEADY_RATIO = 0.005
"""Bursts that agree within this agree; also the standard error of a rate that is known only from its two ends."""
SPREAD_FLOOR_RATIO = 0.001
"""No burst is believed to be better than this: clocks of 100 ppm, shapers, counters of whole packets."""
UNSTEADY_RATIO = 0.02
"""Mean and median of a window that differ by more: the box stalled, or the line is not a steady one."""
WAITED_RATIO = 0.1
"""A sender or receiver without a processor for more than this share of a burst: what depends on its clock readings is not to be believed."""
WAITED_TRAFFIC_RATIO = 0.005
"""Other traffic, as a share of the target, that such a burst may show: counters and stamps of a thread that waited do not fit together."""
POLICED_LOSS_RATIO = 0.005
"""Loss without a queue in the second half of a burst: a policer, or a bad cable; either way what arrives is what there is."""
STARVED_RATIO = 1.03
"""A sender that offered less than this times the threshold has not asked enough of a line that lost nothing."""
ATTRIBUTION_RATIO = 0.02
ATTRIBUTION_PACKETS = 10
"""Counts of both ends that differ by less than this share of the target and so many packets are of the same traffic."""

# --- Sequential test --------------------------------------------------------------------------------------------------
CERTAIN_SIGMAS = 3.3
"""Two-sided 0.1 %: the verdict stands when the estimate is this many standard errors from the threshold."""
STUDENT_FACTORS = {4: 3.9, 5: 2.6, 6: 2.1, 7: 1.8, 8: 1.65}
"""By how much a deviation seen in so few bursts may be too small: Student's t over the normal quantile, two-sided 0.1 %."""
AGREEING_RATIO = 4.0
"""At the end bursts agree that lie together this many times more closely than they lie to the threshold."""
CLEAR_RATIO = 0.05
"""So far from the threshold one burst is enough; nearer, a second one must agree."""
MAX_BURSTS = 8
_MAX_ORDERED_BURSTS = 12
_MAX_ORDERED_FAST_BURSTS = 6
"""Sound and rejected ones together; at a gigabit each takes 7 MB."""
MAX_BIASED_BURSTS = 3
"""Bursts after which more of them cannot help, because a bias they share is larger than their noise."""
MAX_REJECTED_BURSTS = 6

# --- Token buckets (uplink) -------------------------------------------------------------------------------------------
_BUCKET_BYTES = 4_000_000
_FAST_BUCKET_BYTES = 20_000_000
BUCKET_COST_RATIO = 3.0
"""A search spends at most this many times the bucket."""
BUCKET_PROOF_RATIO = 1.1
"""A bucket is empty for sure when this many times its size have passed beyond what the threshold would have let through."""
_BUCKET_OFFERED_RATIO = 3.0
_FAST_BUCKET_OFFERED_RATIO = 2.0
"""Overdrive while emptying a bucket: the faster it is emptied, the fewer bytes it takes. Small gateways end near 2 Gbit/s."""
_FAST_BITS_PER_SECOND = 300e6


MAX_SUSTAINED_BURSTS = 4
"""Bursts on the sustained rate, the long one included: near the threshold a second one must agree, or a third decide."""


def max_ordered_bursts(target_bits_per_second: float) -> int:
    """After how many bursts of one direction must an answer be given?"""
    return _MAX_ORDERED_FAST_BURSTS if target_bits_per_second > _FAST_BITS_PER_SECOND else _MAX_ORDERED_BURSTS


def retry_pause_seconds(target_bits_per_second: float) -> float:
    """How long to wait after a burst that did not count?"""
    return _FAST_RETRY_PAUSE_SECONDS if target_bits_per_second > _FAST_BITS_PER_SECOND else _RETRY_PAUSE_SECONDS


def bucket_bytes(target_bits_per_second: float) -> int:
    """How large a speed boost is looked for: sizes seen on carrier lines of 100 and 1000 Mbit/s; less on slower ones."""
    if target_bits_per_second > _FAST_BITS_PER_SECOND:
        return _FAST_BUCKET_BYTES
    return min(_BUCKET_BYTES, int(_BUCKET_BYTES * target_bits_per_second / 100e6))


def bucket_offered_ratio(target_bits_per_second: float) -> float:
    """How much over the target is offered while a bucket is emptied?"""
    return _FAST_BUCKET_OFFERED_RATIO if target_bits_per_second > _FAST_BITS_PER_SECOND else _BUCKET_OFFERED_RATIO
