"""Three collectors behind a real nginx with the shipped configuration, one of them killed again and again in the middle of requests.

A person's reading always succeeds; what the person sends is done once, or the answer says that it is not known, and then looking tells.
"""

import contextlib
import io
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest
import requests
from playwright.sync_api import sync_playwright

from campus_collector.domain.people import Person
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.domain.problem import Event
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.inventory.sample import sample
from campus_collector.inventory.write import as_xlsx
from campus_collector.store.open import open_store
from campus_collector.store.store import Store
from tests.browser.test_pages import OPTIONS
from tests.collector.store.test_store import batch
from tests.collector.world import ANNOUNCEMENT, throughput
from tests.fakes.certificates import Authority
from tests.flow.programs import ENVIRONMENT, python, stop, until
from tests.postgres_server import shared_server
from tests.two_at_once.test_collectors import PROBLEM

SAMPLE = Path(__file__).parents[2] / "deploy" / "nginx.several.sample.conf"
PORTS = ("8081", "8082", "8083")
NOT_KNOWN = "没有收到应答"
OPENED = Event(at=datetime(2026, 9, 10, tzinfo=UTC), who="measurements", what="opened", values={"day": "2026-09-09"})
COMMENTS = 25
VERSIONS = 4
pytestmark = pytest.mark.sqlite_only("several collectors need a server")


