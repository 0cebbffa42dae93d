"""The Debian packages in a clean Debian with a real systemd: installed without a network, enrolled, measuring; upgraded, not downgraded, removed, purged."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from campus_wire.version import VERSION
from tests.packaging.conftest import NEWER
from tests.packaging.machine import Machine, machine, needs_machine

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(4800)  # the first test waits for the packages and a booted machine
KEPT = os.environ.get("CAMPUS_DEBIAN_ROOT")
"""A folder where the clean Debian is kept between runs."""

# What the README tells the bureau and the school to type, on one machine: loopback stands for the line between them.
FROM_NOTHING = """
began=$(date +%s%N)
say() { echo "== $1"; }
wait_for() { for _ in $(seq 200); do eval "$1" >/dev/null 2>&1 && return 0; sleep 0.2; done; echo "not within 40 s: $1"; }
export CAMPUS_LANG=zh LC_ALL=C.UTF-8
say ready; wait_for 'curl -fsS http://127.0.0.1:8080/readyz || python3 -c "import urllib.request as u; u.urlopen(\\"http://127.0.0.1:8080/readyz\\")"'; systemctl is-active campus-collector
say before; systemctl is-active campus-agent
say inventory; campus-collector inventory import /srv/inventory --config /etc/campus-collector/collector.toml | tail -1
say code; code=$(campus-collector enroll-code s001 --url http://127.0.0.1:8080 2>/dev/null); echo ${#code}
say enrol; campus-agent enroll http://127.0.0.1:8080 "$code"
campus-agent respond --port 5301 --iperf3-port 0 --listen 127.0.0.1 --test-key-file /var/lib/campus-agent/test.key >/dev/null 2>&1 &
say measure; wait_for 'campus-agent measure classroom c101 --json > /srv/measured.json'; cat /srv/measured.json
say measured; wait_for 'python3 -c "
import json, urllib.request
found = json.load(urllib.request.urlopen(\\"http://127.0.0.1:8080/v1/results?school=s001&kind=throughput\\"))
assert [one for one in found[\\"results\\"] if one[\\"subject\\"] == \\"c101\\" and one.get(\\"record\\")]
"'
echo $(( ($(date +%s%N) - began) / 1000000 ))
say classroom; python3 -c "
import urllib.request
page = urllib.request.urlopen('http://127.0.0.1:8080/schools/s001/subjects/c101').read().decode()
print('一年级1班' in page and '依据：实测' in page or page)"
say classroom_page; wait_for 'python3 -c "import urllib.request as u; u.urlopen(\\"http://127.0.0.1:8090/\\")"'; python3 -c "
import urllib.request; print('班级网络测速' in urllib.request.urlopen('http://127.0.0.1:8090/?room=c101').read().decode())"
say doctor; campus-agent doctor --json
say users; for unit in campus-agent campus-collector; do stat -c %U /proc/$(systemctl show -P MainPID $unit); done
say capabilities; grep -h CapEff /proc/$(systemctl show -P MainPID campus-agent)/status
say security; systemd-analyze security --no-pager campus-agent | tail -1; systemd-analyze security --no-pager campus-collector | tail -1
say secrets; token=$(cat /var/lib/campus-agent/token); key=$(cat /var/lib/campus-agent/test.key)
printf '%s\\n' "$token" "$key" "$code" > /srv/secrets
{ journalctl -b --no-pager; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; } | grep -c -F -f /srv/secrets
say modes; stat -c '%a %U:%G %n' /etc/campus-agent /etc/campus-agent/agent.toml /var/lib/campus-agent /var/lib/campus-agent/token /var/lib/campus-agent/test.key \\
  /etc/campus-collector/collector.toml /var/lib/campus-collector /var/lib/campus-collector/campus.db
say world; find /var/lib/campus-agent /var/lib/campus-collector /etc/campus-agent /etc/campus-collector -perm -o=r -not -type l
say upgrade; echo '# the bureau was here' >> /etc/campus-collector/collector.toml
DEBIAN_FRONTEND=noninteractive dpkg -i /srv/newer/*.deb >/srv/upgrade.log 2>&1; echo $?; tail -3 /srv/upgrade.log
say versions; campus-agent --version; campus-collector --version
say after; wait_for 'python3 -c "import urllib.request as u; u.urlopen(\\"http://127.0.0.1:8080/readyz\\")"'; systemctl is-active campus-collector campus-agent
say kept; tail -1 /etc/campus-collector/collector.toml; python3 -c "
import json, urllib.request
print(len(json.load(urllib.request.urlopen('http://127.0.0.1:8080/v1/results?school=s001&kind=throughput'))['results']) > 0)"; ls /var/lib/campus-collector
say copies; stat -c '%a %U' /var/lib/campus-collector/before-*.db
say downgrade; dpkg -i /srv/older/*.deb >/srv/downgrade.log 2>&1; echo $?; cat /srv/downgrade.log
campus-agent --version; systemctl is-active campus-collector campus-agent
say template; ready() { python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8081/readyz')"; }
systemctl --quiet mask --now campus-collector; systemctl --quiet enable --now campus-collector@8081; wait_for ready; systemctl is-active campus-collector@8081
before=$(systemctl show -P MainPID campus-collector@8081); stat -c %U /proc/$before
dpkg -i /srv/newer/campus-collector_*.deb >/dev/null 2>&1; echo $?; wait_for ready; systemctl is-active campus-collector@8081
[ "$before" != "$(systemctl show -P MainPID campus-collector@8081)" ] && echo restarted; systemctl is-active campus-collector
kill -9 $(systemctl show -P MainPID campus-collector@8081); sleep 1; wait_for ready; systemctl is-active campus-collector@8081
say remove; dpkg --remove campus-agent campus-collector >/dev/null 2>&1; echo $?; ls /var/lib/campus-agent/token /var/lib/campus-collector/campus.db /etc/campus-agent/agent.toml; systemctl is-active campus-agent
say purge; dpkg --purge campus-agent campus-collector >/dev/null 2>&1; echo $?; getent passwd campus-agent campus-collector
find / -xdev -iname '*campus*' -not -path '/proc/*' -not -path '/srv/*' -not -path '/sys/*' -not -path '/var/log/*' -not -name 'campus-check*' -not -path '/check*'
say journal; journalctl -b --no-pager -u campus-agent -u campus-collector | grep -e Traceback -e ' error ' | head -5
say end
"""


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A minimal Debian 12 with systemd, by mmdebstrap from the mirror this machine itself uses."""
    needs_machine()
    if shutil.which("mmdebstrap") is None:
        assert not os.environ.get("CI"), "mmdebstrap must be there under CI"
        pytest.skip("NO MMDEBSTRAP: deploy/setup/packages.sh test")
    root = Path(KEPT) if KEPT else tmp_path_factory.mktemp("debian") / "root"
    if not (root / "usr/bin/systemctl").exists():
        found = re.search(r"^URIs:\s*(\S+)", Path("/etc/apt/sources.list.d/debian.sources").read_text(), re.MULTILINE)
        assert found is not None
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--include=systemd,systemd-sysv,dbus",
            "bookworm",
            str(root),
            found[1],
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
    yield root
    if not KEPT:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def story(debian: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the machine said on the way from nothing to purged, section by section."""
    with machine(tmp_path_factory.mktemp("machine"), debian) as clean:
        srv = clean.root / "srv"
        shutil.copytree(packages / "newer", srv / "newer")
        (srv / "older").mkdir()
        for deb in (packages / "now").glob("*.deb"):
            shutil.copy(deb, srv / "older")
        (bundle,) = (packages / "now").glob("*.tar.gz")
        subprocess.run(["tar", "xzf", str(bundle), "-C", str(srv)], check=True)
        inventory = srv / "inventory"
        inventory.mkdir()
        (inventory / "schools.csv").write_text("town_id,town,school_id,school,town_seat\nt01,柳河镇,s001,柳河小学,0\n")
        (inventory / "classrooms.csv").write_text(
            "school_id,classroom_id,classroom,host,port,exempt_reason\ns001,c101,一年级1班,127.0.0.1,5301,\n"
        )
        install(clean, srv)
        said = clean.boot(FROM_NOTHING)
    return dict(re.findall(r"^== (\w+)\n(.*?)(?=^== |\Z)", said, re.MULTILINE | re.DOTALL)) | {"whole": said}


def install(clean: Machine, srv: Path) -> None:
    """The bundle, then the collector's package, neither with any network."""
    (script,) = srv.glob("campus-agent-offline_*/install.sh")
    began = time.monotonic()
    done = clean.run([f"/srv/{script.parent.name}/install.sh"], offline=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "campus-agent enroll" in done.stdout
    (deb,) = (srv / "older").glob("campus-collector_*.deb")
    done = clean.run(["dpkg", "-i", f"/srv/older/{deb.name}"], offline=True)
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"\nboth packages installed in {time.monotonic() - began:.1f} s")
    damaged = srv / script.parent.name / "packages"
    victim = next(iter(sorted(damaged.glob("*.deb"))))
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    done = clean.run([f"/srv/{script.parent.name}/install.sh"], offline=True)
    assert done.returncode == 1
    assert "文件损坏" in done.stderr


def test_from_a_clean_debian_to_a_measured_classroom(story: dict[str, str]) -> None:
    assert story["ready"].split()[-1] == "active", story["whole"]
    assert story["before"].split() == ["inactive"], "nothing to do before it is enrolled"
    assert "已生效" in story["inventory"]
    assert "本网关已注册为 s001" in story["enrol"]
    assert "教育局下发的配置：班级 1 个" in story["enrol"], story["enrol"]
    assert "服务 campus-agent 已运行" in story["enrol"]
    assert json.loads(story["measure"])["verdict"] == "met"
    milliseconds = int(story["measured"].split()[-1])
    print(f"\nfrom the first boot to a measured classroom on the page: {milliseconds / 1000:.1f} s")
    assert story["classroom"].strip() == "True", story["classroom"][-3000:]
    assert story["classroom_page"].split()[-1] == "True"
    assert story["journal"].strip() == "", story["journal"]


def test_doctor_finds_nothing_wrong_of_its_own(story: dict[str, str]) -> None:
    findings = {each["check"]: each for each in json.loads(story["doctor"])}
    assert findings["service"]["ok"] is True
    assert findings["state folder"]["ok"] is True
    assert findings["token at the collector"]["ok"] is True
    assert findings["endpoint c101 一年级1班"]["ok"] is True
    assert [finding["check"] for finding in findings.values() if finding["ok"] is False] == []


def test_users_and_rights(story: dict[str, str]) -> None:
    assert story["users"].split() == ["campus-agent", "campus-collector"]
    assert story["capabilities"].split() == ["CapEff:", "0000000000002000"], "CAP_NET_RAW and nothing else"
    levels = [float(match) for match in re.findall(r": ([\d.]+) ", story["security"])]
    print(f"\nsystemd-analyze security: agent {levels[0]}, collector {levels[1]}")
    assert all(level <= 2.5 for level in levels), story["security"]
    assert story["modes"].splitlines() == [
        "750 root:campus-agent /etc/campus-agent",
        "640 root:campus-agent /etc/campus-agent/agent.toml",
        "700 campus-agent:campus-agent /var/lib/campus-agent",
        "600 campus-agent:campus-agent /var/lib/campus-agent/token",
        "600 campus-agent:campus-agent /var/lib/campus-agent/test.key",
        "640 root:campus-collector /etc/campus-collector/collector.toml",
        "750 campus-collector:campus-collector /var/lib/campus-collector",
        "640 campus-collector:campus-collector /var/lib/campus-collector/campus.db",
    ]


def test_no_secret_where_others_read(story: dict[str, str]) -> None:
    assert story["secrets"].strip() == "0"
    assert story["world"].strip() == ""


def test_an_upgrade_keeps_everything(story: dict[str, str]) -> None:
    assert story["upgrade"].split()[0] == "0", story["upgrade"]
    assert story["versions"].splitlines() == [f"campus-agent {NEWER}", f"campus-collector {NEWER}"]
    assert story["after"].split()[-2:] == ["active", "active"], story["whole"]
    kept = story["kept"].splitlines()
    assert kept[:2] == ["# the bureau was here", "True"]
    assert f"before-{NEWER}.db" in kept, "a copy from before the upgrade"
    assert story["copies"].split() == ["600", "campus-collector"]


def test_a_downgrade_is_refused(story: dict[str, str]) -> None:
    lines = story["downgrade"].splitlines()
    assert lines[0] != "0"
    assert f"已安装 campus-agent {NEWER}，而 {VERSION} 较旧" in story["downgrade"]
    assert "nothing was changed" in story["downgrade"]
    assert lines[-3:] == [f"campus-agent {NEWER}", "active", "active"]


def test_a_collector_of_several_is_restarted_by_an_upgrade_and_when_it_was_killed(story: dict[str, str]) -> None:
    assert story["template"].split() == ["active", "campus-collector", "0", "active", "restarted", "inactive", "active"]


def test_remove_keeps_and_purge_does_not(story: dict[str, str]) -> None:
    removed = story["remove"].split()
    assert removed[0] == "0"
    assert removed[1:4] == [
        "/etc/campus-agent/agent.toml",
        "/var/lib/campus-agent/token",
        "/var/lib/campus-collector/campus.db",
    ]
    assert removed[-1] == "inactive"
    assert story["purge"].split() == ["0"], story["purge"]


@pytest.mark.parametrize("argument", ["--arch=riscv64", "nonsense"])
def test_what_cannot_be_built_is_told(argument: str) -> None:
    command = [str(ROOT / "deploy/package/build.sh"), *argument.split("=")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
