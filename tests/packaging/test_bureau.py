"""The bureau on plain Debian packages: deploy/bureau.sh on a machine with a real systemd, then everything answers and stands together."""

import json
import re
import shutil
import subprocess
from hashlib import md5
from pathlib import Path

import pytest

from tests.packaging.machine import Machine, machine, needs_machine

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


def as_0_2_left_it(root: Path) -> None:
    """The script of 0.2.0 put its files in the place of Debian's, and staff edited them."""
    for name in ("prometheus.yml", "alertmanager.yml"):
        file = root / "etc/prometheus" / name
        file.rename(file.with_name(f"{name}.before-campusmeter"))
        file.write_text((ROOT / "deploy/prometheus" / name).read_text() + "# the staff's own receivers\n")
    for service, arguments in {
        "prometheus": "--web.listen-address=127.0.0.1:9090 ",
        "prometheus-alertmanager": "--cluster.listen-address= --web.listen-address=127.0.0.1:9093 ",
    }.items():
        file = root / "etc/default" / service
        file.write_text(file.read_text().replace('ARGS="', f'ARGS="{arguments}', 1))
    shutil.copy(
        ROOT / "tests/captures/units/campus-collector-0.2.0.service",
        root / "etc/systemd/system/campus-collector.service",
    )


def changed_conffiles(bureau: Machine) -> list[str]:
    """Configuration files of the packages we set up that are not as their package brought them: what makes dpkg ask at an upgrade."""
    listed = bureau.run(["dpkg-query", "-W", "-f=${Conffiles}\n", "prometheus", "prometheus-alertmanager"]).stdout
    pairs = [line.split()[:2] for line in listed.splitlines() if line.strip() and "obsolete" not in line]
    return [name for name, digest in pairs if md5((bureau.root / name.lstrip("/")).read_bytes()).hexdigest() != digest]


def test_the_set_on_plain_debian_packages(tmp_path: Path) -> None:
    needs_machine()
    if shutil.which("prometheus") is None:
        pytest.fail("prometheus must be there: deploy/setup/packages.sh test")
    with machine(tmp_path) as bureau:
        shutil.copytree(ROOT, bureau.root / "srv/campusmeter", ignore=shutil.ignore_patterns(".venv", ".git", ".run"))
        as_0_2_left_it(bureau.root)
        for _ in range(2):  # it may be run again
            installed = bureau.run(["/srv/campusmeter/deploy/bureau.sh"])
            assert installed.returncode == 0, installed.stdout + installed.stderr
        assert changed_conffiles(bureau) == [], "an upgrade of these packages would ask"
        edited = bureau.root / "etc/prometheus/campusmeter/alertmanager.yml"
        assert edited.read_text().endswith("# the staff's own receivers\n")
        assert not (bureau.root / "etc/systemd/system/campus-collector.service").exists()
        actual = bureau.boot(CHECK)
    parts = dict(re.findall(r"^== (\w+)\n(.*?)(?=^== |\Z)", actual, re.MULTILINE | re.DOTALL))
    assert parts["units"].split() == ["active"] * 3, actual
    (up,) = json.loads(parts["up"])["data"]["result"]
    assert up["metric"]["job"] == "campusmeter"
    assert up["value"][1] == "1"
    rules = [rule for group in json.loads(parts["rules"])["data"]["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    shipped = (ROOT / "deploy/prometheus/alerts.rules.yml").read_text(encoding="utf-8").count("- alert: ")
    assert len([rule for rule in rules if rule["type"] == "alerting"]) == shipped > 0
    (manager,) = json.loads(parts["managers"])["data"]["activeAlertmanagers"]
    assert manager["url"] == "http://127.0.0.1:9093/api/v2/alerts"
    assert {each["name"] for each in json.loads(parts["receivers"])} == {"duty", "staff"}
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
