"""A private authority: what it makes is accepted by OpenSSL for its names only; renewal changes nothing for who knows it."""

import os
import socket
import ssl
import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from campus_collector.config import load_config
from campus_collector.tls.authority import fingerprint_of, make_authority, renew

NAMES = ["collector.example", "127.0.0.1", "::1"]


def shake_hands(folder: Path, name: str, ca_file: Path) -> None:
    """A real TLS handshake on loopback. Raises ssl.SSLError."""
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        try:
            with served.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)
        except OSError:
            pass

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        context = ssl.create_default_context(cafile=str(ca_file))
        with (
            socket.create_connection(listener.getsockname()) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            secure.send(b"x")
    finally:
        thread.join(60)
        listener.close()


def test_it_is_accepted_for_its_names_only(tmp_path: Path) -> None:
    made = make_authority(tmp_path, NAMES, datetime.now(UTC))
    assert made.fingerprint == fingerprint_of((tmp_path / "ca.pem").read_bytes())
    for name in ("collector.example", "127.0.0.1"):
        shake_hands(tmp_path, name, tmp_path / "ca.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tmp_path, "other.example", tmp_path / "ca.pem")
    checked = subprocess.run(
        ["openssl", "verify", "-purpose", "sslserver", "-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "cert.pem")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_keys_are_not_for_everybody(tmp_path: Path) -> None:
    make_authority(tmp_path, NAMES, datetime.now(UTC))
    modes = {
        name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ca-key.pem", "key.pem", "ca.pem", "cert.pem")
    }
    assert modes == {"ca-key.pem": 0o600, "key.pem": 0o640, "ca.pem": 0o644, "cert.pem": 0o644}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_makes_belongs_to_the_service_and_the_authority_s_key_to_root(tmp_path: Path) -> None:
    os.chown(tmp_path, 65_534, 65_534)
    make_authority(tmp_path / "tls", NAMES, datetime.now(UTC))
    owners = {file.name: file.stat().st_uid for file in (tmp_path / "tls").iterdir()}
    assert owners == {"ca-key.pem": 0, "ca.pem": 65_534, "key.pem": 65_534, "cert.pem": 65_534}


def test_renewal_needs_nothing_of_the_gateways(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = make_authority(tmp_path, NAMES, now - timedelta(days=390))
    authority, old = (tmp_path / "ca.pem").read_bytes(), (tmp_path / "cert.pem").read_bytes()
    second = renew(tmp_path, [], now)
    assert second.fingerprint == first.fingerprint
    assert second.expires > first.expires
    assert (tmp_path / "ca.pem").read_bytes() == authority
    assert (tmp_path / "cert.pem").read_bytes() != old
    shake_hands(tmp_path, "collector.example", tmp_path / "ca.pem")
    renew(tmp_path, ["new.example"], now)
    shake_hands(tmp_path, "new.example", tmp_path / "ca.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tmp_path, "collector.example", tmp_path / "ca.pem")


def test_nothing_is_overwritten_and_names_are_checked(tmp_path: Path) -> None:
    make_authority(tmp_path, NAMES, datetime.now(UTC))
    with pytest.raises(FileExistsError):
        make_authority(tmp_path, NAMES, datetime.now(UTC))
    for name in ("", "a b", "https://x", "*", "中文"):
        with pytest.raises(ValueError, match="neither a host name"):
            make_authority(tmp_path / "x", [name], datetime.now(UTC))


def test_the_commands_and_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    folder, state = str(tmp_path / "tls"), ["--state-dir", str(tmp_path)]
    assert main(["tls", "init", "collector.example", "10.0.0.8", "--dir", folder, *state]) == 0
    printed = capsys.readouterr().out
    assert f'ca_file = "{folder}/ca.pem"' in printed
    assert main(["tls", "init", "collector.example", "--dir", folder, *state]) == 1
    assert main(["tls", "renew", "--dir", folder, *state]) == 0
    assert "各校网关无需改动" in capsys.readouterr().out
    assert main(["tls", "init", "a b", "--dir", str(tmp_path / "y"), *state]) == 2
    assert main(["tls", "renew", "--dir", str(tmp_path / "z"), *state]) == 1
    toml = '[server]\nlisten = "0.0.0.0:8443"\ntls_cert = "tls/cert.pem"\ntls_key = "tls/key.pem"\nca_file = "tls/ca.pem"\n'
    (tmp_path / "collector.toml").write_text(toml)
    assert load_config(tmp_path / "collector.toml", None, {}).ca_file == tmp_path / "tls" / "ca.pem"
    capsys.readouterr()
    assert (
        main(
            [
                "enroll-code",
                "s001",
                "--config",
                str(tmp_path / "collector.toml"),
                "--url",
                "https://collector.example:8443",
            ]
        )
        == 0
    )
    assert f"--ca-sha256 {fingerprint_of((tmp_path / 'tls' / 'ca.pem').read_bytes())}" in capsys.readouterr().err
