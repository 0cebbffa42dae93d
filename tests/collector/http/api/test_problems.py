"""The ledger over HTTP: reading, working with a token, logging in, and what is refused."""

import http.client
import json
import re
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import pytest

from campus_base.messages import bilingual
from campus_collector.cli.main import main
from campus_collector.domain.people import Person
from campus_collector.domain.problem import Event, Problem
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.inventory.sample import sample
from campus_collector.inventory.write import as_xlsx
from tests.collector.world import World

PROBLEM = Problem(
    school="s001", town="t01", target="classroom_bandwidth", subject="c101", state="open", opened_on=date(2026, 9, 9),
    due_on=date(2026, 9, 24), diagnosis="port_speed_10", evidence=bilingual("8 of 8", "8 次中有 8 次"),
    unit="integrator", failing_days=3,
)  # fmt: skip


@pytest.fixture
def ledger(world: World) -> World:
    """One problem."""
    world.send()
    world.issue_token("s002")
    opened = Event(
        at=datetime(2026, 9, 10, tzinfo=UTC),
        who="measurements",
        what="opened",
        values={"day": "2026-09-09", "cause": "port_speed_10"},
    )
    world.service.store.ledger.put([(PROBLEM, [opened])])
    return world


def person(world: World, name: str = "张三", role: str = "operator", town: str = "") -> str:
    token = new_token()
    world.service.store.people.put(Person(name, role, town), datetime.now(UTC), "console", token_hash(token))
    return token


def patch(world: World, token: str | None, body: object, number: int = 1) -> tuple[int, dict]:
    headers = {"Content_Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    answer = world.request("PATCH", f"/v1/problems/{number}", json.dumps(body).encode(), **headers)
    return answer.status, answer.json


def test_the_list_and_one_problem(ledger: World) -> None:
    (row,) = ledger.get("/v1/problems").json["problems"]
    assert (row["id"], row["state"], row["overdue"], row["subject"]) == (1, "open", True, "c101")
    assert (
        row["text"]["zh"]
        == "一年级1班“百兆进班”：未达要求的测量速率集中在 10 Mbps 左右：端口可能协商为 10 Mbps（8 次中有 8 次）"
    )
    assert row["measure"] == ""
    detail = ledger.get("/v1/problems/1").json
    assert [event["words"]["zh"] for event in detail["history"]] == ["列入台账"]
    assert ledger.get("/v1/problems/2").status == 404
    assert ledger.get("/v1/problems/x").status == 404


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("town=t01", 1), ("target=classroom_bandwidth", 1), ("target=live_class", 0),
        ("state=overdue", 1), ("state=closed", 0), ("state=contradicted", 0), ("state=all", 1),
        ("older_than=1", 1), ("older_than=9999", 0), ("school=s001", 1), ("school=s002", 0),
    ],
)  # fmt: skip
def test_selections(ledger: World, query: str, count: int) -> None:
    assert len(ledger.get(f"/v1/problems?{query}").json["problems"]) == count
    assert ledger.get(f"/problems?{query}", Accept_Language="zh").status == 200


@pytest.mark.parametrize("query", ["target=x", "state=x", "older_than=-1", "older_than=x"])
def test_bad_selections(ledger: World, query: str) -> None:
    assert ledger.get(f"/v1/problems?{query}").status == 400


def test_a_person_works_on_it(ledger: World) -> None:
    token = person(ledger)
    assert patch(ledger, token, {"action": "acknowledge"})[1]["state"] == "acknowledged"
    assert patch(ledger, token, {"action": "assign", "responsible": "县网络中心"})[1]["responsible"] == "县网络中心"
    due = (datetime.now(UTC).date() + timedelta(days=10)).isoformat()
    assert patch(ledger, token, {"action": "due", "due_on": due})[1]["due_on"] == due
    assert patch(ledger, token, {"action": "measure", "text": "更换网线"})[1]["measure"] == "更换网线"
    assert patch(ledger, token, {"action": "claim_fixed", "text": "已更换"})[1]["state"] == "claimed_fixed"
    status, body = patch(ledger, token, {"action": "claim_fixed"})
    assert (status, body["title"]) == (409, "Not possible")
    history = ledger.get("/v1/problems/1", Authorization=f"Bearer {token}").json["history"]
    assert [each["what"] for each in history] == [
        "opened", "acknowledged", "assigned", "due_changed", "measure_noted", "claimed_fixed", "command_asked",
    ]  # fmt: skip
    assert {each["who"] for each in history[1:]} == {"张三"}
    assert history[3]["values"] == {"due_on": due, "before": "2026-09-24"}


def test_nobody_can_strike_it_off_by_hand(ledger: World) -> None:
    token = person(ledger)
    assert patch(ledger, token, {"action": "close"})[0] == 409
    assert patch(ledger, token, {"action": "comment", "text": "x", "state": "closed"})[0] == 400
    assert ledger.get("/v1/problems/1", Authorization=f"Bearer {token}").json["state"] == "open"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400), ({"action": 1}, 400), ([], 400), ({"action": "comment"}, 409), ({"action": "comment", "text": "x" * 501}, 409),
        ({"action": "due", "due_on": "soon"}, 409), ({"action": "due", "due_on": "2020-01-01"}, 409),
        ({"action": "assign"}, 409), ({"action": "assign", "responsible": "x" * 101}, 409),
        ({"action": "comment", "text": "x" * 20_000}, 413),
    ],
)  # fmt: skip
def test_bad_bodies(ledger: World, body: object, status: int) -> None:
    assert patch(ledger, person(ledger), body)[0] == status


