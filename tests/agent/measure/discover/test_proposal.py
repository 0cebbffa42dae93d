"""From hosts to guesses, inventory lines and problems."""

import csv
import io

import pytest

from campus_agent.cli.discover import in_words
from campus_agent.measure.discover.discovery import CameraAnnouncement, DhcpServer, Discovery, Host, Neighbour
from campus_agent.measure.discover.links import NoLink, links
from campus_agent.measure.discover.proposal import HEADINGS, as_csv, likely_profile, problems, proposals


def host(*ports: int, camera: CameraAnnouncement | None = None, lldp: str = "") -> Host:
    return Host("10.0.1.9", "02:00:00:00:00:09", "lan", list(ports), camera, lldp)


@pytest.mark.parametrize(
    ("found", "profile"),
    [
        (host(554, camera=CameraAnnouncement("Cam")), ("camera-onvif", 0.9)),
        (host(camera=CameraAnnouncement("Cam")), ("camera-onvif", 0.8)),
        (host(80, lldp="sw-1"), ("switch-generic", 0.8)),
        (host(80, 554), ("stream-rtsp", 0.6)),
        (host(80), ("web-http", 0.3)),
        (host(), None),
        (host(80, 5301), None),  # a classroom's endpoint
    ],
)
def test_guesses(found: Host, profile: tuple[str, float] | None) -> None:
    assert likely_profile(found) == profile


def test_lines_for_the_inventory_are_harmless_in_a_spreadsheet() -> None:
    rows = list(
        csv.reader(io.StringIO(as_csv("s001", proposals([host(554, camera=CameraAnnouncement('=HYPERLINK("x")'))]))))
    )
    assert tuple(rows[0]) == HEADINGS
    assert rows[1] == ["s001", "", "dev-1", '\'=HYPERLINK("x")', "camera-onvif", "10.0.1.9", "1"]


def test_two_dhcp_servers_on_one_link_are_a_problem_in_both_languages() -> None:
    server, second = (
        DhcpServer("lan", "10.0.1.1", "m1", "10.0.1.100"),
        DhcpServer("lan", "192.168.1.1", "m2", "192.168.1.100"),
    )
    assert problems(Discovery([], [], [server])) == []
    assert problems(Discovery([], [], [server, DhcpServer("wan", "10.9.9.9", "m3", "10.9.9.10")])) == []
    (problem,) = problems(Discovery([], [], [server, second]))
    assert "2 DHCP servers answer: 10.0.1.1 (m1), 192.168.1.1 (m2)" in problem.en
    assert "2 台 DHCP 服务器" in problem.zh


def test_words() -> None:
    found = Discovery([host(554)], [Neighbour("lan", "m", "sw-1", "port 3", "10.0.1.2")], [], ["10.0.0.0/8"])
    text = in_words(found, "en")
    for part in (
        "1 host(s)",
        "10.0.1.9",
        "stream-rtsp (60%)",
        "lan: sw-1 port port 3 10.0.1.2",
        "10.0.0.0/8 is too large",
    ):
        assert part in text


def test_only_links_that_are_there() -> None:
    with pytest.raises(NoLink, match="no interface nowhere0"):
        links("nowhere0")
