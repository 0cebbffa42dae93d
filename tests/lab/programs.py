"""Programs that a demonstration starts and ends, and the collector's address."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from campus_base.language import Language
from campus_base.messages import bilingual

DIRECT = build_opener(ProxyHandler({}))
PORTS = 20
"""So many ports are tried."""
IN_USE = bilingual(
    "{folder} is in use: the same command still runs from this folder. End it first.",
    "{folder} 正在使用：本目录中的同一命令仍在运行，请先将其结束。",
)
PORT_TAKEN = bilingual("Port {first} is taken; using {port}.", "{first} 端口已被占用，改用 {port}。")
NO_PORT = bilingual("No free port from {first} to {last}.", "{first} 到 {last} 之间没有空闲端口。")
DIED = bilingual("{what} ended unexpectedly; see {log}", "{what} 意外退出，请查看 {log}")


def python(module: str, *arguments: str) -> list[str]:
    """A module of ours as a command."""
    return [sys.executable, "-m", module, *arguments]


@contextmanager
def running(
    folder: Path,
    name: str,
    argv: list[str],
    environment: Mapping[str, str] | None = None,
    piped: bool = False,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program with its log in the folder, ended with SIGTERM, then by force, by its pid. `piped`: its standard output can be read."""
    with (folder / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else log,
            stderr=log,
            env=os.environ | (environment or {}),
            start_new_session=True,
        )
        try:
            yield child
        finally:
            child.terminate()
            child.send_signal(signal.SIGCONT)  # one that was stopped ends too
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def has_ended(programs: Mapping[str, "subprocess.Popen[bytes]"], folder: Path, language: Language) -> str:
    """Which program is not running any more, in words for people; "" while all are."""
    for what, process in programs.items():
        if process.poll() is not None:
            return DIED.in_(language, what=what, log=folder / f"{what}.log")
    return ""


def wait_until_ready(url: str, collector: "subprocess.Popen[bytes]", folder: Path, language: Language) -> None:
    """Until the collector answers. Raises SystemExit when it ends."""
    while not (ended := has_ended({"collector": collector}, folder, language)):
        try:
            DIRECT.open(f"{url}readyz", timeout=5).close()
            return
        except HTTPError:
            time.sleep(0.2)
        except (URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(ended)


@contextmanager
def fresh_folder(folder: Path, language: Language) -> Iterator[None]:
    """An empty folder that is this program's for the length of a block. Raises SystemExit where it is another's that still runs."""
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(IN_USE.in_(language, folder=folder)) from None
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700, parents=True)
        yield


def free_port(first: int, language: Language) -> int:
    """The first free TCP port of loopback from this one on; says so when it is another. Raises SystemExit."""
    for port in range(first, first + PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port != first:
            print(PORT_TAKEN.in_(language, first=first, port=port), flush=True)
        return port
    raise SystemExit(NO_PORT.in_(language, first=first, last=first + PORTS - 1))


def printed_until_ready(process: "subprocess.Popen[str]") -> str:
    """What a demonstration printed until it says how it is ended, which is its last line."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    return "".join(lines)
