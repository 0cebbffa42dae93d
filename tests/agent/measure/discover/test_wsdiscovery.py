"""WS-Discovery: what a camera says, and what a hostile one may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.discover.wsdiscovery import MAX_ANSWER_BYTES, NotUnderstood, parse, probe
from tests.fakes.onvif_probe import ANSWER


def test_a_camera() -> None:
    (match,) = parse(ANSWER.format(message="urn:uuid:1", address="10.0.1.60").encode())
    assert match.addresses == ("http://10.0.1.60/onvif/device_service",)
    assert (match.scope("name"), match.scope("hardware"), match.scope("colour")) == ("LessonCam", "LC-200", "")


def test_the_probe_is_xml_with_its_id() -> None:
    assert b"urn:uuid:abc" in probe("abc")
    assert parse(probe("abc")) == []


BOMB = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY f SYSTEM "file:///etc/passwd">]><l>&f;</l>"""


UTF_16 = BOMB.decode().replace('"1.0"', '"1.0" encoding="utf-16"', 1).encode("utf-16")
"""In which "<!" is not these two octets."""


@pytest.mark.parametrize(
    "hostile",
    [
        BOMB,
        OUTSIDE,
        UTF_16,
        b"<a>" * 100 + b"</a>" * 100,
        b"<a>",
        b"",
        b"\xff\xfe",
        b"<a/>" * 3,
        b"x" * (MAX_ANSWER_BYTES + 1),
    ],
)
def test_hostile_answers_are_refused(hostile: bytes) -> None:
    with pytest.raises(NotUnderstood):
        parse(hostile)


@given(st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    try:
        parse(octets)
    except NotUnderstood:
        pass
