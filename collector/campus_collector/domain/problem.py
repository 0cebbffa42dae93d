"""A problem of the ledger and what happens to it, as they are stored and sent."""

from datetime import date, datetime
from typing import Literal

import msgspec

from campus_base.language import Text

State = Literal["open", "acknowledged", "claimed_fixed", "closed"]
STATES: tuple[State, ...] = ("open", "acknowledged", "claimed_fixed", "closed")
STATE_WORDS: dict[str, Text] = {
    "open": Text("open", "待整改"),
    "acknowledged": Text("acknowledged", "整改中"),
    "claimed_fixed": Text("claimed fixed, being verified", "已报整改完成，核验中"),
    "closed": Text("struck off", "已销号"),
}
What = Literal[
    "opened",
    "reopened",
    "changed",
    "acknowledged",
    "assigned",
    "due_changed",
    "measure_noted",
    "commented",
    "claimed_fixed",
    "claim_contradicted",
    "closed",
    "merged",
    "withdrawn",
    "inventory_imported",
    "logged_in",
    "person_admitted",
    "person_refused",
    "person_locked",
    "person_unlocked",
    "password_changed",
    "token_issued",
    "tokens_revoked",
    "code_issued",
    "agent_enrolled",
]
WHAT_WORDS: dict[str, Text] = {
    "opened": Text("opened", "立案"),
    "reopened": Text("opened again", "重新立案"),
    "changed": Text("evidence changed", "证据更新"),
    "acknowledged": Text("acknowledged", "已受理"),
    "assigned": Text("assigned", "指定责任单位"),
    "due_changed": Text("due date changed", "调整完成时限"),
    "measure_noted": Text("measure noted", "填写整改措施"),
    "commented": Text("comment", "备注"),
    "claimed_fixed": Text("claimed fixed", "报整改完成"),
    "claim_contradicted": Text("measurements contradict the claim", "实测与整改结论不符"),
    "closed": Text("struck off: measurements pass", "实测达标，销号"),
    "merged": Text("now part of a problem of the whole school", "并入全校问题"),
    "withdrawn": Text("no longer judged: removed or exempt", "不再考核（已移除或免考核）"),
    "inventory_imported": Text("inventory imported", "导入基础信息"),
    "logged_in": Text("logged in", "登录"),
    "person_admitted": Text("let a person in", "授权人员"),
    "person_refused": Text("withdrew a person's access", "撤销人员权限"),
    "person_locked": Text("locked after wrong passwords", "密码多次错误，暂停登录"),
    "person_unlocked": Text("unlocked a person", "解除登录限制"),
    "password_changed": Text("password changed", "修改密码"),
    "token_issued": Text("agent token issued", "签发网关令牌"),
    "tokens_revoked": Text("agent tokens revoked", "吊销网关令牌"),
    "code_issued": Text("enrolment code issued", "签发注册码"),
    "agent_enrolled": Text("gateway enrolled", "网关完成注册"),
}
MEASUREMENTS = "measurements"
"""Who acts when no person does."""
CONSOLE = "console"
"""Who acts by a command on the collector's machine."""
ACTOR_WORDS = {MEASUREMENTS: Text("measurements", "实测"), CONSOLE: Text("command line", "命令行")}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One subject, or a whole school (subject ""), that fails one target from a day on. `covers` are the subjects of a school's problem."""

    id: int = 0
    school: str
    town: str
    target: str
    subject: str
    state: State
    opened_on: date
    due_on: date
    diagnosis: str
    evidence_en: str
    evidence_zh: str
    unit: str
    failing_days: int
    covers: list[str] = []
    severity: Literal["failing", "silent"] = "failing"
    reopened: int = 0
    contradicted: int = 0
    claimed_on: date | None = None
    closed_on: date | None = None
    last_failing_on: date | None = None
    passing_days: int = 0
    measure: str = ""
    responsible: str = ""
    version: int = 0
    """Grows with each change: work that was done on an older one is not written over a newer one."""

    @property
    def is_open(self) -> bool:
        """Is there still something to do?"""
        return self.state != "closed"

    def overdue_on(self, day: date) -> bool:
        """Is it still open after its due date?"""
        return self.is_open and day > self.due_on


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened: by whom (a person, or `measurements`), when, and in what words."""

    at: datetime
    who: str
    what: What
    text: str = ""
    problem: int | None = None
    values: dict[str, str] = {}