def test_who_may_not(ledger: World) -> None:
    body = {"action": "comment", "text": "x"}
    assert patch(ledger, None, body)[0] == 401
    assert patch(ledger, "cm1_wrong", body)[0] == 401
    assert patch(ledger, ledger.token, body)[0] == 401, "an agent's token is no person's"
    assert patch(ledger, person(ledger, "他镇", town="t02"), body)[0] == 403
    assert patch(ledger, person(ledger, "本镇", town="t01"), body)[0] == 200
    token = person(ledger, "离任")
    ledger.service.store.people.revoke("离任", datetime.now(UTC), "console")
    assert patch(ledger, token, body)[0] == 401
    assert patch(ledger, person(ledger), body, number=99)[0] == 404


def test_as_a_supervision_list(ledger: World) -> None:
    text = ledger.get("/v1/problems.csv").body.decode("utf-8-sig").splitlines()
    assert text[0].startswith("编号,镇街,学校,问题,责任单位,整改措施,整改期限,状态")
    assert text[1].split(",")[:3] == ["1", "t01", "s001"]
    assert "待整改；逾期" in text[1]
    import io

    from openpyxl import load_workbook

    page = load_workbook(io.BytesIO(ledger.get("/v1/problems.xlsx").body)).active
    assert [cell.value for cell in page[1]][:4] == ["编号", "镇街", "学校", "问题"]
    assert page.freeze_panes == "A2"
    assert ledger.get("/v1/problems.pdf").status == 404


