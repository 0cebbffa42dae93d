"""The whole way: real lines, the agent's daemon, TLS over the WAN, the collector, a real Prometheus; and its queries tell the truth."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.flow.programs import logged, python, running, until
from tests.lab.school import BUREAU, DEFAULT_ROOMS, ONE_MEASUREMENT, LabSchool

pytestmark = pytest.mark.lab

ROOMS = [room for room in DEFAULT_ROOMS if room.id in ("c050", "c097", "c100", "c000")]
OPTIONS = """
[throughput]
duration_seconds = 2
warmup_seconds = 1
[cycle]
throughput_seconds = 60
latency_seconds = 30
host_seconds = 20
service_seconds = 10
ship_seconds = 1
"""
POLICY = """
tolerance_ratio = 0.98
[[target]]
name = "classroom_bandwidth"
effective_from = 2023-01-01
required_bits_per_second = 100_000_000
passing_share = 0.8
min_valid_results = 1
min_days = 1
[[target]]
name = "platform_access"
effective_from = 2023-01-01
max_first_byte_seconds = 1.0
passing_share = 0.99
min_valid_results = 1
min_days = 1
"""
COLLECTOR = f"""
[server]
listen = "{BUREAU}:8443"
tls_cert = "cert.pem"
tls_key = "key.pem"
read_token_file = "read-token"
[policy]
file = "policy.toml"
"""
RULES = Path(__file__).parents[2] / "deploy" / "prometheus"
BOARD = Path(__file__).parents[2] / "dashboards" / "zh" / "school.json"
PROMETHEUS = f"""
global: {{scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 2s}}
rule_files: [{RULES}/recording.rules.yml, {RULES}/alerts.rules.yml]
scrape_configs:
  - job_name: campusmeter
    scheme: https
    authorization: {{credentials_file: read-token}}
    tls_config: {{ca_file: cert.pem}}
    static_configs: [{{targets: ["{BUREAU}:8443"]}}]
"""


def bureau_files(folder: Path) -> None:
    """Certificate, policy, configurations."""
    certificate = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bureau")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    subprocess.run(
        ["openssl", *certificate, "-addext", f"subjectAltName=IP:{BUREAU}", *files], check=True, capture_output=True
    )
    for name, text in {
        "policy.toml": POLICY,
        "collector.toml": COLLECTOR,
        "prometheus.yml": PROMETHEUS,
        "read-token": "the-read-token\n",
    }.items():
        (folder / name).write_text(text)


def test_from_a_classroom_s_wire_to_a_query(tmp_path: Path) -> None:
    if shutil.which("prometheus") is None:
        assert not os.environ.get("CI"), "prometheus must be there under CI"
        pytest.skip("NO PROMETHEUS: install the package prometheus")
    bureau_files(tmp_path)
    gateway = tmp_path / "gateway"
    gateway.mkdir()
    (gateway / "ca.pem").write_bytes((tmp_path / "cert.pem").read_bytes())
    where = ("--config", str(tmp_path / "collector.toml"))
    with LabSchool(ROOMS) as school:
        url = f"https://{BUREAU}:8443"
        token = school.bureau.run(*python("campus_collector", "agent-token", "s001", "--town", "t01", *where))
        assert token.returncode == 0, token.stderr
        (gateway / "token").write_text(token.stdout)
        (gateway / "token").chmod(0o600)
        config = school.agent_toml(gateway, collector_url=url, services={"web": f"{url}/healthz"}, more=OPTIONS)
        logs = {name: tmp_path / f"{name}.log" for name in ("collector", "agent", "prometheus")}
        prometheus = [
            "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            "--web.listen-address=127.0.0.1:9090", "--log.level=warn",
        ]  # fmt: skip
        with (
            running(school.bureau.argv(*python("campus_collector", "serve", *where)), logs["collector"]),
            running(school.gateway.argv(*python("campus_agent", "run", "--config", str(config))), logs["agent"]),
            running(school.bureau.argv(*prometheus), logs["prometheus"]),
        ):

            def query(expression: str) -> list[dict[str, Any]]:
                asked = f"http://127.0.0.1:9090/api/v1/query?query={quote(expression)}"
                done = school.bureau.run("curl", "-sS", "--max-time", "5", asked)
                return json.loads(done.stdout)["data"]["result"] if done.returncode == 0 else []

            def measured() -> bool:
                rooms = {line["subject"] for line in logged(logs["agent"], "measured") if line["kind"] == "throughput"}
                return rooms == {room.id for room in ROOMS}

            until(measured, 240, f"every classroom measured: {logs['agent'].read_text()[-2000:]}")
            until(lambda: len(query("campus_classroom_line_rate_bits_per_second")) == 6, 300, "the rates in Prometheus")
            time.sleep(3)
            for room in ROOMS:
                rates = query(f'campus_classroom_line_rate_bits_per_second{{classroom="{room.id}"}}')
                assert len(rates) == (2 if room.on else 0)
                for sample in rates:
                    rate = float(sample["value"][1])
                    assert rate == pytest.approx(room.line_rate_bits_per_second, rel=ONE_MEASUREMENT)
                met = query(f'campus_subject_met{{target="classroom_bandwidth",subject="{room.id}"}}')
                assert [each["value"][1] for each in met] == {"met": ["1"], "not_met": ["0"]}.get(room.truth, [])
            slowest = query("campus:classroom_line_rate_bits_per_second:min")
            assert {each["metric"]["classroom"] for each in slowest} == {room.id for room in ROOMS if room.on}
            for sample in slowest:
                rates = query(
                    f'campus_classroom_line_rate_bits_per_second{{classroom="{sample["metric"]["classroom"]}"}}'
                )
                assert float(sample["value"][1]) == pytest.approx(
                    min(float(rate["value"][1]) for rate in rates), rel=ONE_MEASUREMENT
                )
            panels = json.loads(BOARD.read_text(encoding="utf-8"))["panels"]
            asked = [
                target["expr"]
                for panel in panels
                for target in panel["targets"]
                if "campus_classroom_" in target["expr"]
            ]
            asked = [each.replace("$town", "t01").replace("$school", "s001") for each in asked if "_port_" not in each]
            assert len(asked) >= 3
            assert [each for each in asked if not query(each)] == [], "panels of classrooms, fed by the lab"
            ratio = query('campus_target_compliance_ratio{target="classroom_bandwidth",town=""}')
            assert float(ratio[0]["value"][1]) == 0.25
            assert query("campus_agent_up")[0]["value"][1] == "1"
            # Its certificate is private, and a platform is judged as a classroom would meet it.
            assert query("campus_service_success")[0]["value"][1] == "0"
            assert float(query("campus_classroom_working_rtt_seconds")[0]["value"][1]) > 0
            outcome = query('campus_measurements_total{kind="throughput",outcome="skipped"}')
            assert float(outcome[0]["value"][1]) >= 1
        assert "Traceback" not in logs["agent"].read_text() + logs["collector"].read_text()
