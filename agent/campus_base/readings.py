"""The readings of a recording room's device: one name each, for profiles, records, metrics and pages. Units are in the names."""

from campus_base.figures import percent
from campus_base.language import Language
from campus_base.messages import Message, message, verbatim

READINGS: dict[str, Message] = {
    "uptime_seconds": message("up for"),
    "storage_free_ratio": message("free on the fullest disk"),
    "storage_total_bytes": message("disks"),
    "load_ratio": message("processor load"),
    "temperature_celsius": message("temperature"),
    "recording": message("recording"),
    "clock_offset_seconds": message("clock ahead by"),
    "battery_charge_ratio": message("battery"),
    "on_battery": message("on battery"),
    "stream_up": message("live stream"),
    "stream_bits_per_second": message("stream rate"),
    "stream_loss_ratio": message("stream loss"),
    "stream_jitter_seconds": message("stream jitter"),
    "firmware": message("firmware"),
    "codec": message("codec"),
}
"""Every reading there is; a profile can name no other. The last two are words, the others numbers."""
FLAGS = frozenset({"recording", "on_battery", "stream_up"})
"""1 or 0."""
_YES, _NO = message("yes"), message("no")
_DAYS, _HOURS, _MINUTES = (
    message("{n:.0f} d"),
    message("{n:.0f} h"),
    message("{n:.0f} min"),
)


def in_words(name: str, value: float | str, language: Language) -> str:
    """One reading for a person: its name and its value with a unit."""
    label = READINGS.get(name, verbatim(name)).in_(language)
    return f"{label} {value if isinstance(value, str) else _figure(name, value, language)}"


def _figure(name: str, value: float, language: Language) -> str:
    if name in FLAGS:
        return (_YES if value else _NO).in_(language)
    if name.endswith("_ratio"):
        return percent(value)
    if name.endswith("_bytes"):
        return f"{value / 1e9:.0f} GB"
    if name.endswith("_bits_per_second"):
        return message("{value:.2f} Mbit/s", value=value / 1e6).in_(language)
    if name.endswith("_celsius"):
        return f"{value:.0f} °C"
    if name == "uptime_seconds":
        unit, seconds = next(((u, s) for u, s in ((_DAYS, 86_400), (_HOURS, 3600)) if value >= s), (_MINUTES, 60))
        return unit.in_(language, n=value / seconds)
    if name == "stream_jitter_seconds":
        return message("{value:.1f} ms", value=value * 1000).in_(language)
    return message("{value:.0f} s", value=value).in_(language)
