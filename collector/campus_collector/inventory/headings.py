"""The headings of the sheets, in Chinese and English, and what their cells may hold."""

import re
from dataclasses import dataclass
from typing import Literal

from campus_base.messages import Message, message

Kind = Literal[
    "id", "text", "reason", "flag", "port", "host", "url", "periods", "days", "statuses", "passage", "rate", "phone"
]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its key, its words, what a cell holds, whether it must."""

    key: str
    chinese: str
    kind: Kind
    needed: bool = True
    alike: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: `keys` name a row."""

    name: str
    words: Message
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    optional: bool = False
    """Not written while it has no rows."""

    def column(self, key: str) -> Column:
        return next(column for column in self.columns if column.key == key)

    def column_named(self, text: str) -> Column | None:
        """By a heading as people write it: either language, both, any case; None for none of this sheet's."""
        name = re.sub(r"\s+|[（(].*[)）]\Z", "", text).lower()
        return next((column for column in self.columns if name in (column.key, column.chinese, *column.alike)), None)


SHEETS: tuple[Sheet, ...] = (
    Sheet(
        "schools",
        message("schools"),
        (
            Column("town_id", "镇街编号", "id"),
            Column("town", "镇街", "text"),
            Column("school_id", "学校编号", "id"),
            Column("school", "学校", "text", alike=("学校名称",)),
            Column("town_seat", "是否镇中心校", "flag", alike=("镇中心校", "镇驻地")),
            Column("carrier", "运营商", "text", needed=False),
            Column("contract", "合同编号", "text", needed=False),
            Column("contract_bits_per_second", "合同速率", "rate", needed=False),
            Column("unit", "运维单位", "text", needed=False),
            Column("contact", "联系人", "text", needed=False),
            Column("phone", "电话", "phone", needed=False, alike=("联系电话",)),
        ),
        ("school_id",),
    ),
    Sheet(
        "classrooms",
        message("classrooms"),
        (
            Column("school_id", "学校编号", "id"),
            Column("classroom_id", "班级编号", "id"),
            Column("classroom", "班级", "text", alike=("班级名称",)),
            Column("host", "地址", "host", needed=False),
            Column("port", "端口", "port", needed=False),
            Column("exempt_reason", "免考核原因", "reason", needed=False),
        ),
        ("school_id", "classroom_id"),
    ),
    Sheet(
        "devices",
        message("devices"),
        (
            Column("school_id", "学校编号", "id"),
            Column("room_id", "录播室编号", "id"),
            Column("device_id", "设备编号", "id"),
            Column("device", "设备", "text", alike=("设备名称",)),
            Column("profile", "类型", "id"),
            Column("host", "地址", "host", needed=False),
            Column("required", "必备", "flag", needed=False),
        ),
        ("school_id", "device_id"),
    ),
    Sheet(
        "services",
        message("services"),
        (
            Column("service_id", "平台编号", "id"),
            Column("service", "平台", "text", alike=("平台名称",)),
            Column("url", "网址", "url"),
            Column("town_id", "镇街编号", "id", needed=False),
            Column("expect_status", "期望状态码", "statuses", needed=False),
            Column("expect_text", "期望内容", "passage", needed=False),
        ),
        ("service_id", "town_id"),
    ),
    Sheet(
        "timetables",
        message("timetables"),
        (
            Column("school_id", "学校编号", "id", needed=False),
            Column("periods", "节次", "periods", needed=False),
            Column("blackout", "停测日期", "days", needed=False),
        ),
        ("school_id",),
        optional=True,
    ),
)
