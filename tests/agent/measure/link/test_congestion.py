"""The congestion control that is recorded is the one our sockets really have, whoever we are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from campus_agent.measure.link.congestion import allowed_congestion_control

ALLOWED = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
DEFAULT = Path("/proc/sys/net/ipv4/tcp_congestion_control")


def test_what_is_asked_for_where_it_may_be_had() -> None:
    assert allowed_congestion_control("reno") == "reno"  # every Linux has it, and everybody may use it
    assert allowed_congestion_control("no-such-thing") == DEFAULT.read_text().strip()


def test_a_user_without_rights_gets_what_the_machine_allows() -> None:
    """As the service's user: libiperf would refuse the whole test if it were asked for more."""
    if os.geteuid() != 0:
        pytest.skip("NEEDS ROOT: to become another user")
    code = "from campus_agent.measure.link.congestion import allowed_congestion_control as get; print(get('cubic'))"
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", sys.executable, "-c", code]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[4] / "agent"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if "Permission denied" in done.stderr:
        pytest.skip("NO PYTHON FOR OTHERS: this interpreter stands in a folder that only root reads")
    expected = "cubic" if "cubic" in ALLOWED.read_text().split() else DEFAULT.read_text().strip()
    assert done.stdout.strip() == expected, done.stderr
