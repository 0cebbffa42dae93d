"""Asks the collector what this gateway shall run, and fetches it from the signed repository. Runs as root, in a unit of its own.

The packages come by apt, with a list of sources, keys and options of its own: only what the pinned key signed is ever taken. The package of
the version that runs now is fetched as well: without a way back there is no upgrade.
"""

import gzip
import hashlib
import hmac
import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from campus_agent.config.model import DEFAULT_STATE_DIR, Collector
from campus_agent.ship.connection import CollectorConnection
from campus_agent.ship.enrolment import RELEASE_KEY_FILE
from campus_agent.upgrade import install
from campus_agent.upgrade.install import (
    ORDER_FILE,
    OUTCOME_FILE,
    PACKAGE,
    UNIT,
    UNIT_FILE,
    Order,
    package_file,
    read_json,
    read_order,
    write_json,
)
from campus_agent.upgrade.request import REQUEST_NAME
from campus_base.files import write_whole
from campus_base.messages import Message, message
from campus_wire.records import UpgradeAnswer, UpgradeQuestion

PATH = "/v1/upgrade"
KEY_PATH = "/apt/release-key.asc"
FOLDER = Path("/var/lib/campus-agent-upgrade")
"""Only root reads and writes it."""
REQUEST_FILE = Path(DEFAULT_STATE_DIR) / REQUEST_NAME
"""Where it appears, systemd (campus-agent-upgrade.path) starts a look; the daemon may write it, and can do nothing else here."""
SEEN_FILE = "seen.json"
APT_SECONDS = 3600
VERSION_PATTERN = re.compile(r"[0-9][A-Za-z0-9.+~]{0,39}")
COPIED_PROGRAM = "install.py"
INSTALL_UNIT = f"""[Unit]
Description=CampusMeter agent: install a release, or go back
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I {FOLDER}/{COPIED_PROGRAM} {FOLDER}
Restart=on-failure
RestartSec=30
TimeoutStartSec=infinity
UMask=0022

[Install]
WantedBy=multi-user.target
"""


class NoUpgrade(Exception):
    """Nothing was changed; says why."""

    def __init__(self, words: Message) -> None:
        super().__init__(words.en)
        self.words = words


def look(collector: Collector, key_file: Path, folder: Path = FOLDER) -> Order | None:
    """Ask, fetch, and leave an order for the installer; None where nothing is to be done. Raises NoUpgrade, ShipFailed, OSError."""
    with suppress(FileNotFoundError):
        REQUEST_FILE.unlink()
    folder.mkdir(mode=0o700, exist_ok=True)
    pending = read_order(folder)
    if pending is not None:
        return pending
    dpkg = install.Dpkg()
    current, architecture = dpkg.installed(), _output("dpkg", "--print-architecture")
    if not current:
        raise NoUpgrade(message("the agent was not installed as a package: upgrade it by hand"))
    answer = _ask(collector, UpgradeQuestion(current, architecture, *_returned(folder)))
    if answer.withdrawn:
        return _way_back(folder, current)
    if not answer.version or answer.version == current:
        return None
    if not key_file.is_file():
        raise NoUpgrade(message("no release key is pinned here: campus-agent upgrade pin FINGERPRINT"))
    if not VERSION_PATTERN.fullmatch(answer.version) or not _is_newer(answer.version, current):
        raise NoUpgrade(message("{version} is not newer than {current}", version=answer.version, current=current))
    number = _fetch(collector, key_file, folder, (current, answer.version))
    return _leave(folder, Order(current, answer.version, number))


def begin(folder: Path = FOLDER) -> None:
    """Start the installer from a copy that no package touches; it starts again at each boot until its order is done. Raises OSError."""
    shutil.copyfile(install.__file__, folder / f".{COPIED_PROGRAM}")
    (folder / f".{COPIED_PROGRAM}").replace(folder / COPIED_PROGRAM)
    write_whole(UNIT_FILE, INSTALL_UNIT.encode(), 0o644)
    for command in (["daemon-reload"], ["enable", "--quiet", UNIT], ["start", "--no-block", UNIT]):
        subprocess.run(["systemctl", *command], check=False, timeout=120)


def pin(collector: Collector, fingerprint: str, key_file: Path) -> None:
    """Fetch the key that signs releases, and keep it only if its file has the fingerprint that the bureau gave. Raises NoUpgrade, ShipFailed, OSError."""
    connection = CollectorConnection(collector)
    try:
        answer = connection.get(KEY_PATH)
    finally:
        connection.close()
    found = hashlib.sha256(answer.body).hexdigest()
    if answer.status != 200 or not hmac.compare_digest(found, fingerprint.replace(":", "").strip().lower()):
        raise NoUpgrade(message("the collector's release key has the fingerprint {found}: not kept", found=found))
    write_whole(key_file, answer.body, 0o644)


def key_file_of(config_file: Path) -> Path:
    """Where the pinned key stands: beside the configuration, which the service cannot write."""
    return config_file.parent / RELEASE_KEY_FILE


