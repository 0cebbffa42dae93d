"""What `campus-agent status` says of the spool: what waits, what was lost, what was refused and why."""

from pathlib import Path

import pytest

from campus_agent.config.model import AgentConfig, SpoolLimits
from campus_agent.config.read import load_config
from campus_agent.ship.shipper import OUTCOME_KEY, ShipOutcome
from campus_agent.spool.spool import open_spool
from campus_agent.status import in_words, read_status
from tests.agent.spool.things import AT, result


@pytest.fixture
def agent(tmp_path: Path) -> AgentConfig:
    (tmp_path / "agent.toml").write_text('[agent]\nschool = "s001"\nstate_dir = "state"\n')
    return load_config(tmp_path / "agent.toml", {})


def test_a_gateway_where_nothing_ever_ran(agent: AgentConfig) -> None:
    status = read_status(agent)
    assert (status["spool"], status["ship"], status["healthy"]) == (None, None, False)
    assert not agent.state_dir.exists(), "looking makes nothing"


def test_waiting_lost_refused_and_why(agent: AgentConfig) -> None:
    with open_spool(agent.state_dir, SpoolLimits(max_results=5)) as spool:
        for n in range(9):
            spool.put(result(n))
        spool.quarantine({entry.key: "started_at is in the future" for entry in spool.peek(2)})
        spool.remember(
            OUTCOME_KEY,
            ShipOutcome(AT, reason="clock_wrong", detail="by this gateway's clock it is 1970", failures_in_a_row=3),
        )
    status = read_status(agent)
    assert status["spool"]["pending_results"] == 3
    assert in_words(status, "en").splitlines()[1:3] == [
        "Waiting to be sent: 3; sent: 0; lost: 4; refused: 2",
        "  2 × started_at is in the future",
    ]
    assert "not shipped: this gateway's clock is wrong" in in_words(status, "en")
    assert "上报失败：网关时钟不正确" in in_words(status, "zh")


def test_a_damaged_spool_is_told_in_both_languages(agent: AgentConfig) -> None:
    open_spool(agent.state_dir).close()
    (agent.state_dir / "spool.db").write_bytes(b"junk" * 1000)
    assert "spool.db: damaged: file is not a database; start campus-agent run" in in_words(read_status(agent), "en")
    open_spool(agent.state_dir).close()
    assert "the spool was damaged once and set aside as spool.db.damaged-" in in_words(read_status(agent), "en")
    assert "缓存库曾损坏，已另存为 spool.db.damaged-" in in_words(read_status(agent), "zh")
