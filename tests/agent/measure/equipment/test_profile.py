"""Profiles: every shipped one loads and says where its facts come from; every mistake in one is told at once."""

from pathlib import Path

import pytest

from campus_agent.measure.equipment.profile import SHIPPED, find_profile, load_profile, profile_files
from campus_base.readings import READINGS
from campus_base.settings import ConfigurationError


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_profile(path: Path) -> None:
    profile = load_profile(path)
    assert profile.title.en
    assert profile.title.zh
    assert profile.sources
    assert all("::" in each.object for each in profile.snmp), "an object is written with its MIB"
    assert set(profile.readings) <= set(READINGS)
    assert {limit.reading for limit in profile.limits} <= set(profile.readings)


def test_the_shipped_ones() -> None:
    assert sorted(path.stem for path in SHIPPED.glob("*.toml")) == [
        "camera-onvif", "host-resources", "recorder-dahua-like", "recorder-generic", "recorder-hikvision-like", "stream-rtsp",
        "switch-generic", "ups-generic", "web-http",
    ]  # fmt: skip


def test_the_operator_s_own_outrank_the_shipped(tmp_path: Path) -> None:
    text = (SHIPPED / "stream-rtsp.toml").read_text().replace("Live stream (RTSP)", "Our encoder")
    (tmp_path / "stream-rtsp.toml").write_text(text)
    assert find_profile("stream-rtsp", tmp_path).title.en == "Our encoder"
    assert find_profile("ups-generic", tmp_path).name == "ups-generic"
    assert len(list(profile_files(tmp_path))) == len(list(profile_files()))


def test_an_unknown_profile_names_the_known() -> None:
    with pytest.raises(ConfigurationError) as raised:
        find_profile("recorder-of-tomorrow")
    assert "no such profile; known: camera-onvif, host-resources, recorder-dahua-like," in raised.value.in_("en")


BROKEN = """
title_en = "x"
up_when_any = ["carrier-pigeon", "http"]
colour = "red"
[[snmp]]
reading = "weight"
object = "X-MIB::y"
oid = "1.3.six"
[[snmp]]
reading = "load_ratio"
object = "X-MIB::y"
compute = "worst_free_ratio"
[[limit]]
reading = "load_ratio"
minimum = "low"
[onvif]
readings = ["stream_up", "weight"]
"""


def test_every_mistake_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(BROKEN)
    with pytest.raises(ConfigurationError) as raised:
        load_profile(tmp_path / "mine.toml")
    text = raised.value.in_("en")
    for part in (
        "title_zh: is missing",
        "up_when_any: 'carrier-pigeon' is none of snmp, rtsp, onvif, http, tcp",
        "up_when_any: names http, but there is no [http]",
        "colour: unknown key",
        "snmp[0].reading: must be one of",
        "snmp[0].oid: must be an object identifier",
        "snmp[1].size_oid: is missing",
        "limit[0].minimum: must be a number",
        "onvif.readings: 'weight' is none of clock_offset_seconds, firmware, recording, stream_up",
    ):
        assert part in text, text
