"""What a device of a recording room can tell: one name a reading, for profiles, records, metrics and pages. Units are in the names."""

from campus_base.figures import percent
from campus_base.language import Language, Text

READINGS: dict[str, Text] = {
    "uptime_seconds": Text("up for", "已运行"),
    "storage_free_ratio": Text("free on the fullest disk", "最满磁盘剩余"),
    "storage_total_bytes": Text("disks", "磁盘总容量"),
    "load_ratio": Text("processor load", "处理器负载"),
    "temperature_celsius": Text("temperature", "温度"),
    "recording": Text("recording", "正在录制"),
    "clock_offset_seconds": Text("clock ahead by", "时钟超前"),
    "battery_charge_ratio": Text("battery", "电池电量"),
    "on_battery": Text("on battery", "电池供电"),
    "stream_up": Text("live stream", "直播流"),
    "stream_bits_per_second": Text("stream rate", "直播流码率"),
    "stream_loss_ratio": Text("stream loss", "直播流丢包"),
    "stream_jitter_seconds": Text("stream jitter", "直播流抖动"),
    "firmware": Text("firmware", "固件"),
    "codec": Text("codec", "编码"),
}
"""Every reading there is; a profile can name no other. The last two are words, the others numbers."""
FLAGS = frozenset({"recording", "on_battery", "stream_up"})
"""1 or 0."""
_YES, _NO = Text("yes", "是"), Text("no", "否")
_DAYS, _HOURS, _MINUTES = (
    Text("{n:.0f} d", "{n:.0f} 天"),
    Text("{n:.0f} h", "{n:.0f} 小时"),
    Text("{n:.0f} min", "{n:.0f} 分钟"),
)


def in_words(name: str, value: float | str, language: Language) -> str:
    """One reading for a person: its name and its value with a unit."""
    label = READINGS.get(name, Text(name, name)).in_(language)
    return f"{label} {value if isinstance(value, str) else _figure(name, value, language)}"


def _figure(name: str, value: float, language: Language) -> str:
    if name in FLAGS:
        return (_YES if value else _NO).in_(language)
    if name.endswith("_ratio"):
        return percent(value)
    if name.endswith("_bytes"):
        return f"{value / 1e9:.0f} GB"
    if name.endswith("_bits_per_second"):
        return f"{value / 1e6:.2f} Mbit/s" if language == "en" else f"{value / 1e6:.2f} 兆"
    if name.endswith("_celsius"):
        return f"{value:.0f} °C"
    if name == "uptime_seconds":
        unit, seconds = next(((u, s) for u, s in ((_DAYS, 86_400), (_HOURS, 3600)) if value >= s), (_MINUTES, 60))
        return unit.in_(language, n=value / seconds)
    if name == "stream_jitter_seconds":
        return f"{value * 1000:.1f} ms" if language == "en" else f"{value * 1000:.1f} 毫秒"
    return f"{value:.0f} s" if language == "en" else f"{value:.0f} 秒"
