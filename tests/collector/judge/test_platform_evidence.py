"""What stands behind a platform's verdict is shown: the status, where it led, the family; a wrong clock is nobody's failure."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from campus_collector.judge.derivation import as_text
from campus_collector.judge.month import month_of
from campus_collector.ledger.explain import explain
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import ServiceResult
from tests.collector.world import AT, World, collector, days, service


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with collector(tmp_path) as running:
        yield running


def refused(result: ServiceResult, kind: FailureKind, status: int | None, **more: str) -> ServiceResult:
    failure = Failure(Operation.READ, kind, f"status {status}")
    record = msgspec.structs.replace(result.record, success=False, http_status=status, address_family="ipv6", **more)
    return msgspec.structs.replace(result, record=record, failure=failure)


def test_the_status_and_the_way_are_shown_and_interception_is_its_own_cause(world: World) -> None:
    walled = [refused(service(at=at), FailureKind.HTTP_STATUS, 412) for at in days(2, 4)]
    portal = [
        refused(service(at=at), FailureKind.INTERCEPTED, 302, leads_to="http://10.9.9.9/portal") for at in days(8, 4)
    ]
    world.send(*walled, *portal)
    month = month_of(AT, world.service.verdicts.zone)
    actual = explain(world.service.store, world.service.verdicts, "platform_access", "s001", "smartedu-cn", month)
    assert actual is not None
    for language, words in (
        ("en", ("status 412", "leads to http://10.9.9.9/portal", "IPv6")),
        ("zh", ("状态码 412", "跳转到")),
    ):
        text = as_text(actual, language)
        assert all(word in text for word in words), text
    assert {cause.code for cause in actual.verdict.causes} >= {"intercepted", "server_error"}
    page = world.get("/schools/s001", Accept_Language="zh").body.decode()
    assert "HTTP 状态码" in page


def test_a_wrong_clock_is_not_the_platform_s_failure(world: World) -> None:
    failure = Failure(Operation.TLS, FailureKind.CERTIFICATE_NOT_YET_VALID)
    wrong = msgspec.structs.replace(service(), failure=failure, validity=Validity.CLOCK_UNTRUSTED)
    world.send(msgspec.structs.replace(wrong, record=msgspec.structs.replace(wrong.record, success=False)))
    assert b"campus_service_success{" not in world.get("/metrics").body
    month = month_of(AT, world.service.verdicts.zone)
    actual = explain(world.service.store, world.service.verdicts, "platform_access", "s001", "smartedu-cn", month)
    assert actual is not None
    assert [line.passes for line in actual.lines] == [None]
