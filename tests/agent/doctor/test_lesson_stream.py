"""The doctor's look at the reflector: there, not there, and with another key."""

import asyncio
import threading
from pathlib import Path

from campus_agent.config.read import load_config
from campus_agent.doctor.lesson_stream import lesson_stream
from campus_agent.measure.stream.reflector import Reflector
from campus_agent.respond.stream_reflector import open_socket, serve


def examined(
    tmp_path: Path, port: int, key: str = "the key", more: str = "enabled = true"
) -> list[tuple[bool | None, str, str]]:
    (tmp_path / "key").write_text(key)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "agent.toml").write_text(
        '[agent]\nschool = "s001"\nstate_dir = "state"\ntest_key_file = "key"\n[uplink]\nhost = "127.0.0.1"\n'
        f"[lesson_stream]\nport = {port}\n{more}\n"
    )
    results = asyncio.run(lesson_stream(load_config(tmp_path / "agent.toml", {})))
    return [(each.ok, each.what.en, each.remedy.en if each.remedy else "") for each in results]


def test_it_answers_by_the_same_key_only(tmp_path: Path) -> None:
    sock = open_socket("127.0.0.1", 0)
    port = int(sock.getsockname()[1])
    threading.Thread(target=serve, args=(sock, Reflector(b"the key")), daemon=True).start()
    ((ok, what, _),) = examined(tmp_path, port)
    assert ok is True
    assert f"127.0.0.1:{port} answers in" in what
    ((ok, what, remedy),) = examined(tmp_path, port, key="another")
    assert ok is False
    assert "does not answer" in what
    assert f"--stream-port {port}" in remedy


def test_nobody_listens_and_nothing_is_asked_where_it_is_off(tmp_path: Path) -> None:
    ((ok, what, _),) = examined(tmp_path, 9)
    assert ok is False
    assert "127.0.0.1:9" in what
    assert examined(tmp_path, 9, more="enabled = false") == []
