"""The gateway's commands as a person types them."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from campus_agent.spool.spool import open_spool
from tests.agent.measure.burst.loopback import KEY, responder
from tests.collector.world import collector
from tests.flow.programs import until

CONFIG = """
[agent]
school = "s001"
town = "t01"
state_dir = "state"
[limits]
max_cpu_ratio = 1.0
max_cross_traffic_ratio = 1.0
[throughput]
duration_seconds = 2
warmup_seconds = 0
[cycle]
host_seconds = 10
[[classroom]]
id = "c101"
name = "一年级1班"
host = "127.0.0.1"
engine = "iperf3"
port = {port}
[[service]]
id = "web"
url = "http://127.0.0.1:1/"
"""


def run(*arguments: str, language: str = "en", **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "campus_agent", *arguments],
        capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"CAMPUS_LANG": language} | environ,
    )  # fmt: skip


def config(folder: Path, port: int = 1) -> str:
    path = folder / "agent.toml"
    path.write_text(CONFIG.format(port=port), encoding="utf-8")
    return str(path)


def test_json_is_one_object_and_nothing_else_on_standard_output(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        done = run("measure", "classroom", "c101", "--json", "--config", config(tmp_path, port))
    finally:
        server.kill()
        server.wait()
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert {name: answer[name] for name in ("kind", "school", "subject", "target", "engine", "verdict", "validity", "failure")} == {
        "kind": "throughput", "school": "s001", "subject": "c101", "target": "classroom_bandwidth", "engine": "iperf3",
        "verdict": "met", "validity": "ok", "failure": None,
    }  # fmt: skip
    assert (answer["required_bits_per_second"], answer["tolerance_ratio"]) == (100_000_000, 0.98)
    for way in ("down", "up"):
        assert set(answer[way]) - {"lower_bound"} == {
            "line_rate_bits_per_second",
            "goodput_bits_per_second",
            "bytes",
            "duration_seconds",
        }
    for name in ("rtt_seconds", "working_rtt_seconds", "jitter_seconds", "loss_ratio"):
        assert isinstance(answer[name], float)
    assert "cross_traffic_bits_per_second" in answer


def test_a_refused_endpoint_is_exit_3_with_the_failure_named(tmp_path: Path) -> None:
    file = config(tmp_path)
    done = run("measure", "classroom", "c101", "--json", "--config", file)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"], answer["validity"]) == (3, "insufficient", "endpoint_off")
    assert answer["failure"] == {
        "operation": "connect", "kind": "connection_refused", "detail": "unable to connect to server: Connection refused",
    }  # fmt: skip
    output = run("measure", "classroom", "c101", "--config", file, language="zh").stdout
    assert "无结论" in output
    assert "连接被拒绝" in output


def test_a_platform_that_fails_is_exit_1(tmp_path: Path) -> None:
    done = run("measure", "service", "web", "--json", "--config", config(tmp_path))
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["kind"], answer["verdict"], answer["success"]) == (1, "service", "not_met", False)
    assert answer["phase_duration_seconds"]["connect"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("measure", "classroom", "c999"), "no classroom 'c999'"),
        (("measure", "service", "x"), "no service 'x'"),
        (("measure", "uplink"), "no [uplink] in the configuration"),
        (("measure", "weather", "x"), "invalid choice"),
        (("nonsense",), "invalid choice"),
        ((), "required"),
    ],
)
def test_wrong_use_is_exit_2(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    where = ("--config", config(tmp_path)) if len(arguments) > 1 else ()
    done = run(*arguments, *where)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_bad_configuration_is_exit_2_with_every_mistake_in_the_reader_s_language(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('[agent]\nschool = "S"\ncolor = 1\n')
    for command in (("check-config",), ("run",), ("status",), ("doctor",), ("measure", "uplink")):
        done = run(*command, "--config", str(file), language="zh")
        assert done.returncode == 2
        assert "配置中有 2 处错误" in done.stderr
        assert "未知的配置项" in done.stderr


def test_check_config_says_what_it_found(tmp_path: Path) -> None:
    done = run("check-config", "--config", config(tmp_path))
    assert done.returncode == 0
    assert "School s001: 1 classroom(s), 1 service(s)" in done.stdout


def test_doctor_tells_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(CONFIG.format(port=1) + '[collector]\nurl = "http://127.0.0.1:1"\n', encoding="utf-8")
    done = run("doctor", "--json", "--config", str(file))
    findings = {each["check"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 1
    assert findings["token"]["ok"] is False
    assert "agent-token" in findings["token"]["remedy"]
    assert "connection refused" in findings["collector"]["what"]
    assert findings["state folder"]["ok"] is True
    assert findings["endpoint c101 一年级1班"]["ok"] is False, "the machine is on, and its port refuses"
    assert findings["platform web"]["ok"] is False
    (tmp_path / "token").write_text("x")
    (tmp_path / "token").chmod(0o644)
    output = run("doctor", "--config", str(file), language="zh").stdout
    assert "可被其他用户读取（权限 644）" in output
    assert f"chmod 600 {tmp_path / 'token'}" in output


def test_doctor_looks_at_the_secrets_of_devices(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    device = '[[device]]\nid = "{id}"\nroom = "r1"\nprofile = "camera-onvif"\nhost = "127.0.0.1"\n'
    onvif = 'onvif = {{ user = "m", password_file = "{file}" }}\n'
    text = CONFIG.format(port=1)
    for name, secret in (("cam-1", "shared"), ("cam-2", "shared"), ("cam-3", "gone")):
        text += (device + onvif).format(id=name, file=secret)
    file.write_text(text, encoding="utf-8")
    (tmp_path / "shared").write_text("hush-hush")
    (tmp_path / "shared").chmod(0o640)
    done = run("doctor", "--json", "--config", str(file))
    findings = {each["check"]: each for each in json.loads(done.stdout)}
    assert "mode 640" in findings["secret of cam-1, cam-2"]["what"]
    assert findings["secret of cam-3"]["ok"] is False
    assert "hush-hush" not in done.stdout + done.stderr


def test_the_daemon_runs_once_stops_cleanly_and_status_tells(tmp_path: Path) -> None:
    file = config(tmp_path)
    assert run("status", "--config", file).returncode == 1
    log = (tmp_path / "log").open("wb")
    daemon = subprocess.Popen([sys.executable, "-m", "campus_agent", "run", "--config", file], stderr=log)
    try:

        def seen() -> dict[str, object]:
            return json.loads(run("status", "--json", "--config", file).stdout)

        until(lambda: len(((seen().get("agent") or {}).get("last")) or {}) >= 3, 60, "first results")
        status = seen()
        assert status["running"] is True
        assert status["agent"]["last"]["throughput/c101"]["failure"]["kind"] == "connection_refused"
        assert status["spool"]["pending_results"] >= 3
        second = run("run", "--config", file)
        assert second.returncode == 2
        assert "already running" in second.stderr
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0
        log.close()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (lines[0]["event"], lines[-1]["event"]) == ("agent starts", "agent stopped")
    assert {"time", "level", "logger", "event"} <= set(lines[0])
    output = run("status", "--config", file, language="zh").stdout
    assert "连接被拒绝" in output
    assert "未在运行" in output


def test_two_load_tests_never_run_at_once(tmp_path: Path) -> None:
    file = config(tmp_path)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    held = (state / "segment.lock").open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    command = [sys.executable, "-m", "campus_agent", "measure", "classroom", "c101", "--json", "--config", file]
    waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(3)
    assert run("measure", "service", "web", "--config", file).returncode == 1  # no load: it need not wait
    held.close()
    output, _ = waiting.communicate(timeout=60)
    assert json.loads(output)["failure"]["kind"] == "connection_refused"


def test_on_a_blackout_day_nobody_tests(tmp_path: Path) -> None:
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    with open(file := config(tmp_path), "a", encoding="utf-8") as more:
        more.write(f'[timetable]\nblackout = ["{today}/{today + timedelta(days=1)}"]\n')
    done = run("measure", "classroom", "c101", "--json", "--config", file)
    answer = json.loads(done.stdout)
    assert done.returncode == 3
    assert (answer["validity"], answer["failure"]) == ("not_measured", None)
    assert "blackout" in answer["detail"]
    assert "停测日" in run("measure", "classroom", "c101", "--config", file, language="zh").stdout


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_is_in_the_reader_s_language(language: str) -> None:
    from campus_agent.cli.main import COMMANDS

    output = run("--help", language=language).stdout
    for words in COMMANDS.values():
        assert words.in_(language)[:10] in output
    assert run("measure", "--help", language=language).returncode == 0


def with_timetable(folder: Path, lines: str) -> str:
    path = Path(config(folder))
    path.write_text(f"{path.read_text(encoding='utf-8')}[timetable]\n{lines}\n", encoding="utf-8")
    return str(path)


def test_the_plan_of_a_day(tmp_path: Path) -> None:
    path = with_timetable(tmp_path, 'periods = ["08:00-08:45"]\nblackout = ["2026-11-25"]')
    done = run("schedule", "--date", "2026-11-24", "--json", "--config", path)
    plan = json.loads(done.stdout)
    assert (done.returncode, plan["day"], plan["date"]) == (0, "school", "2026-11-24")
    assert [window["state"] for window in plan["windows"]] == ["free", "lesson", "free"]
    tested = {test["subject"] for window in plan["windows"] for test in window["tests"]}
    assert "c101" in tested
    assert 0 < plan["planned_bytes"] <= plan["daily_test_bytes"]
    dark = run("schedule", "--date", "2026-11-25", "--config", path)
    assert "blackout: nothing is sent" in dark.stdout
    assert run("schedule", "--date", "24.11.2026", "--config", path).returncode == 2


def test_a_bad_terms_file_is_told_by_check_config_and_schedule(tmp_path: Path) -> None:
    path = with_timetable(tmp_path, 'holidays_file = "terms.toml"')
    (tmp_path / "terms.toml").write_text('[[term]]\nname = "a"\ndays = "soon"\n')
    for command in ("check-config", "schedule", "run"):
        done = run(command, "--config", path)
        assert done.returncode == 2
        assert "term[0].days: must be days like" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"", "collector.token_file: {file}: it is empty"),
        (b"x" * 70_000, "collector.token_file: {file}: it is no secret: longer than 64 KiB"),
        (b"\xff\x00\xff", "collector.token_file: {file}: it is not text"),
        (b"Bearer token", "collector.token_file: {file}: this is no token"),
        (b'"token"', "collector.token_file: {file}: this is no token"),
        ("cm1_１２".encode(), "collector.token_file: {file}: this is no token"),
        (b"token", None),
        (None, None),  # it comes by `enroll`
    ],
    ids=["empty", "long", "no text", "with its scheme", "in quotation marks", "full width", "good", "none"],
)
def test_check_config_reads_the_secrets(tmp_path: Path, content: bytes | None, mistake: str | None) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(CONFIG.format(port=1) + '[collector]\nurl = "https://c.example"\n', encoding="utf-8")
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    done = run("check-config", "--config", str(file))
    assert done.returncode == (0 if mistake is None else 2)
    if mistake is not None:
        assert mistake.format(file=tmp_path / "token") in done.stderr


def test_check_config_shows_the_mistakes_of_all_files(tmp_path: Path) -> None:
    path = with_timetable(tmp_path, 'holidays_file = "terms.toml"')
    (tmp_path / "terms.toml").write_bytes("[[term]]\nname = '秋季学期'\n".encode("gbk"))
    (tmp_path / "ca.pem").write_text("no certificate")
    (tmp_path / "token").write_bytes(b"\0\0")
    with Path(path).open("a", encoding="utf-8") as file:
        file.write('[collector]\nurl = "https://c.example"\nca_file = "ca.pem"\n')
    done = run("check-config", "--config", path, language="zh")
    assert done.returncode == 2
    assert "第 2 行不是 UTF-8 编码，而是 GBK" in done.stderr
    assert "collector.ca_file: " in done.stderr
    assert "没有 PEM 格式的证书" in done.stderr
    assert "collector.token_file: " in done.stderr


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_resident_program_shows_mistakes_as_check_config_does(tmp_path: Path, language: str) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('[agent]\nschool = "\\u001b[31mS"\n"a\\u001b]0;x\\u0007" = 1\n', encoding="utf-8")
    checked = run("check-config", "--config", str(file), language=language)
    resident = subprocess.run(
        [sys.executable, "-m", "campus_agent.resident", str(file)],
        env={**os.environ, "CAMPUS_LANG": language, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (resident.returncode, resident.stderr) == (checked.returncode, checked.stderr)
    assert resident.returncode == 2
    assert "\x1b" not in resident.stderr


def test_doctor_asks_whether_the_token_is_accepted(tmp_path: Path) -> None:
    with collector(tmp_path / "c") as world:
        file = tmp_path / "agent.toml"
        file.write_text(
            CONFIG.format(port=1) + f'[collector]\nurl = "http://127.0.0.1:{world.port}"\n', encoding="utf-8"
        )
        for token, accepted in ((world.token, True), ("cm1_revoked", False)):
            (tmp_path / "token").write_text(token)
            (tmp_path / "token").chmod(0o600)
            findings = {
                each["check"]: each for each in json.loads(run("doctor", "--json", "--config", str(file)).stdout)
            }
            assert findings["token at the collector"]["ok"] is accepted
        assert world.service.store.agents.all() == [], "nothing was reported"


def test_usage_mistakes_are_readable_to_who_reads_only_chinese(tmp_path: Path) -> None:
    done = run("measure", "toaster", language="zh")
    assert done.returncode == 2
    assert "用法：" in done.stderr
    assert "错误：" in done.stderr
    assert "无效的选择 'toaster'" in done.stderr
    assert "显示帮助并退出" in run("--help", language="zh").stdout
    assert "usage: " in run("measure", "toaster").stderr


def test_status_shows_the_school_s_own_time(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from campus_agent.status import in_words

    last = {"started_at": datetime(2026, 11, 24, 1, 47, tzinfo=UTC).isoformat(), "validity": "ok"}
    status = {"running": True, "school": "s001", "timezone": "Asia/Shanghai", "spool": None, "problems": []}
    assert "2026-11-24 09:47:00" in in_words(status | {"agent": {"last": {"host/gateway": last}, "running": {}}}, "zh")


def test_a_persons_test_counts_against_the_days_octets(tmp_path: Path) -> None:
    with responder() as running:
        (tmp_path / "test.key").write_bytes(KEY)
        (tmp_path / "test.key").chmod(0o600)
        file = tmp_path / "agent.toml"
        file.write_text(
            '[agent]\nschool = "s001"\nstate_dir = "state"\ntest_key_file = "test.key"\n[limits]\nmax_cpu_ratio = 1.0\n'
            '[collector]\nurl = "http://127.0.0.1:1"\n'
            f'[[classroom]]\nid = "c101"\nhost = "127.0.0.1"\nport = {running.port}\n'
        )
        answer = json.loads(run("measure", "classroom", "c101", "--json", "--config", str(file)).stdout)
    assert answer["down"], answer
    with open_spool(tmp_path / "state", role="reader") as spool:
        counted = spool.test_bytes_total()
    if answer["up"] is None:  # a machine too busy to test the other direction: what was sent of it counts all the same
        assert counted["classroom"] >= answer["down"]["bytes"]
    else:
        assert counted == {"classroom": answer["down"]["bytes"] + answer["up"]["bytes"]}