class Browser:
    """Keeps its cookies."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cookies: dict[str, str] = {}

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.world.port, timeout=60)
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Cookie": cookie, "Accept-Language": "zh"} | named)
        answer = connection.getresponse()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
                if "Max-Age=0" in value or not self.cookies[key].strip('"'):
                    del self.cookies[key]
        text = answer.read().decode(errors="replace")
        connection.close()
        return answer.status, text, dict(answer.getheaders())

    def post(self, path: str, **fields: str) -> tuple[int, str, dict[str, str]]:
        body = urlencode(fields).encode()
        return self.send("POST", path, body, Content_Type="application/x-www-form-urlencoded")

    def upload(self, path: str, name: str, octets: bytes, **fields: str) -> tuple[int, str, dict[str, str]]:
        parts = [
            f'--xx\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()
        ]
        head = f'--xx\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        body = b"".join([*parts, head.encode(), octets, b"\r\n--xx--\r\n"])
        return self.send("POST", path, body, Content_Type="multipart/form-data; boundary=xx")

    def form_token(self, path: str) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', self.send("GET", path)[1])
        assert found is not None
        return found[1]


def test_log_in_work_and_log_out(ledger: World) -> None:
    browser = Browser(ledger)
    assert "登录后办理" in browser.send("GET", "/problems/1")[1]
    status, text, _ = browser.post("/login", token="cm1_wrong", next="/problems/1")
    assert (status, "令牌不存在或已吊销" in text) == (401, True)
    status, _, headers = browser.post("/login", token=person(ledger), next="/problems/1")
    assert (status, headers["location"]) == (303, "/problems/1")
    assert "httponly" in headers["set-cookie"].lower()
    assert "samesite=strict" in headers["set-cookie"].lower()
    token = browser.form_token("/problems/1")
    status, _, headers = browser.post("/problems/1", form_token=token, action="claim_fixed", text="已修复 <b>")
    assert (status, headers["location"]) == (303, "/problems/1")
    page = browser.send("GET", "/problems/1")[1]
    assert "已申请销号，核验中" in page
    assert "已修复 &lt;b&gt;" in page
    status, text, _ = browser.post("/problems/1", form_token=token, action="claim_fixed")
    assert (status, "已申请销号，等待实测核验" in text) == (409, True)
    browser.post("/logout", form_token=token)
    status, _, headers = browser.send("GET", "/problems/1", Accept="text/html")
    assert (status, headers["location"]) == (303, "/login?next=/problems/1"), "with people, reading needs a log-in"


def test_a_forged_form_is_refused(ledger: World) -> None:
    browser = Browser(ledger)
    browser.post("/login", token=person(ledger))
    status, text, _ = browser.post("/problems/1", form_token="forged", action="acknowledge")
    assert (status, "页面已过期" in text) == (409, True)
    assert Browser(ledger).post("/problems/1", form_token="x", action="acknowledge")[0] == 401
    assert ledger.service.store.ledger.problem(1).state == "open"
    assert browser.post("/logout", form_token="forged")[0] == 403


def test_guessing_is_bounded(ledger: World) -> None:
    browser = Browser(ledger)
    statuses = [browser.post("/login", token=f"cm1_{number}")[0] for number in range(11)]
    assert statuses == [401] * 10 + [429]
    assert browser.post("/login", token=person(ledger))[0] == 429, "even the right one, for some minutes"


@pytest.mark.parametrize(
    "path", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/problems\\x", "javascript:x"]
)
def test_logging_in_leads_nowhere_else(ledger: World, path: str) -> None:
    headers = Browser(ledger).post("/login", token=person(ledger), next=path)[2]
    assert headers["location"] == "/problems"


def test_a_session_ends_when_the_token_is_revoked(ledger: World) -> None:
    browser = Browser(ledger)
    browser.post("/login", token=person(ledger))
    token = browser.form_token("/problems/1")
    ledger.service.store.people.revoke("张三", datetime.now(UTC), "console")
    assert browser.post("/problems/1", form_token=token, action="acknowledge")[0] == 401
    assert ledger.service.store.ledger.problem(1).state == "open"


def test_the_inventory_by_upload(ledger: World) -> None:
    browser = Browser(ledger)
    browser.post("/login", token=person(ledger, "李四", "admin"))
    token = browser.form_token("/inventory")
    book = as_xlsx(sample(3))
    status, text, _ = browser.upload("/inventory", "县.xlsx", book, form_token=token)
    assert (status, "新增 3" in text) == (200, True)
    pending = re.search(r'name="pending" value="([^"]+)"', text)
    assert pending is not None
    assert ledger.service.store.inventory.imports() == [], "looking changes nothing"
    for slip in ("2026年9月", "9/1", "20266-09-01", "9999-12-31"):
        status, text, _ = browser.post("/inventory/apply", form_token=token, pending=pending[1], since=slip)
        assert (status, "生效日期" in text, ledger.service.store.inventory.imports()) == (422, True, [])
    status, text, _ = browser.post("/inventory/apply", form_token=token, pending=pending[1], since="２０２６年9月1日")
    assert (status, "自生效日期起执行（第 1 版）" in text) == (200, True)
    began = ledger.service.store.inventory.imports()[0].effective_from
    assert began is not None
    assert began.astimezone(ledger.service.config.timezone).date() == date(2026, 9, 1)
    assert len(ledger.service.store.inventory.current().schools or ()) == 3
    assert ledger.service.store.inventory.imports()[0].imported_by == "李四"
    status, text, _ = browser.post("/inventory/apply", form_token=token, pending=pending[1])
    assert (status, "页面已过期" in text) == (409, True)
    assert browser.send("GET", "/inventory.xlsx")[0] == 200


def test_mistakes_of_an_upload_are_listed(ledger: World) -> None:
    browser = Browser(ledger)
    browser.post("/login", token=person(ledger, role="admin"))
    token = browser.form_token("/inventory")
    text = "镇街编号,镇街,学校编号,学校,镇驻地\nT1,镇,s001,校,也许\n".encode("gb18030")
    status, page, _ = browser.upload("/inventory", "schools.csv", text, form_token=token)
    assert status == 422
    assert "共 2 处错误，未做任何修改" in page
    assert "schools.csv 第 2 行“镇驻地”列：只能填 1/0 或 是/否，不能是“也许”" in page
    status, page, _ = browser.upload("/inventory", "x.xls", b"", form_token=token)
    assert (status, "旧的 .xls 请先另存为 .xlsx" in page) == (422, True)


def test_only_an_admin_imports(ledger: World) -> None:
    browser = Browser(ledger)
    browser.post("/login", token=person(ledger))
    token = browser.form_token("/inventory")
    assert browser.upload("/inventory", "a.xlsx", as_xlsx(sample(2)), form_token=token)[0] == 403
    assert browser.upload("/inventory", "a.xlsx", as_xlsx(sample(2)), form_token="forged")[0] == 403
    assert Browser(ledger).upload("/inventory", "a.xlsx", b"", form_token="x")[0] == 401


def test_pages_of_policy_and_derivation(ledger: World) -> None:
    policy = ledger.get("/policy", Accept_Language="zh").body.decode()
    assert "上行、下行线路速率均不低于 98 Mbps（要求 100 Mbps，允许误差后×0.98）的为合格" in policy
    assert "连续 3 个测量日达标的，自动销号" in policy
    assert "tolerance_ratio = 0.98" in policy, "the whole text is there"
    page = ledger.get("/explain/classroom_bandwidth/s001/c101", Accept_Language="zh").body.decode()
    assert "数据不足" in page
    assert ledger.get("/explain/classroom_bandwidth/s001/c999").status == 404
    assert ledger.get("/explain/nonsense/s001/c101").status == 404


def test_a_person_by_command(tmp_path, capsys) -> None:
    assert main(["person", "add", "王五", "--role", "admin", "--state-dir", str(tmp_path)]) == 0
    token = capsys.readouterr().out.strip()
    assert token.startswith("cm1_")
    assert token.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert main(["person", "revoke", "王五", "--state-dir", str(tmp_path)]) == 0
    assert main(["person", "revoke", "王五", "--state-dir", str(tmp_path)]) == 1
    assert main(["person", "add", "x" * 41, "--state-dir", str(tmp_path)]) == 2
