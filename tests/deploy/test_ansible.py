"""The playbook for a hundred gateways: whole, only Ansible's own modules, the code never logged. (Ansible itself runs it by hand: docs/pages/en/packages.md.)"""

from pathlib import Path

import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "ansible"
OF_A_TASK = {"name", "register", "changed_when", "failed_when", "when", "no_log"}


def test_the_inventory_names_a_hundred() -> None:
    actual = yaml.safe_load((FOLDER / "hosts.sample.yml").read_text(encoding="utf-8"))
    gateways = actual["all"]["children"]["gateways"]
    assert list(gateways["hosts"]) == ["gw[001:100]"]
    assert "school" in gateways["vars"]


def test_the_playbook() -> None:
    (play,) = yaml.safe_load((FOLDER / "gateways.yml").read_text(encoding="utf-8"))
    assert (play["hosts"], play["serial"]) == ("gateways", 10)
    for task in play["tasks"]:
        (module,) = set(task) - OF_A_TASK
        assert module.startswith("ansible.builtin."), module
    order = [name for task in play["tasks"] for name in task if name in ("ansible.builtin.assert", "no_log")]
    assert order == ["ansible.builtin.assert", "no_log"], "without a code `enroll` would wait for somebody to type it"
    commands = [str(task.get("ansible.builtin.command", {})) for task in play["tasks"]]
    assert any("'stdin': '{{ code }}'" in command for command in commands), "not in the process list"
    secret = [task["name"] for task in play["tasks"] if "code" in str(task.get("ansible.builtin.command", ""))]
    assert secret == [task["name"] for task in play["tasks"] if task.get("no_log")] != []
