"""Is the system's clock kept by a time service, whichever it is? The kernel is asked (adjtimex(2)): systemd-timesyncd, chrony and ntpd all report to it.

`python -I -S kernel_clock.py` prints what adjtimex returned and the greatest possible error in microseconds. A program of its own, so that the
resident one does without ctypes.
"""

import subprocess
import sys
from time import monotonic

UNSET_ERROR_US = 16_000_000
"""The kernel's NTP_PHASE_LIMIT: the error after boot, after the clock was set by hand, and some nine hours after a time service stopped."""
ASK_AGAIN_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_TIMEX_BYTES = 256
"""More than struct timex (linux/timex.h); `modes` is 0: nothing is changed."""


def is_set_by(state: int, greatest_error_us: int) -> bool:
    """Does this answer of adjtimex mean that a time service set the clock and nobody set it otherwise since?

    STA_UNSYNC does not count: chrony leaves it so that the kernel does not write the hardware clock.
    """
    return state >= 0 and 0 <= greatest_error_us < UNSET_ERROR_US


class KernelClock:
    """Asks at most once a minute: it costs a process."""

    def __init__(self) -> None:
        """No answer is known before the first question."""
        self._asked_at: float | None = None
        self._is_set = False

    def is_set(self) -> bool:
        """Is it? False where the system gives no answer."""
        if self._asked_at is None or monotonic() - self._asked_at > ASK_AGAIN_SECONDS:
            self._is_set = _ask()
            self._asked_at = monotonic()
        return self._is_set


def _ask() -> bool:
    try:
        command = [sys.executable, "-I", "-S", __file__]
        answer = subprocess.run(command, capture_output=True, timeout=_ANSWER_SECONDS, check=True)
        state, greatest_error_us = map(int, answer.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    return is_set_by(state, greatest_error_us)


def _adjtimex() -> tuple[int, int]:
    """What the kernel returned (-1: it refused), and `maxerror`."""
    import ctypes  # not in the resident program

    class Timex(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("rest", ctypes.c_char * _TIMEX_BYTES),
        )

    answer = Timex()
    return ctypes.CDLL(None).adjtimex(ctypes.byref(answer)), answer.maxerror


if __name__ == "__main__":
    print(*_adjtimex())
