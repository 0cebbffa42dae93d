"""A private certificate authority for tests, by the real openssl: good, expired, not yet valid, for another name."""

import subprocess
from pathlib import Path

CONFIG = """
[ca]
default_ca = this
[this]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""
GOOD = ("20200101000000Z", "20990101000000Z")
EXPIRED = ("20200101000000Z", "20210101000000Z")
NOT_YET = ("20980101000000Z", "20990101000000Z")


class Authority:
    """Makes certificates signed by its own root, whose certificate is `ca_file`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self._config = folder / "config"
        self._config.write_text(CONFIG.format(folder=folder))
        (folder / "index").touch()
        (folder / "serial").write_text("01\n")
        self._openssl(
            "req", "-x509", *self._new_key("ca"), "-out", "ca.pem", "-days", "3650", "-subj", "/CN=Test authority"
        )

    def certificate(self, name: str, alternative: str, valid: tuple[str, str] = GOOD) -> tuple[Path, Path]:
        """(certificate, key) for an alternative name such as `IP:127.0.0.1` or `DNS:localhost`."""
        (self.folder / "ext").write_text(f"subjectAltName = {alternative}\n")
        self._openssl("req", *self._new_key(name), "-out", f"{name}.csr", "-subj", f"/CN={name}")
        self._openssl(
            *(
                "ca",
                "-batch",
                "-notext",
                "-config",
                "config",
                "-cert",
                "ca.pem",
                "-keyfile",
                "ca.key",
                "-extfile",
                "ext",
            ),
            *("-startdate", valid[0], "-enddate", valid[1], "-in", f"{name}.csr", "-out", f"{name}.pem"),
        )
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _new_key(self, name: str) -> list[str]:
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")
