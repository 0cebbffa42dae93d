"""Gateway and collector as they are shipped: both packages in a booted machine, the daemon measuring a whole school under its unit, through what a year brings.

The story itself is tests/packaging/story.py; here stands what must be true of it.
"""

import contextlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.conftest import NEWER
from tests.packaging.machine import PROJECT, Machine, machine, needs_machine

ROOT = Path(__file__).parents[2]
STORY_SECONDS = 3600
"""Of each boot; the story takes about four minutes on a quiet machine."""
pytestmark = pytest.mark.timeout(9000)  # the first test waits for the packages and both boots
OLD_UNIT = ROOT / "tests/captures/units/campus-collector-0.2.0.service"
BUREAU_TOML = '[server]\nlisten = "127.0.0.1:8080"\n\n[store]\nurl = "sqlite:////var/lib/campus-collector/campus.db"\n\n[county]\nname = "县"\ntimezone = "Asia/Shanghai"\n'


@contextlib.contextmanager
def small_disks(folder: Path) -> Iterator[dict[Path, str]]:
    """File systems of the two state folders, small enough to be filled, that outlive a reboot."""
    binds = {}
    try:
        for name, size in {"campus-agent": "48m", "campus-collector": "400m"}.items():
            place = folder / name
            place.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(place)], check=True)
            binds[place] = f"/var/lib/{name}"
        yield binds
    finally:
        for place in binds:
            subprocess.run(["umount", "--lazy", str(place)], check=False)


def install(gateway: Machine, packages: Path) -> list[str]:
    """Both packages, on a bureau that the script of 0.2.0 had set up; what dpkg printed."""
    root, srv = gateway.root, gateway.root / "srv"
    shutil.copytree(packages / "newer", srv / "newer")
    # the machine is a copy of this one, on which a collector may have been tried
    shutil.rmtree(root / "etc/campus-collector", ignore_errors=True)
    (root / "etc/campus-collector").mkdir()
    (root / "etc/campus-collector/collector.toml").write_text(BUREAU_TOML)
    shutil.copy(OLD_UNIT, root / "etc/systemd/system/campus-collector.service")
    (srv / "inventory").mkdir()
    (srv / "inventory/schools.csv").write_text(
        "town_id,town,school_id,school,town_seat\nt01,柳河镇,s001,柳河小学,1\nt01,柳河镇,s002,东庄小学,0\n"
    )
    (srv / "inventory/classrooms.csv").write_text(
        "school_id,classroom_id,classroom,host,port,exempt_reason\n"
        "s001,c101,一年级1班,10.77.0.11,5301,\ns001,c102,一年级2班,10.77.0.12,5201,\n"
    )
    printed = []
    for deb in sorted((packages / "now").glob("*.deb")):
        shutil.copy(deb, srv)
        done = gateway.run(["dpkg", "-i", f"/srv/{deb.name}"], offline=True)
        assert done.returncode == 0, done.stdout + done.stderr
        printed.append(done.stdout + done.stderr)
    return printed


