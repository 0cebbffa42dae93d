"""TLS with a private authority made by openssl: what is accepted, and which word names what is not."""

from pathlib import Path

import pytest

from campus_agent.ship.shipper import ShipOutcome
from campus_wire.failures import FailureKind, Operation
from tests.agent.ship.things import NOW, School
from tests.agent.spool.things import numbers, result
from tests.fakes.certificates import EXPIRED, NOT_YET, Authority
from tests.fakes.collector import FakeCollector


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def ship(
    folder: Path, certificate: tuple[Path, Path], ca_file: Path | None, wall: float = NOW
) -> tuple[ShipOutcome, int]:
    """What came of it, and how many results are stored there."""
    with FakeCollector(certificate) as collector:
        collector.clock = lambda: NOW
        school = School(folder, collector.url, ca_file)
        school.hands.wall = wall
        with school.open() as (spool, shipper):
            spool.put(result(1))
            outcome = shipper.drain()
            assert len(numbers(spool)) + len(collector.stored) == 1
        return outcome, len(collector.stored)


def refused(outcome: ShipOutcome) -> FailureKind:
    assert outcome.failure is not None
    assert outcome.failure.operation is Operation.TLS
    assert outcome.stored == 0
    return outcome.failure.kind


def test_the_named_authority_is_trusted(tmp_path: Path, authority: Authority) -> None:
    outcome, stored = ship(tmp_path, authority.certificate("good", "IP:127.0.0.1"), authority.ca_file)
    assert (outcome.failure, stored) == (None, 1)


@pytest.fixture
def other(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "other")


def test_another_authority_is_not(tmp_path: Path, authority: Authority, other: Authority) -> None:
    certificate = authority.certificate("good", "IP:127.0.0.1")
    assert refused(ship(tmp_path, certificate, other.ca_file)[0]) is FailureKind.CERTIFICATE_UNTRUSTED


def test_without_ca_file_only_the_systems_authorities_are(tmp_path: Path, authority: Authority) -> None:
    certificate = authority.certificate("good", "IP:127.0.0.1")
    assert refused(ship(tmp_path, certificate, None)[0]) is FailureKind.CERTIFICATE_UNTRUSTED


def test_an_expired_certificate_is_named(tmp_path: Path, authority: Authority) -> None:
    certificate = authority.certificate("old", "IP:127.0.0.1", EXPIRED)
    outcome, _ = ship(tmp_path, certificate, authority.ca_file)
    assert refused(outcome) is FailureKind.CERTIFICATE_EXPIRED
    assert outcome.reason is None


def test_another_name_is_named(tmp_path: Path, authority: Authority) -> None:
    certificate = authority.certificate("elsewhere", "DNS:collector.example")
    outcome, _ = ship(tmp_path, certificate, authority.ca_file)
    assert refused(outcome) is FailureKind.CERTIFICATE_NAME_MISMATCH


def test_a_clock_in_1970_is_told_as_the_cause_and_nothing_is_switched_off(tmp_path: Path, authority: Authority) -> None:
    """To a clock in 1970 every certificate is not yet valid; here one that is not yet valid stands for it."""
    certificate = authority.certificate("later", "IP:127.0.0.1", NOT_YET)
    outcome, _ = ship(tmp_path, certificate, authority.ca_file, wall=5000.0)
    assert refused(outcome) is FailureKind.CERTIFICATE_NOT_YET_VALID
    assert outcome.reason == "clock_wrong"
    assert outcome.detail.startswith("by this gateway's clock it is 1970-01-01: ")


def test_a_certificate_of_the_future_is_the_clock_s_fault_in_any_year(tmp_path: Path, authority: Authority) -> None:
    outcome, _ = ship(tmp_path, authority.certificate("soon", "IP:127.0.0.1", NOT_YET), authority.ca_file)
    assert outcome.reason == "clock_wrong"
    assert outcome.detail.startswith("by this gateway's clock it is 20")


def test_a_plain_server_behind_https_is_a_tls_failure(tmp_path: Path, authority: Authority) -> None:
    with FakeCollector() as collector:
        school = School(tmp_path, collector.url.replace("http:", "https:"), authority.ca_file)
        with school.open() as (_, shipper):
            assert refused(shipper.drain()) is FailureKind.TLS_FAILED


@pytest.mark.parametrize(
    ("content", "detail"), [(None, "No such file or directory"), (b"no PEM", "it holds no PEM certificate")]
)
def test_a_bad_ca_file_is_named(tmp_path: Path, content: bytes | None, detail: str) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    with School(tmp_path, "https://127.0.0.1:9", ca_file).open() as (_, shipper):
        outcome = shipper.drain()
    assert refused(outcome) is FailureKind.CERTIFICATE_UNTRUSTED
    assert outcome.detail == f"ca_file {ca_file}: {detail}"
