"""The bureau on plain Debian packages: deploy/bureau.sh on a machine with a real systemd, then everything answers and stands together."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.machine import machine, needs_machine

ROOT = Path(__file__).parents[2]
CHECK = """
ask() { for _ in $(seq 15); do curl -fsS --max-time 5 "$1" && return; sleep 1; done; }
echo "== units"; systemctl is-active campus-collector prometheus prometheus-alertmanager
echo "== ready"; ask http://127.0.0.1:8080/readyz; echo
for _ in $(seq 60); do
  curl -fsS --max-time 5 'http://127.0.0.1:9090/api/v1/query?query=up' | grep -q '"1"' && break; sleep 1
done
echo "== up"; ask 'http://127.0.0.1:9090/api/v1/query?query=up'; echo
echo "== rules"; ask http://127.0.0.1:9090/api/v1/rules; echo
echo "== managers"; ask http://127.0.0.1:9090/api/v1/alertmanagers; echo
echo "== receivers"; ask http://127.0.0.1:9093/api/v2/receivers; echo
echo "== user"; ps -o user= -C campus-collector | sort -u
echo "== security"; systemd-analyze security --no-pager campus-collector | tail -1
echo "== files"; stat -c '%a %U:%G %n' /etc/campus-collector/collector.toml /var/lib/campus-collector /var/lib/campus-collector/campus.db
echo "== restart"; systemctl restart campus-collector && systemctl is-active campus-collector
echo "== journal"; journalctl -b --no-pager -p warning -u campus-collector | tail -20
"""


def test_the_set_on_plain_debian_packages(tmp_path: Path) -> None:
    needs_machine()
    if shutil.which("prometheus") is None:
        pytest.fail("prometheus must be there: deploy/setup/packages.sh test")
    with machine(tmp_path) as bureau:
        shutil.copytree(ROOT, bureau.root / "srv/campusmeter", ignore=shutil.ignore_patterns(".venv", ".git", ".run"))
        (bureau.root / "etc/prometheus/prometheus.yml").write_text("# the bureau's own\n")
        for _ in range(2):  # it may be run again
            installed = bureau.run(["/srv/campusmeter/deploy/bureau.sh"])
            assert installed.returncode == 0, installed.stdout + installed.stderr
        kept = bureau.root / "etc/prometheus/prometheus.yml.before-campusmeter"
        assert kept.read_text() == "# the bureau's own\n"
        said = bureau.boot(CHECK)
    parts = dict(re.findall(r"^== (\w+)\n(.*?)(?=^== |\Z)", said, re.MULTILINE | re.DOTALL))
    assert parts["units"].split() == ["active"] * 3, said
    (up,) = json.loads(parts["up"])["data"]["result"]
    assert up["metric"]["job"] == "campusmeter"
    assert up["value"][1] == "1"
    rules = [rule for group in json.loads(parts["rules"])["data"]["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    assert len([rule for rule in rules if rule["type"] == "alerting"]) == 18
    (manager,) = json.loads(parts["managers"])["data"]["activeAlertmanagers"]
    assert manager["url"] == "http://127.0.0.1:9093/api/v2/alerts"
    assert {one["name"] for one in json.loads(parts["receivers"])} == {"duty", "staff"}
    assert parts["user"].split() in (["campus-collector"], ["campus-+"])
    level = re.search(r": ([\d.]+) ", parts["security"])
    assert level is not None
    assert float(level[1]) <= 2.5, parts["security"]
    files = parts["files"].splitlines()
    assert files[0].startswith("640 root:campus-collector")
    assert files[1].startswith("750 campus-collector:campus-collector")
    assert files[2].startswith("640 campus-collector:campus-collector")
    assert parts["restart"].split() == ["active"]
    assert "Traceback" not in parts["journal"]


def test_shellcheck_of_the_shell_itself() -> None:
    for script in sorted((ROOT / "deploy").rglob("*.sh")):
        subprocess.run(["bash", "-n", str(script)], check=True)