@pytest.fixture(scope="module")
def story(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the machine saw in its two boots: `first`, `second`, and what dpkg printed: `installed`."""
    needs_machine()
    folder = tmp_path_factory.mktemp("shipped")
    interpreter = Path(sys.executable).relative_to(ROOT)  # of the project's own environment
    with machine(folder) as gateway, small_disks(folder) as binds:
        said: dict[str, Any] = {"installed": install(gateway, packages)}
        said["toml"] = (gateway.root / "etc/campus-collector/collector.toml").read_text()
        said["old_unit"] = (gateway.root / "etc/systemd/system/campus-collector.service").exists()
        for part in ("first", "second"):
            python = f"PYTHONPATH=.:agent:collector PYTHONDONTWRITEBYTECODE=1 {PROJECT}/{interpreter}"
            command = f"cd {PROJECT} && exec env {python} -m tests.packaging.story {part.upper()} /srv/{part}.json\n"
            printed = gateway.boot(command, STORY_SECONDS, binds)
            out = gateway.root / f"srv/{part}.json"
            assert out.exists(), printed
            said[part] = json.loads(out.read_text())
            assert "error" not in said[part], (
                f"{said[part].get('journal')}\n{said[part].get('failures')}\n{said[part]['error']}"
            )
    return said


def test_the_packages_take_the_place_of_the_script_s_files_and_ask_nothing(story: dict[str, Any]) -> None:
    assert story["toml"] == BUREAU_TOML, "what the bureau has set stays"
    assert not story["old_unit"], "a copy of an older unit would hide the package's"
    assert "Configuration file" not in "".join(story["installed"])


@pytest.mark.parametrize("worker", ["campus", "iperf3", "uplink", "device", "port", "service", "discover"])
def test_each_worker_of_the_agent_works_under_its_unit(story: dict[str, Any], worker: str) -> None:
    done = story["first"]["commands"][worker]
    assert done["code"] in (0, 3), done  # 3: measured, and not judged, because this machine does everything at once
    answer = json.loads(done["out"])
    if worker != "discover":
        assert answer["failure"] is None, answer


@pytest.mark.parametrize("command", ["report", "import", "verify"])
def test_each_child_of_the_collector_works_under_its_unit(story: dict[str, Any], command: str) -> None:
    done = story["first"]["commands"][command]
    assert done["code"] == 0, done


def test_the_daemon_itself_measured_everything(story: dict[str, Any]) -> None:
    """Met or not is no question of this machine, which does everything at once; that no worker died is."""
    results = story["second"]["results"]
    kinds = Counter(result["kind"] for result in results if "record" in result and not result.get("failure"))
    wanted = {"throughput", "latency", "host", "service", "device", "room", "port", "network", "inspection"}
    assert wanted <= set(kinds), kinds
    died = [result for result in results if (result.get("failure") or {}).get("kind") == "worker_died"]
    assert died == []
    for boot in ("first", "second"):
        assert "worker_died" not in story[boot]["journal"]
        assert "Traceback" not in story[boot]["journal"]


def test_a_full_line_is_never_called_slow_by_the_daemon(story: dict[str, Any]) -> None:
    """Both lines carry 110 Mbit/s: what the busy machine could not measure is not judged."""
    for result in story["second"]["results"]:
        if (
            result["kind"] == "throughput"
            and result["subject"] in ("c101", "c102")
            and result["validity"] == "ok"
            and result.get("record")
        ):
            for direction in ("down", "up"):
                measured = result["record"].get(direction)
                if measured and not measured.get("lower_bound") and measured.get("line_rate_bits_per_second"):
                    assert measured["line_rate_bits_per_second"] >= 98e6, result


def test_the_units_were_active_all_along(story: dict[str, Any]) -> None:
    for states in (story["first"]["before_upgrade"], story["first"]["after_upgrade"], story["second"]["units"]):
        for unit, seen in states.items():
            assert {each["ActiveState"] for each in seen} <= {"active", "reloading"}, (unit, seen)
            assert {each["NRestarts"] for each in seen} == {"0"}, (unit, seen)
            assert len({each["MainPID"] for each in seen}) == 1, (unit, seen)


def test_nothing_is_lost_and_nothing_doubled(story: dict[str, Any]) -> None:
    spool = story["second"]["status"]["spool"]
    assert spool["lost_total"] == 0
    assert spool["quarantined_total"] == 0
    results = story["second"]["results"]
    moments = Counter(
        (result["boot_id"], result["kind"], result["subject"], result["monotonic_seconds"]) for result in results
    )
    assert [moment for moment, count in moments.items() if count > 1] == []
    assert spool["acknowledged_total"] + spool["pending_results"] >= len(results) > 0


def test_clock_steps_move_no_result(story: dict[str, Any]) -> None:
    """The clock went two weeks ahead, two weeks back, and was put right: every result lies in the minutes of the story, or is marked."""
    results = story["second"]["results"]
    days = {result["started_at"][:10] for result in results if result["validity"] != "clock_untrusted"}
    assert len(days) <= 2, days


def test_the_page_works_under_the_unit(story: dict[str, Any]) -> None:
    page = story["first"]["page"]
    assert page["code"] == 0, page
    assert json.loads(page["out"])["verdict"] in ("met", "insufficient")


def test_a_backup_ends_while_results_come_in(story: dict[str, Any]) -> None:
    backup = story["first"]["backup"]
    assert backup["code"] == 0, backup
    assert backup["writer"] == "", backup
    assert backup["meanwhile"], "nothing was written meanwhile: the test shows nothing"


@pytest.mark.parametrize("folder", ["/var/lib/campus-agent", "/var/lib/campus-collector"])
def test_a_full_disk_ends_no_service(story: dict[str, Any], folder: str) -> None:
    full = story["first"]["full"][folder]
    assert full["free"] < 1 << 20
    assert set(full["states"].values()) == {"active"}


def test_an_upgrade_and_a_reboot_ask_nothing_and_lose_nothing(story: dict[str, Any]) -> None:
    assert story["first"]["upgrade"]["code"] == 0, story["first"]["upgrade"]
    assert story["second"]["status"]["agent"]["version"] == NEWER
    assert story["second"]["verify"]["code"] == 0, story["second"]["verify"]


def test_every_file_belongs_to_the_service_that_needs_it(story: dict[str, Any]) -> None:
    """Commands were run as root, as people do."""
    assert [owner for owner in story["second"]["owners"] if owner.startswith("root ") and "filler" not in owner] == []