@dataclass
class Site:
    """nginx and the collectors behind it."""

    store: Store
    url: str
    ca: Path
    ports: list[int]
    folders: list[Path]
    database: str
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    kills: int = 0
    posting: threading.Event = field(default_factory=threading.Event)

    def start(self, number: int) -> "subprocess.Popen[bytes]":
        environment = ENVIRONMENT | {
            "CAMPUS_STORE_URL": self.database,
            "CAMPUS_SERVER_LISTEN": f"127.0.0.1:{self.ports[number]}",
            "CAMPUS_SERVER_TRUSTED_PROXIES": '["127.0.0.1"]',
        }
        command = python("campus_collector", "serve", "--state-dir", str(self.folders[number]))
        with (self.folders[number] / "log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    def wait_for(self, number: int) -> None:
        def is_ready() -> bool:
            with contextlib.suppress(requests.RequestException):
                return requests.get(f"http://127.0.0.1:{self.ports[number]}/readyz", timeout=10).ok
            return False

        until(is_ready, 120, f"a collector listens: {self.folders[number] / 'log'}")

    def restart(self, numbers: list[int]) -> None:
        """Killed, started, and ready again, also in nginx's eyes."""
        for number in numbers:
            self.processes[number].kill()
            self.processes[number].wait()
        for number in numbers:
            self.processes[number] = self.start(number)
        for number in numbers:
            self.wait_for(number)
        time.sleep(5.5)

    @contextlib.contextmanager
    def killing(self) -> Iterator[None]:
        """Meanwhile one collector after the other is killed and started again; the others are there."""
        stopped = threading.Event()

        def kill() -> None:
            chance = random.Random(17)
            while not stopped.is_set():
                self.posting.clear()
                self.posting.wait(2)
                time.sleep(chance.uniform(0, 0.04))  # in the middle of it
                number = chance.randrange(len(self.processes))
                self.processes[number].kill()
                self.processes[number].wait()
                self.kills += 1
                self.processes[number] = self.start(number)
                self.wait_for(number)
                # nginx leaves it alone for 5 s: of three not all may be left alone
                stopped.wait(2.0)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            yield
        finally:
            stopped.set()
            killer.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("NO NGINX: install the package nginx-light")
    folder = tmp_path_factory.mktemp("site")
    database = shared_server().new_database()
    (port, *ports) = free_ports(4)
    folders = [tmp_path_factory.mktemp("collector") for _ in ports]
    authority = Authority(folder / "ca")
    certificate, key = authority.certificate("bureau", "IP:127.0.0.1")
    text = SAMPLE.read_text()
    for sample_text, here in {
        **{f"127.0.0.1:{shipped}": f"127.0.0.1:{actual}" for shipped, actual in zip(PORTS, ports, strict=True)},
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server_name bureau.example": "server_name 127.0.0.1",
        "/etc/nginx/bureau.pem": str(certificate),
        "/etc/nginx/bureau-key.pem": str(key),
    }.items():
        assert sample_text in text
        text = text.replace(sample_text, here)
    (folder / "site.conf").write_text(text)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; user root;\n"
        f"events {{}}\nhttp {{ access_log {folder}/access.log;\n{temporary}include {folder}/site.conf; }}\n"
    )
    store = open_store(PostgresUrl(database))
    site = Site(store, f"https://127.0.0.1:{port}", authority.ca_file, ports, folders, database)
    proxy = None
    try:
        site.processes = [site.start(number) for number in range(3)]
        for number in range(3):
            site.wait_for(number)
        with (folder / "log").open("wb") as log:
            proxy = subprocess.Popen([nginx, "-p", folder, "-c", folder / "nginx.conf"], stdout=log, stderr=log)
        until(lambda: (folder / "pid").exists() or proxy.poll() is not None, 60, "nginx runs")
        assert proxy.poll() is None, (folder / "log").read_text()
        yield site
    finally:
        for process in [*site.processes, *([proxy] if proxy is not None else [])]:
            stop(process)
        store.close()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Visitor:
    """A person with a browser: keeps cookies, sends forms, does not follow what it is sent on to."""

    def __init__(self, site: Site, token: str) -> None:
        self.site, self.token = site, token
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy, no other authority
        self.session.verify = str(site.ca)
        self.session.headers.update({"Accept": "text/html", "Accept-Language": "zh"})
        self.not_known = 0

    def get(self, path: str) -> requests.Response:
        """Read it. Only a download that broke off, which a browser says, is begun again."""
        for _ in range(5):
            with contextlib.suppress(requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                answer = self.session.get(self.site.url + path, timeout=120, allow_redirects=False)
                assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
                return answer
        raise AssertionError(f"broke off again and again: {path}")

    def post(self, path: str, **more: object) -> requests.Response | None:
        """None: the page says that it is not known what came of it."""
        self.site.posting.set()
        answer = self.session.post(self.site.url + path, timeout=120, allow_redirects=False, **more)  # type: ignore[arg-type]
        if answer.status_code != 502:
            return answer
        assert NOT_KNOWN in answer.text
        self.not_known += 1
        time.sleep(2)  # nobody looks sooner; a commit that was under way has ended
        return None

    def log_in(self) -> None:
        while (answer := self.post("/login", data={"token": self.token, "next": "/"})) is None:
            pass
        assert answer.status_code == 303

    def form_token(self, path: str) -> str:
        match = re.search(r'name="form_token" value="([^"]+)"', self.get(path).text)
        assert match is not None
        return match[1]


@pytest.fixture
def visitor(site: Site) -> Visitor:
    token = new_token()
    site.store.people.put(Person(f"张{site.kills}", "admin", ""), datetime.now(UTC), "console", token_hash(token))
    person = Visitor(site, token)
    person.log_in()
    return person


def test_each_comment_is_there_once(site: Site, visitor: Visitor) -> None:
    site.store.ledger.put([(PROBLEM, [OPENED])])
    with site.killing():
        visitor.log_in()
        token = visitor.form_token("/problems/1")
        for number in range(COMMENTS):
            words = f"备注{number:03}号"
            send = {"form_token": token, "action": "comment", "text": words}
            while (answer := visitor.post("/problems/1", data=send)) is None:
                if words in visitor.get("/problems/1").text:
                    break
            assert answer is None or answer.status_code == 303
            assert words in visitor.get("/problems/1").text
            time.sleep(0.2)
    written = [str(event) for event in site.store.ledger.events(1)]
    for number in range(COMMENTS):
        assert sum(f"备注{number:03}号" in event for event in written) == 1
    print(f"{site.kills} kills, {visitor.not_known} answers that say it is not known")
    assert site.kills > 1


def test_requests_that_collectors_have_when_they_are_killed(site: Site, visitor: Visitor) -> None:
    """They hold them, without a word, and end. Reading is asked of another; a form may have been worked on, so that nobody else is asked."""
    site.store.ledger.put([(msgspec.structs.replace(PROBLEM, subject="c103"), [OPENED])])
    (number,) = [problem.id for problem in site.store.ledger.problems() if problem.subject == "c103"]
    path = f"/problems/{number}"
    send = {"form_token": visitor.form_token(path), "action": "comment", "text": "半途备注"}
    site.processes[0].send_signal(signal.SIGSTOP)
    with held([partial(visitor.get, path)] * 3) as pages:
        site.restart([0])
    assert [page.status_code for page in pages if page is not None] == [200] * 3
    for process in site.processes:
        process.send_signal(signal.SIGSTOP)
    with held([partial(visitor.post, path, data=send)]) as answers:
        site.restart([0, 1, 2])
    assert answers == [None]
    assert "半途备注" not in visitor.get(path).text
    answer = visitor.post(path, data=send)
    assert answer is not None
    assert answer.status_code == 303
    assert visitor.get(path).text.count("半途备注") == 1


@contextlib.contextmanager
def held(requests_: list[Callable[[], requests.Response | None]]) -> Iterator[list[requests.Response | None]]:
    """Requests that are under way while the block is done; what came of them, after it."""
    answers: list[requests.Response | None] = []
    threads = [threading.Thread(target=lambda work=work: answers.append(work())) for work in requests_]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    time.sleep(1)
    yield answers
    for thread in threads:
        thread.join()


def test_an_inventory_is_put_in_force_once(site: Site, visitor: Visitor) -> None:
    with site.killing():
        for version in range(1, VERSIONS + 1):
            token = visitor.form_token("/inventory")
            workbook = as_xlsx(sample(version + 1))
            pending = repeated(partial(preview, visitor, token, workbook))
            fields = {"form_token": token, "pending": pending, "remove": "yes"}
            answer = visitor.post("/inventory/apply", data=fields)
            # as the page says: look first
            if answer is None and site.store.inventory.version() < version:
                answer = repeated(partial(visitor.post, "/inventory/apply", data=fields))
            assert answer is None or answer.status_code in (200, 409), answer.text
            assert site.store.inventory.version() == version


def preview(visitor: Visitor, token: str, workbook: bytes) -> str | None:
    answer = visitor.post("/inventory", data={"form_token": token}, files={"file": ("县.xlsx", workbook)})
    if answer is None:
        return None
    match = re.search(r'name="pending" value="([^"]+)"', answer.text)
    assert match is not None, answer.text
    return match[1]


def repeated(work: Callable[[], "str | requests.Response | None"]) -> "str | requests.Response":
    for _ in range(10):
        if (answer := work()) is not None:
            return answer
    raise AssertionError("not known, again and again")


def test_pages_and_reports_are_read_whatever_is_killed(site: Site, visitor: Visitor) -> None:
    site.store.submit(batch(throughput(), announcement=ANNOUNCEMENT)).result(60)
    with site.killing():
        end = time.monotonic() + 12
        while time.monotonic() < end:
            for path in ("/", "/problems", "/inventory"):
                visitor.get(path)
            with zipfile.ZipFile(io.BytesIO(visitor.get("/v1/monthly/2026-11.xlsx").content)) as report:
                assert report.testzip() is None
    print(f"{site.kills} kills")


@pytest.mark.browser
def test_in_a_real_browser(site: Site, tmp_path: Path) -> None:
    """From the log-in to a report, each request answered by whichever collector nginx takes."""
    chromium = shutil.which("chromium")
    if chromium is None:
        assert not os.environ.get("CI"), "chromium must be there under CI"
        pytest.skip("NO CHROMIUM: install the package chromium")
    token, before = new_token(), site.store.inventory.version()
    site.store.people.put(Person("李四", "admin", ""), datetime.now(UTC), "console", token_hash(token))
    site.store.ledger.put([(msgspec.structs.replace(PROBLEM, subject="c102"), [OPENED])])
    (number,) = [problem.id for problem in site.store.ledger.problems() if problem.subject == "c102"]
    site.store.submit(batch(throughput(), announcement=ANNOUNCEMENT)).result(60)
    workbook = tmp_path / "county.xlsx"
    workbook.write_bytes(as_xlsx(sample(9)))
    home = {**os.environ, "HOME": str(tmp_path)}
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=OPTIONS, env=home)
        page = running.new_context(ignore_https_errors=True, locale="zh-CN", accept_downloads=True).new_page()
        page.set_default_timeout(120_000)
        page.set_default_timeout(120_000)
        page.goto(f"{site.url}/login?next=/problems/{number}")
        page.fill("input[name=token]", token)
        page.click("form:has(input[name=token]) button")
        for text in ("第一条备注", "第二条备注"):
            form = page.locator("form:has(input[name=action][value=comment])")
            form.locator("textarea").fill(text)
            form.locator("button").click()
            assert page.get_by_text(text).count() == 1
        page.goto(f"{site.url}/inventory")
        page.set_input_files("input[type=file]", workbook)
        page.click("form:has(input[type=file]) button")
        if page.locator("input[name=remove]").count():
            page.check("input[name=remove]")
        page.click("form[action$='/inventory/apply'] button")
        page.get_by_text(f"自生效日期起执行（第 {before + 1} 版）").wait_for()
        answer = page.request.get(f"{site.url}/v1/monthly/2026-11.xlsx")
        assert (answer.status, answer.body()[:2]) == (200, b"PK")
        running.close()
    assert site.store.inventory.version() == before + 1
