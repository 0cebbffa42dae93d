"""Rules and alerts: promtool accepts them, each alert fires when it should and is silent when it should, each has its page, every metric exists."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from campus_collector.export.table import METRICS

ROOT = Path(__file__).parents[2]
COLLECTOR = "https://collector.example:8443"
FOLDER = ROOT / "deploy" / "prometheus"
RULES = [FOLDER / "recording.rules.yml", FOLDER / "alerts.rules.yml"]
ALERTS = re.findall(r"- alert: (\w+)", RULES[1].read_text(encoding="utf-8"))

SCHOOL = 'town="t01",school="s001"'
ROOM = f'{SCHOOL},classroom="c101"'
Case = tuple[dict[str, str], int, dict[str, str]]
"""Series by the minute, the minute that is looked at, and the labels of the alert ({} for silence).

promtool begins at 1970-01-01 00:00 UTC: a Thursday, 08:00 in Shandong.
"""
CASES: dict[str, list[Case]] = {
    "CampusCollectorDown": [
        ({'up{job="campusmeter",instance="c"}': "0x30"}, 10, {"job": "campusmeter", "instance": "c"}),
        ({'up{job="campusmeter",instance="c"}': "0 0 1x30"}, 10, {}),
    ],
    "CampusCollectorSlow": [
        ({"campus_scrape_duration_seconds": "12x30"}, 20, {}),
        ({"campus_scrape_duration_seconds": "2x30"}, 20, {}),
    ],
    "CampusCertificateExpires": [
        ({"campus_certificate_expires_timestamp_seconds": "2500000x90"}, 70, {}),
        ({"campus_certificate_expires_timestamp_seconds": "3000000x90"}, 70, {}),
    ],
    "CampusStoreNearlyFull": [
        ({"campus_store_full_in_days": "30x500"}, 400, {}),
        ({"campus_store_full_in_days": "400x500", "campus_store_free_bytes": "50000000000x500"}, 400, {}),
    ],
    "CampusMonthNotAcknowledged": [
        ({"campus_upstream_waiting_since_timestamp_seconds": "-345600x200"}, 120, {}),
        ({"campus_upstream_waiting_since_timestamp_seconds": "-86400x200"}, 120, {}),
    ],
    "CampusCountyMissing": [
        ({'campus_area_missing_since_timestamp_seconds{county="c01"}': "-691200x200"}, 120, {"county": "c01"}),
        ({'campus_area_missing_since_timestamp_seconds{county="c01"}': "-86400x200"}, 120, {}),
    ],
    "CampusLinesLeftOut": [
        ({"campus_scrape_left_out_owners": "2x90"}, 30, {}),
        ({"campus_scrape_left_out_owners": "0x90"}, 30, {}),
    ],
    "CampusResultsQuarantined": [
        ({'campus_ingest_results_total{outcome="quarantined"}': "0+1x60"}, 60, {"outcome": "quarantined"}),
        ({'campus_ingest_results_total{outcome="quarantined"}': "5x60"}, 60, {}),
    ],
    "CampusChainMismatch": [
        ({'campus_chain_mismatch_timestamp_seconds{school="s001"}': "600x60"}, 30, {"school": "s001"}),
        ({'campus_chain_mismatch_timestamp_seconds{school="s001"}': "-604800x60"}, 30, {}),
        ({'campus_chain_mismatch_timestamp_seconds{school="s002"}': "_x60"}, 30, {}),
    ],
    "CampusIdentityShared": [
        ({'campus_agent_identity_shared_timestamp_seconds{school="s001"}': "600x60"}, 30, {"school": "s001"}),
        ({'campus_agent_identity_shared_timestamp_seconds{school="s001"}': "-86400x60"}, 30, {}),
        ({'campus_agent_identity_shared_timestamp_seconds{school="s002"}': "_x60"}, 30, {}),
    ],
    "CampusAgentSilent": [
        ({'campus_agent_up{school="s001"}': "0x60"}, 40, {"school": "s001"}),
        ({'campus_agent_up{school="s001"}': "1x60"}, 40, {}),
        ({'campus_agent_up{school="s001"}': "0x900"}, 700, {}),  # 19:40 in Shandong: the gateway may be off
    ],
    "CampusSpoolFilling": [
        ({'campus_agent_spool_pending_results{school="s001"}': "6000x60"}, 40, {"school": "s001"}),
        ({'campus_agent_spool_pending_results{school="s001"}': "100x60"}, 40, {}),
    ],
    "CampusSpoolDropping": [
        ({'campus_agent_spool_dropped_results_total{school="s001"}': "0+2x60"}, 30, {"school": "s001"}),
        ({'campus_agent_spool_dropped_results_total{school="s001"}': "9x60"}, 30, {}),
    ],
    "CampusClockOff": [
        ({'campus_agent_clock_offset_seconds{school="s001"}': "-90x90"}, 70, {"school": "s001"}),
        ({'campus_agent_clock_offset_seconds{school="s001"}': "30x90"}, 70, {}),
    ],
    "CampusTokenExpires": [
        ({'campus_agent_token_expiry_timestamp_seconds{school="s001"}': "864000x90"}, 70, {"school": "s001"}),
        ({'campus_agent_token_expiry_timestamp_seconds{school="s001"}': "8640000x90"}, 70, {}),
    ],
    "CampusUplinkBelowTarget": [
        (
            {f'campus_uplink_line_rate_bits_per_second{{{SCHOOL},direction="up"}}': "500000000x1500",
             f'campus_uplink_measured_timestamp_seconds{{{SCHOOL}}}': "-777600x1500",
             'campus_target_required_bits_per_second{target="uplink_bandwidth"}': "1000000000x1500"},
            1450, {},
        ),
        (
            {f'campus_uplink_line_rate_bits_per_second{{{SCHOOL},direction="down"}}': "1000000000x1500",
             f'campus_uplink_line_rate_bits_per_second{{{SCHOOL},direction="up"}}': "500000000x1500",
             'campus_target_required_bits_per_second{target="uplink_bandwidth"}': "1000000000x1500"},
            1450, {"town": "t01", "school": "s001"},
        ),
        (
            {f'campus_uplink_line_rate_bits_per_second{{{SCHOOL},direction="up"}}': "981000000x1500",
             'campus_target_required_bits_per_second{target="uplink_bandwidth"}': "1000000000x1500"},
            1450, {},
        ),
    ],
    "CampusCalendarEnds": [
        ({"campus_calendar_known_until_timestamp_seconds": "864000x90"}, 70, {}),
        ({"campus_calendar_known_until_timestamp_seconds": "8640000x90"}, 70, {}),
    ],
    "CampusClassroomFailing": [
        (  # measured nine days before it arrived: the school was cut off
            {f'campus_classroom_line_rate_bits_per_second{{{ROOM},direction="up"}}': "10000000x3000",
             f'campus_classroom_measured_timestamp_seconds{{{ROOM}}}': "-777600x3000",
             'campus_target_required_bits_per_second{target="classroom_bandwidth"}': "100000000x3000"},
            2900, {},
        ),
        (
            {f'campus_classroom_line_rate_bits_per_second{{{ROOM},direction="up"}}': "10000000x3000",
             'campus_target_required_bits_per_second{target="classroom_bandwidth"}': "100000000x3000"},
            2900, {"town": "t01", "school": "s001", "classroom": "c101"},
        ),
        (
            {f'campus_classroom_line_rate_bits_per_second{{{ROOM},direction="up"}}': "98100000x3000",
             'campus_target_required_bits_per_second{target="classroom_bandwidth"}': "100000000x3000"},
            2900, {},
        ),
    ],
    "CampusLessonSuffers": [
        ({f'campus_lesson_minutes_total{{{SCHOOL},quality="bad"}}': "0x20 5x40"}, 25,
         {"town": "t01", "school": "s001", "quality": "bad"}),
        ({f'campus_lesson_minutes_total{{{SCHOOL},quality="bad"}}': "0x20 5x40"}, 40, {}),  # it is over
        ({f'campus_lesson_minutes_total{{{SCHOOL},quality="bad"}}': "0x20 1x40"}, 25, {}),  # one minute is no alert
        ({f'campus_lesson_minutes_total{{{SCHOOL},quality="unknown"}}': "0x20 5x40"}, 25, {}),
        ({f'campus_lesson_minutes_total{{{SCHOOL},quality="bad"}}': "40x20 0x40"}, 25, {}),  # midnight
        ({f'campus_lesson_minutes_total{{{SCHOOL},quality="bad"}}': "60x20 40x40"}, 25, {}),  # 20 became unknown
    ],
    "CampusRecordingRoomDown": [
        ({f'campus_room_up{{{SCHOOL},room="r1"}}': "0x60"}, 30, {"town": "t01", "school": "s001", "room": "r1"}),
        ({f'campus_room_up{{{SCHOOL},room="r1"}}': "1x60"}, 30, {}),
        ({f'campus_room_up{{{SCHOOL},room="r1"}}': "0x900"}, 800, {}),  # in the evening nobody needs it
        ({f'campus_room_up{{{SCHOOL},room="r1"}}': "0x1500"}, 1410, {"town": "t01", "school": "s001", "room": "r1"}),  # Friday, 07:30
    ],
    "CampusRecorderNearlyFull": [
        ({f'campus_device_storage_free_ratio{{{SCHOOL},room="r1",device="rec-1",profile="p"}}': "0.01x90"}, 70,
         {"town": "t01", "school": "s001", "room": "r1", "device": "rec-1", "profile": "p"}),
        ({f'campus_device_storage_free_ratio{{{SCHOOL},room="r1",device="rec-1",profile="p"}}': "0.5x90"}, 70, {}),
    ],
    "CampusPlatformUnreachable": [
        (
            {'campus_service_success{town="t01",school="s001",service="x"}': "0x60",
             'campus_service_measured_timestamp_seconds{town="t01",school="s001",service="x"}': "-172800x60"},
            30, {},
        ),
        ({f'campus_service_success{{town="t0{n}",school="s{n}",service="edu"}}': "0x30" for n in range(3)}, 15, {"service": "edu"}),
        ({f'campus_service_success{{town="t0{n}",school="s{n}",service="edu"}}': f"{n}x30" for n in range(2)}, 15, {}),
    ],
    "CampusPlatformUnreachableFromTown": [
        ({f'campus_service_success{{town="t01",school="s{n}",service="edu"}}': "0x30" for n in range(3)}, 20,
         {"town": "t01", "service": "edu"}),
        ({'campus_service_success{town="t01",school="s1",service="edu"}': "0x30"}, 20, {}),  # one school is no town
    ],
    "CampusPlatformCertificateExpires": [
        ({'campus_service_certificate_expiry_timestamp_seconds{town="t01",school="s1",service="edu"}': "864000x90"}, 70, {"service": "edu"}),
        ({'campus_service_certificate_expiry_timestamp_seconds{town="t01",school="s1",service="edu"}': "86400000x90"}, 70, {}),
    ],
    "CampusTwoDhcpServers": [
        ({f"campus_school_dhcp_servers{{{SCHOOL}}}": "2x5"}, 3, {"town": "t01", "school": "s001"}),
        ({f"campus_school_dhcp_servers{{{SCHOOL}}}": "1x5"}, 3, {}),
        (  # seen nine days ago: nobody has looked since, or the result came in late
            {
                f"campus_school_dhcp_servers{{{SCHOOL}}}": "2x5",
                f"campus_school_dhcp_measured_timestamp_seconds{{{SCHOOL}}}": "-777600x5",
            },
            3,
            {},
        ),
        (
            {
                f"campus_school_dhcp_servers{{{SCHOOL}}}": "2x5",
                f"campus_school_dhcp_measured_timestamp_seconds{{{SCHOOL}}}": "-86400x5",
            },
            3,
            {"town": "t01", "school": "s001"},
        ),
    ],
    "CampusPortErrors": [
        ({f"campus_classroom_port_error_ratio{{{ROOM}}}": "0.01x900"}, 800, {"town": "t01", "school": "s001", "classroom": "c101"}),
        ({f"campus_classroom_port_error_ratio{{{ROOM}}}": "0x900"}, 800, {}),
    ],
    "CampusProblemOverdue": [
        ({'campus_problems_overdue{target="classroom_bandwidth",town="t01"}': "3x90"}, 70, {"target": "classroom_bandwidth", "town": "t01"}),
        ({'campus_problems_overdue{target="classroom_bandwidth",town="t01"}': "0x90"}, 70, {}),
    ],
}  # fmt: skip
LONG_MINUTES = 300
LONG_STEP_MINUTES = 5
"""Cases that are looked at after hours or days have a sample and an evaluation every five minutes: a fifth of the work, and every `for` is kept."""
SLOW_IS_WITHOUT_LABELS = (
    "CampusCollectorSlow",
    "CampusCalendarEnds",
    "CampusCertificateExpires",
    "CampusLinesLeftOut",
    "CampusMonthNotAcknowledged",
    "CampusStoreNearlyFull",
)


def tool(name: str) -> str:
    if shutil.which(name) is None:
        assert not os.environ.get("CI"), f"{name} must be there under CI"
        pytest.skip(f"NO {name}: install the packages prometheus and prometheus-alertmanager")
    return name


def step_of(*minutes: int) -> int:
    """Minutes between two samples, and two evaluations, of cases that are looked at then."""
    step = LONG_STEP_MINUTES if max(minutes) > LONG_MINUTES else 1
    assert all(minute % step == 0 for minute in minutes), "looked at where nothing is evaluated"
    return step


def spaced(series: dict[str, str], step: int) -> list[dict[str, str]]:
    """The series as promtool reads them, with a sample every `step` minutes instead of every minute: constants only, where it is not 1."""
    rows = []
    for name, values in series.items():
        if step > 1:
            value, _, count = values.partition("x")
            assert re.fullmatch(r"-?[0-9.]+", value), f"{name} is no constant: {values}"
            values = f"{value}x{int(count) // step}"
        rows.append({"series": name, "values": values})
    return rows


def alert_file() -> dict[str, tuple[str, str]]:
    """Each alert's Chinese summary and severity, as written."""
    text = RULES[1].read_text(encoding="utf-8")
    found = {}
    for block in text.split("- alert: ")[1:]:
        severity = re.search(r"severity: (\w+)", block)
        summary = re.search(r"summary_zh: '(.*)'", block)
        assert severity is not None
        assert summary is not None
        found[block.split()[0]] = (severity[1], summary[1])
    return found


