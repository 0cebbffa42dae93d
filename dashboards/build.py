"""The Grafana dashboards, in Chinese and English from one source: `python dashboards/build.py` writes `zh/` and `en/`; a test keeps them so.

Plain JSON of Grafana 10 and later (schema version 39), types as in `@grafana/schema`. Panels lie in rows of 24 columns, so that a wall screen shows a
whole dashboard and a phone shows one panel below the other.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
SCHEMA_VERSION = 39
LANGUAGES = ("zh", "en")
REFRESH = "1m"


class Text(NamedTuple):
    """Words in both languages."""

    en: str
    zh: str


GREEN, RED, ORANGE, GREY, BLUE = "#1b7f4b", "#b3261e", "#8a6100", "#808080", "#14507a"
TARGETS = {
    "classroom_bandwidth": Text("100 Mbit/s to every class", "百兆进班"),
    "uplink_bandwidth": Text("Gigabit to every school", "千兆进校"),
    "recording_room": Text("Recording room works", "录播室可用"),
    "live_class": Text("Ready for live lessons", "三个课堂线路"),
    "platform_access": Text("Cloud platforms reachable", "云平台可访问"),
}
TOWNS_CLASSROOMS = 'target="classroom_bandwidth",town!=""'
NO_DATA = Text("not measured yet", "尚无数据")
BITS, SECONDS, RATIO, COUNT = "bps", "s", "percentunit", "none"


def compliance(selector: str) -> str:
    """The compliance rate, absent where no subject has enough data (nobody knows, which is not 0 %), cut to 0.1 % so that it never reads as all."""
    known = f'sum by (county, target, town) (campus_target_subjects{{{selector},verdict=~"met|not_met"}}) > 0'
    return f"floor(1000 * campus_target_compliance_ratio{{{selector}}} + 1e-9) / 1000 and on (county, target, town) ({known})"


class Board:
    """One dashboard in one language, filled row by row."""

    def __init__(self, uid: str, title: Text, about: Text, language: str, variables: list[dict[str, Any]]) -> None:
        """Empty."""
        self._language, self._uid = language, uid
        self._title, self._about = title, about
        self._variables = variables
        self._panels: list[dict[str, Any]] = []
        self._x = self._y = self._height = 0

    def say(self, text: Text) -> str:
        """In its language."""
        return text.zh if self._language == "zh" else text.en

    def add(self, kind: str, title: Text, about: Text, unit: str, queries: list[tuple[str, Text | str]], width: int, height: int,
            **more: Any) -> None:  # fmt: skip
        """A panel; the next row begins when this one is full. `queries` are expression and legend."""
        if self._x + width > 24:
            self.row_ends()
        instant = kind in ("stat", "table", "bargauge")
        targets = [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": legend if isinstance(legend, str) else self.say(legend),
                "instant": instant,
                "range": not instant,
                "format": "table" if kind == "table" else "time_series",
            }
            for number, (expression, legend) in enumerate(queries)
        ]
        defaults = {"unit": unit, "noValue": self.say(NO_DATA)} | more.pop("defaults", {})
        self._panels.append(
            {
                "id": len(self._panels) + 1,
                "type": kind,
                "title": self.say(title),
                "description": self.say(about),
                "datasource": SOURCE,
                "gridPos": {"x": self._x, "y": self._y, "w": width, "h": height},
                "targets": targets,
                "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
                "options": more.pop("options", OPTIONS.get(kind, {})),
            }
            | ({"transformations": more.pop("transformations")} if "transformations" in more else {})
        )
        self._x, self._height = self._x + width, max(self._height, height)

    def row_ends(self) -> None:
        """The next panel begins a row."""
        self._y, self._x, self._height = self._y + self._height, 0, 0

    def json(self) -> dict[str, Any]:
        """As Grafana reads it."""
        uid = f"{self._uid}-en" if self._language == "en" else self._uid
        links = [
            {
                "title": self.say(title),
                "type": "link",
                "url": f"/d/{other}-en" if self._language == "en" else f"/d/{other}",
                "icon": "dashboard",
                "tooltip": "",
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "tags": [],
                "targetBlank": False,
            }
            for other, title in TITLES.items()
            if other != self._uid
        ]
        return {
            "uid": uid,
            "title": self.say(self._title),
            "description": self.say(self._about),
            "tags": ["campusmeter", self._language],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": REFRESH,
            "timezone": "Asia/Shanghai",
            "time": {"from": "now-7d", "to": "now"},
            "templating": {"list": [_localised(one, self._language) for one in self._variables]},
            "links": links,
            "panels": self._panels,
        }

    def link(self, uid: str, title: Text, variables: str) -> dict[str, Any]:
        """A way on from a value: to another dashboard with the town or school of that value."""
        end = f"{uid}-en" if self._language == "en" else uid
        return {"title": self.say(title), "url": f"/d/{end}?{variables}&${{__url_time_range}}", "targetBlank": False}


SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value",
             "graphMode": "none", "textMode": "auto", "justifyMode": "auto", "orientation": "auto", "wideLayout": True},
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                   "tooltip": {"mode": "multi", "sort": "desc"}},
    "bargauge": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "orientation": "horizontal",
                 "displayMode": "basic", "showUnfilled": True, "valueMode": "color", "minVizWidth": 8, "minVizHeight": 16,
                 "namePlacement": "auto", "sizing": "auto"},
    "state-timeline": {"showValue": "never", "rowHeight": 0.9, "mergeValues": True, "alignValue": "left",
                       "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                       "tooltip": {"mode": "single", "sort": "none"}},
    "table": {"showHeader": True, "cellHeight": "sm"},
}  # fmt: skip
TITLES = {
    "campus-prefecture": Text("CampusMeter: prefecture", "校园测：全市总览"),
    "campus-county": Text("CampusMeter: county", "校园测：全县总览"),
    "campus-town": Text("CampusMeter: town", "校园测：镇街"),
    "campus-school": Text("CampusMeter: school", "校园测：学校"),
    "campus-rooms": Text("CampusMeter: recording rooms", "校园测：录播室"),
    "campus-agents": Text("CampusMeter: gateways", "校园测：测速网关"),
    "campus-problems": Text("CampusMeter: problems", "校园测：问题台账"),
}
AREA = Text("CampusMeter: area", "校园测：上级汇总")
"""Not among the links of the others: only a collector of a prefecture or province has what it shows."""
MEASURED = '{__name__=~"campus_classroom_line_rate_bits_per_second|campus_uplink_line_rate_bits_per_second|campus_service_success|campus_room_up"'


def _variable(name: str, label: Text, query: str, *, multi: bool = True) -> dict[str, Any]:
    everything = {"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if multi else {}
    return everything | {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": multi,
        "includeAll": multi,
        "options": [],
        "hide": 0,
        "regex": "",
        "skipUrlSync": False,
    }


def _localised(variable: dict[str, Any], language: str) -> dict[str, Any]:
    label = variable["label"]
    return variable | {"label": label.zh if language == "zh" else label.en}


DATASOURCE = {
    "name": "datasource", "label": Text("Data source", "数据源"), "type": "datasource", "query": "prometheus",
    "options": [], "hide": 0, "multi": False, "includeAll": False, "refresh": 1, "regex": "", "skipUrlSync": False,
}  # fmt: skip
TOWN = _variable("town", Text("Town", "镇街"), 'label_values(campus_target_subjects{town!=""}, town)')
ONE_TOWN = _variable("town", Text("Town", "镇街"), 'label_values(campus_target_subjects{town!=""}, town)', multi=False)
SCHOOL = _variable("school", Text("School", "学校"), f'label_values({MEASURED},town=~"$town"}}, school)')
ONE_SCHOOL = _variable(
    "school", Text("School", "学校"), f'label_values({MEASURED},town=~"$town"}}, school)', multi=False
)
TARGET = _variable("target", Text("Target", "指标"), "label_values(campus_target_subjects, target)")

AREA_COUNTY = _variable("county", Text("County", "区县"), "label_values(campus_area_info, county)")
COUNTY = _variable("county", Text("County", "区县"), 'label_values(campus_target_subjects{town=""}, county)')
"""Prometheus gives the label to what it scrapes of a county; where there is none, "all" is what there is."""
CARRIER = _variable("carrier", Text("Carrier", "运营商"), 'label_values(campus_school_info{carrier!=""}, carrier)')
IN_COUNTY = 'county=~"$county"'
OF_CARRIER = f'* on (county, town, school) group_left (carrier) campus_school_info{{{IN_COUNTY},carrier!="",carrier=~"$carrier"}}'

SHARE_STEPS = {
    "mode": "absolute",
    "steps": [{"color": RED, "value": None}, {"color": ORANGE, "value": 0.8}, {"color": GREEN, "value": 1}],
}
UP_DOWN = [
    {
        "type": "value",
        "options": {"0": {"text": "✗", "color": RED, "index": 0}, "1": {"text": "✓", "color": GREEN, "index": 1}},
    }
]
ANY_IS_BAD = {"mode": "absolute", "steps": [{"color": GREEN, "value": None}, {"color": RED, "value": 1}]}
UP_STEPS = {"mode": "absolute", "steps": [{"color": RED, "value": None}, {"color": GREEN, "value": 1}]}


def _target_line(legend: Text, board: Board) -> list[dict[str, Any]]:
    """A dashed line without points, so that nobody takes it for a measurement."""
    return [
        {
            "matcher": {"id": "byName", "options": board.say(legend)},
            "properties": [
                {"id": "color", "value": {"mode": "fixed", "fixedColor": RED}},
                {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}},
                {"id": "custom.lineWidth", "value": 2},
            ],
        }
    ]


REQUIRED = Text("required", "要求")


def _required(target: str) -> tuple[str, Text]:
    return f'campus_target_required_bits_per_second{{target="{target}"}}', REQUIRED


def county(language: str) -> dict[str, Any]:
    """The first screen: five targets, towns, trend, those with most to do."""
    title = TITLES["campus-county"]
    board = Board(
        "campus-county", title, Text("Five targets of the county", "全县五项指标"), language, [DATASOURCE, TARGET]
    )
    for target, words in TARGETS.items():
        about = Text("Met of all that are not exempt, this month.", "本月达标数占应考核数的比例。")
        query = compliance(f'target="{target}",town=""')
        board.add(
            "stat",
            words,
            about,
            RATIO,
            [(query, "")],
            4,
            5,
            defaults={"min": 0, "max": 1, "decimals": 1, "thresholds": SHARE_STEPS},
        )
    board.add("stat", Text("Open problems", "未销号问题"), Text("Problems of the ledger.", "台账中尚未销号的问题。"), COUNT,
              [("sum(campus_problems_open) or vector(0)", "")], 4, 5)  # fmt: skip
    to_town = board.link("campus-town", Text("Town", "查看镇街"), "var-town=${__field.labels.town}")
    board.add("bargauge", Text("Towns: 100 Mbit/s to every class", "各镇街百兆进班达标率"), Text("This month.", "本月。"), RATIO,
              [(f"sort_desc({compliance(TOWNS_CLASSROOMS)})", "{{town}}")], 12, 12,
              defaults={"min": 0, "max": 1, "decimals": 1, "thresholds": SHARE_STEPS, "links": [to_town]})  # fmt: skip
    board.add("timeseries", Text("Trend", "达标率走势"), Text("Of the whole county; it falls on the first of a month, when counting begins anew.",
              "全县；每月一日重新累计，曲线会回落。"), RATIO, [(compliance('town="",target=~"$target"'), "{{target}}")], 12, 12,
              defaults={"min": 0, "max": 1})  # fmt: skip
    to_school = board.link(
        "campus-school", Text("School", "查看学校"), "var-town=${__data.fields.town}&var-school=${__data.fields.school}"
    )
    board.add("table", Text("Schools with most to do", "问题最多的学校"), Text("Subjects that are not met this month.", "本月未达标对象数。"), COUNT,
              [('topk(20, sum by (town, school) (campus_subject_met == bool 0))', "")], 12, 10,
              defaults={"links": [to_school]}, transformations=_columns(board))  # fmt: skip
    board.add("timeseries", Text("Gateways that report", "在线网关"), Text("Silent ones are not counted.", "未上报的不计。"), COUNT,
              [("sum(campus_agent_up)", Text("reporting", "在线")), ("count(campus_agent_up)", Text("all", "全部"))], 12, 10)  # fmt: skip
    return board.json()


def prefecture(language: str) -> dict[str, Any]:
    """Counties beside each other, and their carriers."""
    title = TITLES["campus-prefecture"]
    about = Text(
        "Several counties in one Prometheus, each with the label county",
        "一个 Prometheus 中的多个区县，以标签 county 区分",
    )
    board = Board("campus-prefecture", title, about, language, [DATASOURCE, COUNTY, CARRIER, TARGET])
    for target in ("classroom_bandwidth", "uplink_bandwidth"):
        words, selector = TARGETS[target], f'target="{target}",town="",{IN_COUNTY}'
        board.add("bargauge", Text(f"Counties: {words.en}", f"各区县{words.zh}达标率"), Text("This month.", "本月。"), RATIO,
                  [(f"sort_desc({compliance(selector)})", "{{county}}")], 12, 9,
                  defaults={"min": 0, "max": 1, "decimals": 1, "thresholds": SHARE_STEPS})  # fmt: skip
    trend = compliance(f'town="",target=~"$target",{IN_COUNTY}')
    board.add("timeseries", Text("Trend by county", "各区县达标率走势"), Text("Falls on the first of a month, when counting begins anew.",
              "每月一日重新累计，曲线会回落。"), RATIO, [(trend, "{{county}} {{target}}")], 24, 9, defaults={"min": 0, "max": 1})  # fmt: skip
    board.add("bargauge", Text("Open problems by county", "各区县未销号问题"), Text("Problems of the ledger.", "台账中尚未销号的问题。"), COUNT,
              [(f"sort_desc(sum by (county) (campus_problems_open{{{IN_COUNTY}}}))", "{{county}}")], 12, 9, defaults={"min": 0})  # fmt: skip
    board.add("bargauge", Text("Silent gateways by county", "各区县未上报网关"), Text("They have not reported for a while.", "一段时间未上报的网关。"), COUNT,
              [(f"sort_desc(sum by (county) (campus_agent_up{{{IN_COUNTY}}} == bool 0))", "{{county}}")], 12, 9, defaults={"min": 0})  # fmt: skip
    met = f'campus_subject_met{{target="uplink_bandwidth",{IN_COUNTY}}}'
    board.add("bargauge", Text("Carriers: share of lines that reach the gigabit", "各运营商千兆线路达标比例"),
              Text("Lines with enough tests this month; carriers as in the inventory.", "本月数据充足的线路；运营商以基础信息为准。"), RATIO,
              [(f"sort_desc(avg by (carrier) ({met} {OF_CARRIER}))", "{{carrier}}")], 12, 9,
              defaults={"min": 0, "max": 1, "decimals": 1, "thresholds": SHARE_STEPS})  # fmt: skip
    board.add("bargauge", Text("Carriers: lines not met", "各运营商未达标线路数"), Text("By county, this month.", "按区县，本月。"), COUNT,
              [(f"sort_desc(sum by (county, carrier) (({met} == bool 0) {OF_CARRIER}))", "{{carrier}} {{county}}")], 12, 9,
              defaults={"min": 0})  # fmt: skip
    required, legend = _required("uplink_bandwidth")
    rate = f"campus_uplink_line_rate_bits_per_second{{{IN_COUNTY}}} {OF_CARRIER}"
    board.add("timeseries", Text("Carriers: slowest line", "各运营商最慢线路"), Text("The newest test of each school, the lower direction.",
              "各校最近一次测量，取较慢的方向。"), BITS, [(f"min by (carrier) ({rate})", "{{carrier}}"), (f"max({required})", legend)], 12, 9,
              defaults={"min": 0}, overrides=_target_line(REQUIRED, board))  # fmt: skip
    board.add("timeseries", Text("Carriers: round trip to the test server", "各运营商到测速服务器的时延"), Text("Median of the schools, idle.",
              "各校空载时延的中位数。"), SECONDS,
              [(f"quantile by (carrier) (0.5, campus_uplink_rtt_seconds{{{IN_COUNTY}}} {OF_CARRIER})", "{{carrier}}")], 12, 9,
              defaults={"min": 0})  # fmt: skip
    return board.json()


def area(language: str) -> dict[str, Any]:
    """The months that counties have sent up to a prefecture or province."""
    about = Text(
        "Closed months of the counties, by a collector with an [area] of prefecture or province",
        "各区县上报的已定稿月份（市级、省级采集平台）",
    )
    board = Board("campus-area", AREA, about, language, [DATASOURCE, AREA_COUNTY, TARGET])
    name = "on (county) group_left (name) campus_area_info"
    of_county, of_target = '{county=~"$county"}', '{county=~"$county",target=~"$target"}'
    newest = Text("Newest month of each county.", "各区县最近上报的月份。")
    board.add("stat", Text("Counties", "区县数"), Text("Enrolled here.", "已登记的区县。"), COUNT,
              [(f"count(campus_area_info{of_county})", "")], 6, 5)  # fmt: skip
    board.add("stat", Text("Months missing", "缺报月份"), Text("Should have come and have not.", "应报未报的月份。"), COUNT,
              [(f"sum(campus_area_missing_months{of_county})", "")], 6, 5, defaults={"thresholds": ANY_IS_BAD})  # fmt: skip
    board.add("stat", Text("Corrections", "更正次数"), Text("Received from counties.", "各区县上报的更正。"), COUNT,
              [(f"sum(campus_area_received_corrections{of_county})", "")], 6, 5)  # fmt: skip
    board.add("stat", Text("Subjects not met", "未达标项数"), newest, COUNT,
              [('sum(campus_area_target_subjects{county=~"$county",target=~"$target",verdict="not_met"})', "")], 6, 5)  # fmt: skip
    board.add("bargauge", Text("Compliance by county", "各区县达标率"), newest, RATIO,
              [(f"sort_desc(campus_area_compliance_ratio{of_target} * {name})", "{{name}} {{target}}")], 12, 11,
              defaults={"min": 0, "max": 1, "decimals": 1, "thresholds": SHARE_STEPS})  # fmt: skip
    board.add("bargauge", Text("Subjects by verdict", "各判定结论项数"), newest, COUNT,
              [(f"sum by (target, verdict) (campus_area_target_subjects{of_target})", "{{target}} {{verdict}}")], 12, 11,
              defaults={"min": 0})  # fmt: skip
    board.add("timeseries", Text("Compliance as it came in", "达标率走势"), Text("Changes when a county's month comes.", "随各区县每月上报更新。"),
              RATIO, [(f"campus_area_compliance_ratio{of_target} * {name}", "{{name}} {{target}}")], 24, 9,
              defaults={"min": 0, "max": 1})  # fmt: skip
    board.add("bargauge", Text("Months missing by county", "各区县缺报月份"), Text("Should have come and have not.", "应报未报的月份。"), COUNT,
              [(f"sort_desc(campus_area_missing_months{of_county} * {name})", "{{name}}")], 12, 9,
              defaults={"min": 0, "thresholds": ANY_IS_BAD})  # fmt: skip
    board.add("bargauge", Text("Time since the last came", "距最近一次上报的时间"), Text("A month or a correction.", "月份或更正。"), SECONDS,
              [(f"sort_desc((time() - campus_area_received_timestamp_seconds{of_county}) * {name})", "{{name}}")], 12, 9,
              defaults={"min": 0})  # fmt: skip
    return board.json()


def _columns(board: Board) -> list[dict[str, Any]]:
    """Without the time, with headings that people read."""
    names = {"town": Text("Town", "镇街"), "school": Text("School", "学校"), "Value": Text("Not met", "未达标")}
    renamed = {key: board.say(text) for key, text in names.items() if key == "Value"}
    return [
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": renamed}}
    ]


def town(language: str) -> dict[str, Any]:
    """One town: its targets and its schools."""
    board = Board(
        "campus-town", TITLES["campus-town"], Text("One town", "单个镇街"), language, [DATASOURCE, ONE_TOWN, TARGET]
    )
    for target, words in TARGETS.items():
        query = compliance(f'target="{target}",town="$town"')
        about = Text("Of this town, this month.", "本镇街本月。")
        board.add(
            "stat",
            words,
            about,
            RATIO,
            [(query, "")],
            4,
            5,
            defaults={"min": 0, "max": 1, "decimals": 1, "thresholds": SHARE_STEPS},
        )
    board.add("stat", Text("Open problems", "未销号问题"), Text("Of this town.", "本镇街。"), COUNT,
              [('sum(campus_problems_open{town="$town"}) or vector(0)', "")], 4, 5)  # fmt: skip
    to_school = board.link(
        "campus-school", Text("School", "查看学校"), "var-town=$town&var-school=${__field.labels.school}"
    )
    slowest = 'sort(min by (school) (campus_classroom_line_rate_bits_per_second{town="$town"}))'
    board.add("bargauge", Text("Slowest classroom of each school", "各校最慢班级"), Text("Line rate, both directions.", "线路速率，取双向较小值。"), BITS,
              [(slowest, "{{school}}"), _required("classroom_bandwidth")], 12, 12, defaults={"min": 0, "links": [to_school]})  # fmt: skip
    board.add("timeseries", Text("Uplinks", "各校出口速率"), Text("Line rate, both directions.", "线路速率，取双向较小值。"), BITS,
              [('min by (school) (campus_uplink_line_rate_bits_per_second{town="$town"})', "{{school}}"), _required("uplink_bandwidth")], 12, 12,
              defaults={"min": 0}, overrides=_target_line(REQUIRED, board))  # fmt: skip
    board.add("timeseries", Text("Platforms reached", "云平台可访问比例"), Text("Share of the town's schools.", "可访问学校的比例。"), RATIO,
              [('avg by (service) (campus_service_success{town="$town"})', "{{service}}")], 12, 9, defaults={"min": 0, "max": 1})  # fmt: skip
    board.add("timeseries", Text("Compliance", "达标率走势"), Text("This month so far.", "当月累计。"), RATIO,
              [(compliance('town="$town",target=~"$target"'), "{{target}}")], 12, 9, defaults={"min": 0, "max": 1})  # fmt: skip
    return board.json()


def school(language: str) -> dict[str, Any]:
    """One school: each classroom against its line, the uplink, round trips, ports."""
    board = Board(
        "campus-school",
        TITLES["campus-school"],
        Text("One school", "单个学校"),
        language,
        [DATASOURCE, ONE_TOWN, ONE_SCHOOL],
    )
    where = '{school="$school"}'
    board.add("stat", Text("Gateway", "网关"), Text("Reported within 15 minutes.", "15 分钟内有上报。"), COUNT, [(f"campus_agent_up{where}", "")], 4, 5,
              defaults={"mappings": UP_DOWN, "thresholds": UP_STEPS})  # fmt: skip
    board.add("stat", Text("Classrooms below target", "低于要求的班级"), Text("Latest valid test.", "按最近一次有效测量。"), COUNT,
              [(f'count(campus:classroom_line_rate_bits_per_second:min{where} < on () group_left () campus:target_required_bits_per_second:tolerated{{target="classroom_bandwidth"}}) or vector(0)', "")], 5, 5)  # fmt: skip
    board.add("stat", Text("Uplink, smaller direction", "学校出口速率（较小方向）"), Text("Latest valid test.", "最近一次有效测量。"), BITS,
              [(f"min(campus_uplink_line_rate_bits_per_second{where})", "")], 5, 5)  # fmt: skip
    board.add("stat", Text("Platforms reached", "云平台可访问"), Text("Of all that are asked.", "占所测平台的比例。"), RATIO,
              [(f"avg(campus_service_success{where})", "")], 5, 5)  # fmt: skip
    board.add("stat", Text("DHCP servers", "DHCP 服务器"), Text("More than one is a fault.", "多于一台即为故障。"), COUNT,
              [(f"campus_school_dhcp_servers{where} unless on (town, school) time() - campus_school_dhcp_measured_timestamp_seconds{where} > 3 * 86400", "")], 5, 5,
              defaults={"thresholds": {"mode": "absolute", "steps": [{"color": GREEN, "value": None}, {"color": RED, "value": 2}]}})  # fmt: skip
    board.add("timeseries", Text("Classrooms", "各班级线路速率"), Text("Smaller direction; the dashed line is what is required.", "取双向较小值；虚线为要求。"), BITS,
              [(f"min by (classroom) (campus_classroom_line_rate_bits_per_second{where})", "{{classroom}}"), _required("classroom_bandwidth")], 24, 11,
              defaults={"min": 0}, overrides=_target_line(REQUIRED, board))  # fmt: skip
    board.add("timeseries", Text("Uplink", "学校出口速率"), Text("Both directions.", "上下行。"), BITS,
              [(f"campus_uplink_line_rate_bits_per_second{where}", "{{direction}}"), _required("uplink_bandwidth")], 12, 9,
              defaults={"min": 0}, overrides=_target_line(REQUIRED, board))  # fmt: skip
    board.add("timeseries", Text("Round trips under load", "满载时延"), Text("95 % while the line is full; 150 ms is the limit for live lessons at the uplink.",
              "线路满载时的 95% 分位；学校出口超过 150 毫秒将影响直播课。"), SECONDS,
              [(f"campus_classroom_working_rtt_seconds{where}", "{{classroom}}"), (f"campus_uplink_working_rtt_seconds{where}", Text("uplink", "学校出口"))], 12, 9,
              defaults={"min": 0})  # fmt: skip
    board.add("timeseries", Text("Minutes of lessons, by the hour", "上课分钟（每小时）"), Text("Bad: packets lost, round trips too long, or no answer for 1 s and more.",
              "不合格：丢包、时延过高，或一秒以上无应答。"), COUNT,
              [('clamp_min(sum by (quality) (delta(campus_lesson_minutes_total{school="$school"}[1h])), 0)', "{{quality}}")], 12, 8, defaults={"min": 0})  # fmt: skip
    board.add("timeseries", Text("Lesson stream: loss", "课堂监测丢包率"), Text("Newest minute; gaps are times without a stream.", "最近一分钟；空白处没有监测。"), RATIO,
              [(f"campus_lesson_loss_ratio{where}", Text("loss", "丢包率"))], 12, 8, defaults={"min": 0})  # fmt: skip
    board.add("timeseries", Text("Lesson stream: round trips", "课堂监测时延"), Text("95 % of the newest minute; 150 ms is the limit.", "最近一分钟的 95% 分位；要求不超过 150 毫秒。"), SECONDS,
              [(f"campus_lesson_rtt_seconds{where}", Text("RTT", "时延"))], 12, 8, defaults={"min": 0})  # fmt: skip
    board.add("timeseries", Text("Interruptions, by the hour", "中断次数（每小时）"), Text("Of 1 s and more, by place.", "一秒以上的中断，按位置。"), COUNT,
              [('clamp_min(sum by (where) (delta(campus_interruptions_total{school="$school"}[1h])), 0)', "{{where}}")], 12, 8, defaults={"min": 0})  # fmt: skip
    board.add("timeseries", Text("Loss, idle", "空载丢包率"), Text("Share of echoes that were lost.", "丢失的探测包比例。"), RATIO,
              [(f"campus_classroom_loss_ratio{where}", "{{classroom}}"), (f"campus_uplink_loss_ratio{where}", Text("uplink", "学校出口"))], 12, 8, defaults={"min": 0})  # fmt: skip
    board.add("timeseries", Text("Switch ports: frames with errors", "交换机端口错误帧"), Text("Above 0.01 %: cable or plug.", "超过 0.01%：网线或水晶头故障。"), RATIO,
              [(f"campus_classroom_port_error_ratio{where}", "{{classroom}}")], 12, 8, defaults={"min": 0})  # fmt: skip
    return board.json()


def rooms(language: str) -> dict[str, Any]:
    """Recording rooms: when each worked, storage, streams."""
    board = Board(
        "campus-rooms", TITLES["campus-rooms"], Text("Recording rooms", "录播室"), language, [DATASOURCE, TOWN, SCHOOL]
    )
    where = '{town=~"$town",school=~"$school"}'
    board.add(
        "stat",
        Text("Rooms that work now", "当前可用录播室"),
        Text("Every required device is up.", "必备设备全部正常。"),
        COUNT,
        [(f"sum(campus_room_up{where})", "")],
        6,
        5,
    )
    board.add(
        "stat",
        Text("Rooms", "录播室总数"),
        Text("That are polled.", "已监测的录播室。"),
        COUNT,
        [(f"count(campus_room_up{where})", "")],
        6,
        5,
    )
    board.add(
        "stat",
        Text("Recording now", "正在录制"),
        Text("Devices that tell so.", "可上报录制状态的设备。"),
        COUNT,
        [(f"sum(campus_device_recording{where})", "")],
        6,
        5,
    )
    board.add("stat", Text("Least storage left", "最小剩余空间"), Text("Of all devices that tell.", "所有可上报设备中最小者。"), RATIO,
              [(f"min(campus_device_storage_free_ratio{where})", "")], 6, 5)  # fmt: skip
    to_school = board.link(
        "campus-school",
        Text("School", "查看学校"),
        "var-town=${__field.labels.town}&var-school=${__field.labels.school}",
    )
    board.add("state-timeline", Text("When each room worked", "录播室可用时段"), Text("Green: every required device was up.", "绿色：必备设备全部正常。"), COUNT,
              [(f"campus_room_up{where}", "{{school}} {{room}}")], 24, 10, defaults={"mappings": UP_DOWN, "thresholds": UP_STEPS, "links": [to_school]})  # fmt: skip
    board.add("state-timeline", Text("Streams", "直播流状态"), Text("Green: pictures come.", "绿色：画面正常。"), COUNT,
              [(f"campus_device_stream_up{where}", "{{school}} {{device}}")], 12, 9, defaults={"mappings": UP_DOWN, "thresholds": UP_STEPS})  # fmt: skip
    board.add("timeseries", Text("Storage left", "剩余空间"), Text("Fullest disk of each device.", "每台设备最满的磁盘。"), RATIO,
              [(f"campus_device_storage_free_ratio{where}", "{{school}} {{device}}")], 12, 9, defaults={"min": 0, "max": 1})  # fmt: skip
    board.add("timeseries", Text("Stream loss", "直播流丢包率"), Text("RTP packets that did not come.", "未到达的 RTP 包比例。"), RATIO,
              [(f"campus_device_stream_loss_ratio{where}", "{{school}} {{device}}")], 12, 8, defaults={"min": 0})  # fmt: skip
    board.add("timeseries", Text("Temperature", "设备温度"), Text("As the devices tell.", "以设备读数为准。"), "celsius",
              [(f"campus_device_temperature_celsius{where}", "{{school}} {{device}}")], 12, 8)  # fmt: skip
    return board.json()


def agents(language: str) -> dict[str, Any]:
    """The fleet: who reports, who is behind, which versions."""
    board = Board(
        "campus-agents",
        TITLES["campus-agents"],
        Text("The gateways of all schools", "全部学校网关"),
        language,
        [DATASOURCE],
    )
    board.add(
        "stat",
        Text("Silent gateways", "未上报网关"),
        Text("For more than 15 minutes.", "超过 15 分钟。"),
        COUNT,
        [("count(campus_agent_up == 0) or vector(0)", "")],
        6,
        5,
    )
    board.add(
        "stat",
        Text("Results that wait", "待上报结果"),
        Text("In all spools.", "所有网关合计。"),
        COUNT,
        [("sum(campus_agent_spool_pending_results)", "")],
        6,
        5,
    )
    board.add(
        "stat",
        Text("Results lost", "已丢失的结果"),
        Text("Since the state folders were made.", "自启用以来。"),
        COUNT,
        [("sum(campus_agent_spool_dropped_results_total)", "")],
        6,
        5,
    )
    board.add(
        "stat",
        Text("Largest clock error", "最大时钟偏差"),
        Text("Of all gateways.", "所有网关中最大者。"),
        SECONDS,
        [("max(abs(campus_agent_clock_offset_seconds))", "")],
        6,
        5,
    )
    board.add(
        "bargauge",
        Text("Versions", "程序版本"),
        Text("Gateways by version.", "各版本网关数。"),
        COUNT,
        [("count by (version) (campus_agent_info)", "{{version}}")],
        12,
        8,
        defaults={"min": 0},
    )
    board.add("timeseries", Text("Results by outcome", "测量结果"), Text("Per second, all schools.", "每秒，全部学校。"), "ops",
              [("sum by (outcome) (rate(campus_measurements_total[5m]))", "{{outcome}}")], 12, 8)  # fmt: skip
    board.add("state-timeline", Text("When each gateway reported", "网关上报时段"), Text("Red: silent for 15 minutes.", "红色：15 分钟未上报。"), COUNT,
              [("campus_agent_up", "{{school}}")], 24, 12, defaults={"mappings": UP_DOWN, "thresholds": UP_STEPS})  # fmt: skip
    board.add("timeseries", Text("Octets of tests", "测试流量"), Text("Per second, by segment.", "每秒，按网段。"), "Bps",
              [("sum by (segment) (rate(campus_agent_test_bytes_total[15m]))", "{{segment}}")], 12, 8)  # fmt: skip
    board.add("timeseries", Text("The collector itself", "采集平台自身"), Text("How long a scrape takes.", "生成指标用时。"), SECONDS,
              [("campus_scrape_duration_seconds", Text("scrape", "采集"))], 12, 8, defaults={"min": 0})  # fmt: skip
    return board.json()


def problems(language: str) -> dict[str, Any]:
    """The ledger in numbers."""
    board = Board(
        "campus-problems",
        TITLES["campus-problems"],
        Text("The problem ledger", "问题台账"),
        language,
        [DATASOURCE, TOWN, TARGET],
    )
    where = '{town=~"$town",target=~"$target"}'
    board.add(
        "stat",
        Text("Open", "未销号"),
        Text("Not struck off yet.", "尚未销号。"),
        COUNT,
        [(f"sum(campus_problems_open{where}) or vector(0)", "")],
        8,
        5,
    )
    board.add("stat", Text("Overdue", "逾期"), Text("Past their due date.", "超过整改期限。"), COUNT, [(f"sum(campus_problems_overdue{where}) or vector(0)", "")], 8, 5,
              defaults={"thresholds": {"mode": "absolute", "steps": [{"color": GREEN, "value": None}, {"color": RED, "value": 1}]}})  # fmt: skip
    board.add("stat", Text("Without any measurement", "无有效测量"), Text("Silent ones among the open.", "其中无任何有效结果的。"), COUNT,
              [('sum(campus_problems_open{severity="silent",town=~"$town",target=~"$target"}) or vector(0)', "")], 8, 5)  # fmt: skip
    to_town = board.link("campus-town", Text("Town", "查看镇街"), "var-town=${__field.labels.town}")
    board.add("bargauge", Text("By town", "按镇街"), Text("Open problems.", "未销号问题。"), COUNT, [(f"sort_desc(sum by (town) (campus_problems_open{where}))", "{{town}}")], 12, 11,
              defaults={"min": 0, "links": [to_town]})  # fmt: skip
    board.add(
        "bargauge",
        Text("By target", "按指标"),
        Text("Open problems.", "未销号问题。"),
        COUNT,
        [(f"sum by (target) (campus_problems_open{where})", "{{target}}")],
        12,
        11,
        defaults={"min": 0},
    )
    board.add("timeseries", Text("Trend", "走势"), Text("Open and overdue.", "未销号与逾期。"), COUNT,
              [(f"sum(campus_problems_open{where})", Text("open", "未销号")), (f"sum(campus_problems_overdue{where})", Text("overdue", "逾期"))], 24, 9, defaults={"min": 0})  # fmt: skip
    return board.json()


BUILDERS = {
    "area": area,
    "prefecture": prefecture,
    "county": county,
    "town": town,
    "school": school,
    "rooms": rooms,
    "agents": agents,
    "problems": problems,
}


def text_of(name: str, language: str) -> str:
    """The file of one dashboard."""
    return json.dumps(BUILDERS[name](language), ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write all of them."""
    for language in LANGUAGES:
        folder = HERE / language
        folder.mkdir(exist_ok=True)
        for name in BUILDERS:
            (folder / f"{name}.json").write_text(text_of(name, language), encoding="utf-8")


if __name__ == "__main__":
    main()
