"""Two collectors on one PostgreSQL, each request sent to either at random: nothing that a browser, a gateway or Prometheus does shows which answered."""

import http.client
import json
import random
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from campus_base.messages import bilingual
from campus_collector.domain.agents import Principal
from campus_collector.domain.enrolment_codes import code_hash, plain
from campus_collector.domain.people import Person
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.domain.problem import Event, Problem
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.inventory.sample import sample
from campus_collector.inventory.write import as_xlsx
from campus_collector.store.open import open_store
from campus_collector.store.store import Store
from campus_wire.codec import compress
from tests.collector.http.api.test_problems import Browser
from tests.collector.world import days, envelope, throughput
from tests.flow.programs import ENVIRONMENT, python, stop, until
from tests.postgres_server import shared_server

PROBLEM = Problem(
    school="s001", town="t01", target="classroom_bandwidth", subject="c101", state="open", opened_on=date(2026, 9, 9),
    due_on=date(2026, 9, 24), diagnosis="port_speed_10", evidence=bilingual("8 of 8", "8 次中有 8 次"),
    unit="integrator", failing_days=3,
)  # fmt: skip
OF_A_PROCESS = re.compile(r"(# (HELP|TYPE) )?campus_(ingest_request_duration|scrape)_")


@dataclass
class Collectors:
    """Both, as one address: each look at `port` chooses one of them."""

    store: Store
    ports: list[int]
    chance: random.Random = field(default_factory=lambda: random.Random(17))

    @property
    def port(self) -> int:
        return self.chance.choice(self.ports)

    def request(
        self, method: str, path: str, body: bytes | None = None, port: int | None = None, **headers: str
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def agent(self, path: str, token: str, content: Any) -> tuple[int, Any]:
        """A gateway's request, and what it is answered."""
        packed = compress(content) if isinstance(content, bytes) else json.dumps(content).encode()
        encoding = {"Content_Encoding": "gzip"} if isinstance(content, bytes) else {}
        status, body = self.request(
            "POST", path, packed, Authorization=f"Bearer {token}", Content_Type="application/json", **encoding
        )
        return status, json.loads(body)

    def agent_token(self, school: str) -> str:
        token = new_token()
        self.store.tokens.issue(token_hash(token), Principal(school, school), "t01", datetime.now(UTC))
        return token

    def person_token(self, name: str, role: str) -> str:
        token = new_token()
        self.store.people.put(Person(name, role, ""), datetime.now(UTC), "console", token_hash(token))
        return token


class Visitor(Browser):
    """A browser at an address of its own, behind the proxy that both believe."""

    def __init__(self, collectors: Collectors, address: str) -> None:
        super().__init__(collectors)  # type: ignore[arg-type]
        self.address = address

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        return super().send(method, path, body, **headers, X_Forwarded_For=self.address)


@pytest.fixture(scope="module")
def collectors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collectors]:
    url = shared_server().new_database()
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    store = open_store(PostgresUrl(url))
    processes = [serve(folder, url) for folder in folders]
    try:
        yield Collectors(store, [port_of(folder) for folder in folders])
    finally:
        for process in processes:
            stop(process)
        store.close()


def serve(folder: Path, url: str) -> "subprocess.Popen[bytes]":
    environment = ENVIRONMENT | {
        "CAMPUS_STORE_URL": url,
        "CAMPUS_SERVER_LISTEN": "127.0.0.1:0",
        "CAMPUS_SERVER_TRUSTED_PROXIES": '["127.0.0.1"]',
    }
    with (folder / "log").open("wb") as log:
        command = python("campus_collector", "serve", "--state-dir", str(folder))
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)


def port_of(folder: Path) -> int:
    def listening() -> "re.Match[str] | None":
        return re.search(r"Overview: http://127\.0\.0\.1:(\d+)/", (folder / "log").read_text())

    return int(until(listening, 120, f"it listens: {(folder / 'log').read_text()}")[1])


def test_a_person_logs_in_works_on_the_ledger_and_logs_out(collectors: Collectors) -> None:
    opened = Event(
        at=datetime(2026, 9, 10, tzinfo=UTC), who="measurements", what="opened", values={"day": "2026-09-09"}
    )
    collectors.store.ledger.put([(PROBLEM, [opened])])
    browser = Visitor(collectors, "192.0.2.1")
    assert browser.post("/login", token=collectors.person_token("张三", "operator"), next="/problems/1")[0] == 303
    for number in range(6):
        token = browser.form_token("/problems/1")
        assert browser.post("/problems/1", form_token=token, action="comment", text=f"备注{number}")[0] == 303
        page = browser.send("GET", "/problems/1")[1]
        assert [f"备注{each}" in page for each in range(7)] == [each <= number for each in range(7)]
    copied = dict(browser.cookies)
    assert browser.post("/logout", form_token=token)[0] == 303
    for _ in range(6):
        browser.cookies = dict(copied)
        assert browser.send("GET", "/problems/1", Accept="text/html")[0] == 303, "logged out of both"


def test_an_inventory_is_looked_at_here_and_put_in_force_there(collectors: Collectors) -> None:
    browser = Visitor(collectors, "192.0.2.2")
    browser.post("/login", token=collectors.person_token("李四", "admin"))
    for version, schools in enumerate((2, 3, 4, 5), 1):
        token = browser.form_token("/inventory")
        status, text, _ = browser.upload("/inventory", "县.xlsx", as_xlsx(sample(schools)), form_token=token)
        assert status == 200
        pending = re.search(r'name="pending" value="([^"]+)"', text)
        assert pending is not None
        assert browser.post("/inventory/apply", form_token=token, pending=pending[1], since="x", remove="yes")[0] == 422
        fields = {"form_token": token, "pending": pending[1], "remove": "yes"}
        status, text, _ = browser.post("/inventory/apply", **fields)
        assert (status, f"自生效日期起执行（第 {version} 版）" in text) == (200, True)
        assert browser.post("/inventory/apply", **fields)[0] == 409, "once"
        assert collectors.store.inventory.version() == version