def _ask(collector: Collector, question: UpgradeQuestion) -> UpgradeAnswer:
    connection = CollectorConnection(collector)
    try:
        answer = connection.post(PATH, gzip.compress(msgspec.json.encode(question)))
    finally:
        connection.close()
    if answer.status == 404:  # a collector that has no releases yet
        return UpgradeAnswer()
    if answer.status != 200:
        raise NoUpgrade(message("the collector answered {status}", status=answer.status))
    try:
        return msgspec.json.decode(answer.body, type=UpgradeAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NoUpgrade(message("not understood: {error}", error=error)) from None


def _returned(folder: Path) -> tuple[str, str]:
    """The release this gateway went back from last, and why; "" where its last upgrade went well."""
    outcome = read_json(folder / OUTCOME_FILE)
    if outcome.get("outcome") != "returned":
        return "", ""
    return str(outcome.get("after", ""))[:40], str(outcome.get("reason", ""))[:200]


def _way_back(folder: Path, current: str) -> Order | None:
    """To the version before, whose package was kept: nothing older can be asked for from outside."""
    outcome = read_json(folder / OUTCOME_FILE)
    before = str(outcome.get("before", ""))
    if outcome.get("outcome") != "installed" or outcome.get("after") != current:
        return None
    if not VERSION_PATTERN.fullmatch(before) or not package_file(folder, before).is_file():
        return None
    number = int(outcome.get("number", 0))
    return _leave(folder, Order(before, current, number, "back", reason="the release was stopped"))


def _leave(folder: Path, order: Order) -> Order:
    write_json(folder / ORDER_FILE, asdict(order))
    return order


def _fetch(collector: Collector, key_file: Path, folder: Path, versions: tuple[str, ...]) -> int:
    """Put the packages of these versions into the folder; the number of the index. Raises NoUpgrade, OSError."""
    apt = _Apt(collector, key_file, folder)
    apt.run("update")
    number, seen = apt.index_number(), int(read_json(folder / SEEN_FILE).get("number", 0))
    if number < seen:
        raise NoUpgrade(
            message("the repository is older ({number}) than seen before ({seen})", number=number, seen=seen)
        )
    write_json(folder / SEEN_FILE, {"number": number})
    for old in folder.glob("*.deb"):
        if old not in [package_file(folder, version) for version in versions]:
            old.unlink()
    for version in versions:
        apt.download(version, package_file(folder, version))
    return number


class _Apt:
    """The system's apt with one source and one key; what is given on its command line wins over the system's configuration."""

    def __init__(self, collector: Collector, key_file: Path, folder: Path) -> None:
        self._work = folder / "apt"
        self._lists = self._work / "lists"
        (self._lists / "partial").mkdir(parents=True, exist_ok=True)
        (self._work / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
        source = self._work / "sources.list"
        source.write_text(f"deb [signed-by={key_file}] {collector.url.rstrip('/')}/apt ./\n")
        host = urlsplit(collector.url).hostname
        options = {
            "Dir::Etc::SourceList": source, "Dir::Etc::SourceParts": "/dev/null", "Dir::Etc::Trusted": "/dev/null",
            "Dir::Etc::TrustedParts": "/dev/null", "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State::Lists": self._lists, "Dir::Cache": self._work / "cache", "APT::Sandbox::User": "root",
            "Acquire::AllowInsecureRepositories": "false", "Acquire::AllowDowngradeToInsecureRepositories": "false",
            "APT::Get::AllowUnauthenticated": "false", "APT::Update::Error-Mode": "any", "Acquire::Languages": "none",
            "Acquire::Retries": "3", "Acquire::http::Timeout": "60", "Acquire::https::Timeout": "60",
            "Acquire::http::Proxy": "DIRECT", "Acquire::https::Proxy": "DIRECT",
        }  # fmt: skip
        if collector.ca_file is not None:
            options[f"Acquire::https::{host}::CaInfo"] = collector.ca_file
        self._options = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]

    def run(self, *arguments: str, place: Path | None = None) -> None:
        """Raises NoUpgrade with what apt says."""
        command = ["apt-get", "--quiet=2", *self._options, *arguments]
        environment = os.environ | {"LC_ALL": "C.UTF-8"}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=APT_SECONDS, env=environment, cwd=place
            )
        except subprocess.TimeoutExpired:
            raise NoUpgrade(message("apt took more than {seconds} s", seconds=APT_SECONDS)) from None
        if done.returncode:
            raise NoUpgrade(message("apt: {error}", error=done.stderr.strip()[-300:]))

    def index_number(self) -> int:
        """Of the index whose signature apt has checked. Raises NoUpgrade."""
        for file in self._lists.glob("*InRelease"):
            found = re.search(r"^Version: (\d{1,18})\r?\n", file.read_text("utf-8", "replace"), re.MULTILINE)
            if found is not None:
                return int(found[1])
        raise NoUpgrade(message("the repository's index has no number"))

    def download(self, version: str, target: Path) -> None:
        """A package, checked by apt against the signed index. Raises NoUpgrade, OSError."""
        place = self._work / "download"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        self.run("download", f"{PACKAGE}={version}", place=place)
        (file,) = place.glob("*.deb")
        with file.open("rb") as body:
            os.fsync(body.fileno())
        file.replace(target)


def _is_newer(version: str, than: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", version, "gt", than], check=False).returncode == 0


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
