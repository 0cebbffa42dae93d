"""What a person reads of a device: no figure without its name and unit, in either language."""

from campus_agent.cli.answer import device_words

SAID = {
    "subject": "rec-1", "profile": "recorder-generic", "up": True, "failure": None,
    "readings": {"storage_free_ratio": 0.01, "stream_up": 1.0, "firmware": "7.1"},
    "failed": {"load_ratio": {"operation": "read", "kind": "protocol_error", "detail": "no rows"}},
    "remarks": ["storage_free_ratio 0.01"],
}  # fmt: skip


def test_both_languages() -> None:
    chinese = device_words(SAID, "zh")
    for part in (
        "rec-1 (recorder-generic): 正常",
        "最满磁盘剩余 1.0%",
        "直播流 是",
        "! 处理器负载: 应答内容不符合协议",
        "! 超出限值: 最满磁盘剩余 1.0%",
    ):
        assert part in chinese, chinese
    assert "! beyond its limit: free on the fullest disk 1.0%" in device_words(SAID, "en")