def test_one_upload_that_is_put_in_force_twice_at_once_is_one_version(collectors: Collectors) -> None:
    browser = Visitor(collectors, "192.0.2.3")
    browser.post("/login", token=collectors.person_token("赵六", "admin"))
    token, before = browser.form_token("/inventory"), collectors.store.inventory.version()
    text = browser.upload("/inventory", "县.xlsx", as_xlsx(sample(7)), form_token=token)[1]
    pending = re.search(r'name="pending" value="([^"]+)"', text)
    assert pending is not None
    statuses: list[int] = []

    def apply() -> None:
        fields = {"form_token": token, "pending": pending[1], "remove": "yes"}
        statuses.append(browser.post("/inventory/apply", **fields)[0])

    in_threads([apply] * 4)
    assert sorted(statuses) == [200, 409, 409, 409]
    assert collectors.store.inventory.version() == before + 1


def test_results_come_in_at_both_and_a_report_is_the_same_from_either(collectors: Collectors) -> None:
    tokens = {school: collectors.agent_token(school) for school in ("s901", "s902", "s903")}
    for at in days(6, 2):
        for school, token in tokens.items():
            result = throughput(at=at, school=school, subject="c101")
            batch = envelope(result, agent_id=school)
            receipts = [collectors.agent("/v1/results", token, batch) for _ in range(2)]
            assert [(status, receipt["stored"], receipt["duplicate"]) for status, receipt in receipts] == [
                (200, 1, 0),
                (200, 0, 1),
            ]
    reader = {"Authorization": f"Bearer {collectors.person_token('读者', 'viewer')}"}
    for path in ("/v1/schools/s901?month=2026-11", "/v1/monthly/2026-11.html?school=s901"):
        answers = [collectors.request("GET", path, port=port, **reader) for port in collectors.ports * 2]
        assert {status for status, _ in answers} == {200}
        bodies = {without_moments(body) for _, body in answers}
        assert len(bodies) == 1, path

    def is_judged() -> bool:
        return all(
            "campus_judge_waiting_schools 0.0" in metrics_of(collectors, port, reader) for port in collectors.ports
        )

    until(is_judged, 60, "everything is judged")
    first, second = (set(metrics_of(collectors, port, reader)) for port in collectors.ports)
    assert sorted(first ^ second) == []


def without_moments(body: bytes) -> bytes:
    """Without the moment at which the figures were taken, and the hash of the figures, which hold that moment."""
    figures = re.search(rb'content-sha256" content="(\w+)"', body)
    body = re.sub(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+\d\d:\d\d)?", b"", body)
    return body.replace(figures[1], b"") if figures else body


def metrics_of(collectors: Collectors, port: int, reader: dict[str, str]) -> list[str]:
    status, body = collectors.request("GET", "/metrics", port=port, **reader)
    assert status == 200
    return [line for line in body.decode().splitlines() if not OF_A_PROCESS.match(line)]


def test_a_code_enrols_one_gateway(collectors: Collectors) -> None:
    code = "ABCD-EFGH-JKMN"
    now = datetime.now(UTC)
    collectors.store.tokens.issue_code(code_hash(plain(code) or ""), "s950", "t01", now, now + timedelta(hours=1))
    statuses: list[int] = []

    def enrol() -> None:
        body = json.dumps({"code": code}).encode()
        headers = {"Content_Type": "application/json", "X_Forwarded_For": "192.0.2.4"}
        statuses.append(collectors.request("POST", "/v1/enroll", body, **headers)[0])

    in_threads([enrol] * 8)
    assert sorted(statuses) == [201] + [403] * 7


def test_wrong_log_ins_are_counted_by_both_together(collectors: Collectors) -> None:
    browser = Visitor(collectors, "192.0.2.5")
    assert [browser.post("/login", token=f"cm1_{number}")[0] for number in range(14)] == [401] * 10 + [429] * 4
    assert Visitor(collectors, "192.0.2.6").post("/login", token="cm1_x")[0] == 401, "another address may try"


def test_turns_on_the_test_server_are_given_once(collectors: Collectors) -> None:
    schools = [f"s96{number}" for number in range(8)]
    tokens = {school: collectors.agent_token(school) for school in schools}
    asked = {"seconds": 30.0, "bits_per_second": 1e9, "latest_start_seconds": 3600.0}
    given: list[tuple[str, dict[str, Any]]] = []
    in_threads([lambda school=school: given.append((school, collectors.agent("/v1/slots", tokens[school], asked)[1])) for school in schools])  # type: ignore[misc]  # fmt: skip
    slots = collectors.store._database.read("SELECT starts_at, ends_at FROM slot ORDER BY starts_at")
    assert len(slots) == 8
    assert all(slots[number][1] <= slots[number + 1][0] for number in range(7)), "one after the other"
    for school, slot in given:
        assert collectors.agent(f"/v1/slots/{slot['id']}/release", tokens[school], {})[0] == 200
        assert collectors.agent(f"/v1/slots/{slot['id']}/release", tokens[school], {})[0] == 404


def in_threads(work: list[Any]) -> None:
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
