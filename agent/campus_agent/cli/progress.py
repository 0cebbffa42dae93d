"""A measurement while it runs, for a person at a terminal; silent where standard error is none."""

import sys
from typing import TextIO

from campus_agent.measure.probe import Progress
from campus_base.language import Language
from campus_base.messages import message, pmessage, verbatim
from campus_base.terminal import redraw_line

_WIDTH = 30
_PHASES = {
    "resolve": message("resolving"),
    "latency": message("latency"),
    "busy": message("busy, waiting"),
    "down": pmessage("direction", "down"),
    "up": pmessage("direction", "up"),
}


class ProgressBar:
    """One line, drawn over and over: the rate as a bar against the required one, and the bytes spent."""

    def __init__(self, required_bits_per_second: float | None, language: Language, out: TextIO = sys.stderr) -> None:
        """Nothing is drawn until the first step."""
        self._required = required_bits_per_second
        self._language = language
        self._out = out
        self._alive = out.isatty()

    def __call__(self, step: Progress) -> None:
        if self._alive:
            redraw_line(line(step, self._required, self._language), self._out)

    def done(self) -> None:
        if self._alive:
            redraw_line("", self._out)


def line(step: Progress, required_bits_per_second: float | None, language: Language) -> str:
    """The text for one step; the tick `|` stands at the required rate, two thirds of the bar."""
    phase = _PHASES.get(step.phase, verbatim(step.phase)).in_(language)
    text = f"{phase:<10}"
    if step.line_rate_bits_per_second is not None and required_bits_per_second:
        share = step.line_rate_bits_per_second / required_bits_per_second * 2 / 3
        filled = min(_WIDTH, round(share * _WIDTH))
        bar = ["█" if n < filled else "·" for n in range(_WIDTH)]
        bar[_WIDTH * 2 // 3] = "|"
        text += f" {''.join(bar)} {step.line_rate_bits_per_second / 1e6:7.1f} Mbit/s"
    text += f"  {step.elapsed_seconds:4.1f} s"
    if step.bytes_spent:
        text += f"  {step.bytes_spent / 1e6:.1f} MB"
    if step.confidence_ratio is not None:
        word = message("sure").in_(language)
        text += f"  {word} {step.confidence_ratio:.0%}"
    return text