def test_prometheus_accepts_them() -> None:
    for arguments in (["check", "config", str(FOLDER / "prometheus.yml")], ["check", "rules", *map(str, RULES)]):
        done = subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_accepts_its_file() -> None:
    done = subprocess.run(
        [tool("amtool"), "check-config", str(FOLDER / "alertmanager.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_cases_for_firing_and_for_silence() -> None:
    assert set(CASES) == set(ALERTS)
    for name, cases in CASES.items():
        fires = [
            bool(labels) or (name in SLOW_IS_WITHOUT_LABELS and number == 0)
            for number, (_, _, labels) in enumerate(cases)
        ]
        assert True in fires, name
        assert False in fires, name


@pytest.mark.parametrize("alert", ALERTS)
def test_it_fires_and_is_silent(alert: str, tmp_path: Path) -> None:
    severity, _ = alert_file()[alert]
    tests = []
    step = step_of(*(minute for _, minute, _ in CASES[alert]))
    for number, (series, minute, labels) in enumerate(CASES[alert]):
        fires = bool(labels) or (alert in SLOW_IS_WITHOUT_LABELS and number == 0)
        query = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
        sample = {"labels": _labels(alert, severity, labels), "value": 1}
        tests.append(
            {
                "interval": f"{step}m",
                "input_series": spaced(series, step),
                "promql_expr_test": [
                    {"expr": query, "eval_time": f"{minute}m", "exp_samples": [sample] if fires else []}
                ],
            }
        )
    file = tmp_path / "case.yml"
    rules = [str(path) for path in RULES]
    file.write_text(json.dumps({"rule_files": rules, "evaluation_interval": f"{step}m", "tests": tests}))
    done = subprocess.run([tool("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _labels(alert: str, severity: str, labels: dict[str, str]) -> str:
    every = {"alertname": alert, "alertstate": "firing", "severity": severity} | labels
    return "ALERTS{" + ",".join(f'{name}="{value}"' for name, value in sorted(every.items())) + "}"


NAMED = {
    f'campus_school_info{{{SCHOOL},name="柳河小学",town_name="柳河镇"}}': "1x3000",
    f'campus_subject_info{{{SCHOOL},subject="c101",kind="classroom",name="一年级1班"}}': "1x3000",
}


@pytest.mark.parametrize(
    ("alert", "minute", "series", "labels", "words"),
    [
        ("CampusAgentSilent", 40, {'campus_agent_up{school="s001"}': "0x60"}, {"school": "s001"}, "学校 柳河小学（s001） 的网关 30 分钟以上未上报，请联系学校检查电源和线路"),
        (
            "CampusClassroomFailing",
            2900,
            {f'campus_classroom_line_rate_bits_per_second{{{ROOM},direction="up"}}': "97999999x3000",
             'campus_target_required_bits_per_second{target="classroom_bandwidth"}': "100000000x3000"},
            {"town": "t01", "school": "s001", "classroom": "c101"},
            "学校 柳河小学（s001） 班级 一年级1班（c101） 连续两天实测仅 97.9 Mbps",
        ),
        ("CampusProblemOverdue", 70, {'campus_problems_overdue{town="t01",target="uplink_bandwidth"}': "2x90"},
         {"town": "t01", "target": "uplink_bandwidth"}, "镇街 柳河镇（t01） 有 2 个问题逾期未销号（千兆进校）"),
        ("CampusCertificateExpires", 70, {"campus_certificate_expires_timestamp_seconds": "2500000x90"}, {}, "采集平台证书将于 28 天后到期"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("named", [True, False])
def test_alerts_name_what_they_are_about_beside_its_id(
    alert: str, minute: int, series: dict[str, str], labels: dict[str, str], words: str, named: bool, tmp_path: Path
) -> None:
    """The labels of the alert stay as they are: silences and routes depend on them."""
    severity, _ = alert_file()[alert]
    if not named:  # a collector that does not tell names
        words = re.sub(r"\S+?（(s001|c101|t01)）", r"\1", words)
    text = RULES[1].read_text(encoding="utf-8").split(f"- alert: {alert}\n")[1]
    (url,) = re.findall(r"runbook_url: '(.*)'", text)[:1]
    step = step_of(minute)
    test = {
        "interval": f"{step}m",
        "input_series": spaced(series | (NAMED if named else {}), step),
        "external_labels": {"collector": COLLECTOR},
        "alert_rule_test": [{"alertname": alert, "eval_time": f"{minute}m"}],
    }
    expected = {
        "exp_labels": labels | {"severity": severity},
        "exp_annotations": {
            "summary_zh": words,
            "runbook_url": url.replace("{{ $externalLabels.collector }}", COLLECTOR),
        },
    }
    test["alert_rule_test"][0]["exp_alerts"] = [expected]  # type: ignore[index]
    rules = tmp_path / "alerts.yml"
    rules.write_text(re.sub(r"\n +summary_en: .*", "", RULES[1].read_text(encoding="utf-8")), encoding="utf-8")
    file = tmp_path / "case.yml"
    file.write_text(
        json.dumps({"rule_files": [str(RULES[0]), str(rules)], "evaluation_interval": f"{step}m", "tests": [test]})
    )
    done = subprocess.run([tool("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_page_and_both_languages() -> None:
    for page in ("alerts.md", "en/alerts.md"):
        text = (ROOT / "docs/pages" / page).read_text(encoding="utf-8")
        assert re.findall(r"^## (Campus\w+)", text, re.MULTILINE) == ALERTS
    text = RULES[1].read_text(encoding="utf-8")
    for block in text.split("- alert: ")[1:]:
        name = block.split()[0]
        assert f"runbook_url: '{{{{ $externalLabels.collector }}}}/help/alerts.html#{name.lower()}'" in block
        assert re.search(r"summary_zh: '.*[\u4e00-\u9fff].*'", block), name
        assert re.search(r"summary_en: '[ -~]+'", block), name


def test_every_metric_of_the_rules_exists() -> None:
    known = {metric.name for metric in METRICS}
    text = "".join(path.read_text(encoding="utf-8") for path in RULES)
    used = set(re.findall(r"\bcampus_[a-z_]+", text))
    assert used <= known, used - known
    recorded = set(re.findall(r"record: (campus:[\w:]+)", text))
    assert set(re.findall(r"\bcampus:[\w:]+", text)) <= recorded
