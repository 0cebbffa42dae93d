"""What switches and the school's own links say, on /metrics and on the page."""

from datetime import UTC, datetime, timedelta

from campus_wire.bandwidth import Verdict
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DhcpOffer, NetworkRecord, NetworkResult, PortRecord, PortResult
from tests.collector.export.test_devices import common
from tests.collector.world import World, throughput

LABELS = 'classroom="c101",school="s001",town="t01"'


def port(at: datetime, **record: object) -> PortResult:
    values = {"switch": "sw-1", "port": "Gi0/1", "found_by": "lldp", "up": True} | record
    return PortResult(subject="c101", record=PortRecord(**values), **common(at))  # type: ignore[arg-type]


def test_a_port_and_its_grade(world: World) -> None:
    now = datetime.now(UTC)
    world.send(
        port(
            now, speed_bits_per_second=1e7, duplex="half", receive_errors=3, received_packets=97, utilization_ratio=0.4
        )
    )
    page = world.get("/metrics").body.decode()
    for line in (
        f"campus_classroom_port_up{{{LABELS}}} 1.0",
        f"campus_classroom_port_full_duplex{{{LABELS}}} 0.0",
        f"campus_classroom_port_error_ratio{{{LABELS}}} 0.03",
        f"campus_classroom_port_utilization_ratio{{{LABELS}}} 0.4",
        f"campus_classroom_link_speed_bits_per_second{{{LABELS}}} 1e+07",
    ):
        assert line in page, line
    html = world.get("/schools/s001/subjects/c101", Accept_Language="zh").body.decode()
    for words in ("端口 sw-1 Gi0/1：10 Mbps，半双工（依据 LLDP）；错误帧 3.00%", "依据：交换机端口速率"):
        assert words in html, words
    assert "依据：仅登记，未测" in world.get("/schools/s001/subjects/c102", Accept_Language="zh").body.decode()


def test_only_what_was_measured_meets_a_target(world: World) -> None:
    """A port that negotiated a gigabit is no proof of 100 Mbit/s."""
    now = datetime.now(UTC)
    world.send(*(port(now - timedelta(hours=n), speed_bits_per_second=1e9, duplex="full") for n in range(30)))
    verdicts = world.service.verdicts
    actual = {
        subject.subject: subject
        for subject in verdicts.subjects(verdicts.this_month())
        if subject.target == "classroom_bandwidth"
    }
    assert actual["c101"].verdict is Verdict.INSUFFICIENT
    assert actual["c101"].evidence.valid_results == 0


def test_the_port_s_speed_outranks_the_gateway_s_own(world: World) -> None:
    now = datetime.now(UTC)
    world.send(throughput(at=now), port(now, speed_bits_per_second=1e8, duplex="full"))
    assert f"campus_classroom_link_speed_bits_per_second{{{LABELS}}} 1e+08" in world.get("/metrics").body.decode()


def test_a_port_that_was_not_read_says_why(world: World) -> None:
    now = datetime.now(UTC)
    failure = Failure(Operation.READ, FailureKind.NOT_AUTHORISED, "wrongDigest")
    values = common(now) | {"validity": Validity.NOT_MEASURED}
    world.send(PortResult(subject="c101", failure=failure, **values))
    assert "未能读取交换机端口" in world.get("/schools/s001/subjects/c101", Accept_Language="zh").body.decode()
    assert "campus_classroom_port_up{" not in world.get("/metrics").body.decode()


def test_two_dhcp_servers_are_a_problem_and_one_is_not(world: World) -> None:
    now = datetime.now(UTC)
    first, second = (
        DhcpOffer("lan", "10.0.0.1", "02:00:00:00:00:01"),
        DhcpOffer("lan", "192.168.1.1", "02:00:00:00:00:02"),
    )
    other_link = DhcpOffer("lan2", "10.9.0.1", "02:00:00:00:00:03")
    world.send(
        NetworkResult(subject="lan", record=NetworkRecord([first, other_link]), **common(now - timedelta(hours=1)))
    )
    assert 'campus_school_dhcp_servers{school="s001",town="t01"} 1.0' in world.get("/metrics").body.decode()
    assert "DHCP" not in world.get("/schools/s001", Accept_Language="zh").body.decode()
    world.send(NetworkResult(subject="lan", record=NetworkRecord([first, second, other_link]), **common(now)))
    assert 'campus_school_dhcp_servers{school="s001",town="t01"} 2.0' in world.get("/metrics").body.decode()
    html = world.get("/schools/s001", Accept_Language="zh").body.decode()
    assert "校内有 2 台 DHCP 服务器应答" in html
    assert "192.168.1.1 (02:00:00:00:00:02)" in html


def test_dhcp_servers_of_days_ago_are_not_those_of_today(world: World) -> None:
    """The look fails since then, or its result came in late: the figure tells when it was seen, and the page is silent."""
    seen = datetime.now(UTC).replace(microsecond=0) - timedelta(days=4)
    offers = [DhcpOffer("lan", f"10.0.0.{n}", f"02:00:00:00:00:0{n}") for n in (1, 2)]
    world.send(NetworkResult(subject="lan", record=NetworkRecord(offers), **common(seen)))
    metrics = world.get("/metrics").body.decode()
    assert 'campus_school_dhcp_servers{school="s001",town="t01"} 2.0' in metrics
    line = 'campus_school_dhcp_measured_timestamp_seconds{school="s001",town="t01"} '
    assert float(metrics.partition(line)[2].split()[0]) == seen.timestamp()
    assert "DHCP" not in world.get("/schools/s001", Accept_Language="zh").body.decode()
