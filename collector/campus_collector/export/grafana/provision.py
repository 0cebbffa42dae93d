"""Ask a Grafana what it has, and bring it what is missing, through its HTTP API by `grafana-api`. Idempotent; the token is in no message."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.settings import Secret
from campus_collector.export.grafana.plan import OURS, Step, dashboard_step, plain_step, version_of

OLDEST = (10, 0)
TIMEOUT_SECONDS = 15.0
Answer = TypeVar("Answer")


class NotProvisioned(Exception):
    """It did not work; the words say what to do."""

    def __init__(self, text: Message) -> None:
        super().__init__(text.en)
        self.text = text

    def in_(self, language: Language) -> str:
        return self.text.in_(language)


@dataclass(frozen=True, slots=True)
class DesiredSetup:
    folder: str
    prometheus_url: str
    language: Language
    overwrite: bool = False
    area: bool = False
    """Also the dashboard of a prefecture or province."""

    @property
    def datasource(self) -> dict[str, Any]:
        return {
            "uid": OURS,
            "name": "CampusMeter",
            "type": "prometheus",
            "access": "proxy",
            "url": self.prometheus_url,
            "jsonData": {"httpMethod": "POST", "timeInterval": "30s"},
        }


AREA_FILE = "area.json"
"""The dashboard that only a collector above counties has values for."""


def shipped_dashboards(language: Language, *, area: bool = False) -> list[dict[str, Any]]:
    """The dashboards that come with the program: in the wheel beside the package, in a checkout at its top. With `area` also that of the
    months that counties send up.
    """
    inside = Path(str(files("campus_collector"))) / "dashboards"
    folder = inside if inside.is_dir() else inside.parent.parent.parent / "dashboards"
    paths = sorted(path for path in (folder / language).glob("*.json") if area or path.name != AREA_FILE)
    return [msgspec.json.decode(path.read_bytes()) for path in paths]


class Provisioner:
    def __init__(self, url: str, token: Secret, ca_file: Path | None = None) -> None:
        """Nothing is asked yet. Raises NotProvisioned for an address that is none."""
        from grafana_api.grafana_face import GrafanaFace  # requests with it: only this command needs them

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise NotProvisioned(message("{url!r} is no address like https://grafana.example/", url=url))
        prefix = parts.path.strip("/")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._url = url
        self._client = GrafanaFace(
            auth=token.reveal(),
            host=host,
            port=parts.port,
            protocol=parts.scheme,
            url_path_prefix=f"{prefix}/" if prefix else "",
            verify=str(ca_file) if ca_file else True,
            timeout=TIMEOUT_SECONDS,
        )

    def run(self, desired: DesiredSetup, dry_run: bool) -> list[Step]:
        """Every step, done unless `dry_run`; none is done when one is a conflict. Raises NotProvisioned."""
        self._check()
        steps: list[Step] = []
        todo: list[Callable[[], Any]] = []
        folder = {"uid": OURS, "title": desired.folder}
        existing = self._maybe(lambda: self._client.folder.get_folder(OURS))
        steps.append(plain_step("folder", folder, existing))
        if steps[-1].what == "created":
            todo.append(lambda: self._client.folder.create_folder(desired.folder, OURS))
        elif steps[-1].what == "changed":
            todo.append(lambda: self._client.folder.update_folder(OURS, desired.folder, overwrite=True))
        self._datasource(desired, steps, todo)
        for shipped_dashboard in shipped_dashboards(desired.language, area=desired.area):
            self._dashboard(shipped_dashboard, desired, steps, todo)
        if not dry_run and not any(step.what == "conflict" for step in steps):
            for work in todo:
                self._ask(work)
        return steps

    def _datasource(self, desired: DesiredSetup, steps: list[Step], todo: list[Callable[[], Any]]) -> None:
        wanted = desired.datasource
        existing = self._maybe(lambda: self._client.datasource.get_datasource_by_name(wanted["name"]))
        step = plain_step("datasource", wanted, existing)
        steps.append(step)
        if step.what == "created":
            todo.append(lambda: self._client.datasource.create_datasource(wanted))
        elif step.what == "changed" and existing is not None:
            todo.append(lambda: self._client.datasource.update_datasource(existing["id"], existing | wanted))

    def _dashboard(
        self, wanted: dict[str, Any], desired: DesiredSetup, steps: list[Step], todo: list[Callable[[], Any]]
    ) -> None:
        existing = self._maybe(lambda: self._client.dashboard.get_dashboard(wanted["uid"]))
        step = dashboard_step(wanted, existing["dashboard"] if existing else None, desired.overwrite)
        steps.append(step)
        if step.what in ("created", "changed"):
            body = {
                "dashboard": wanted | ({"version": existing["dashboard"].get("version", 0)} if existing else {}),
                "folderUid": OURS,
                "overwrite": desired.overwrite,
                "message": "CampusMeter",
            }
            todo.append(lambda: self._client.dashboard.update_dashboard(body))

    def _check(self) -> None:
        """Is this a Grafana, and new enough?"""
        health = self._ask(lambda: self._client.api.GET("/health"))
        version = health.get("version", "") if isinstance(health, dict) else ""
        if not version:
            raise NotProvisioned(message("{url} answers, but is no Grafana", url=self._url))
        if version_of(version) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise NotProvisioned(
                message("Grafana {version} is too old; {oldest} or later is needed", version=version, oldest=oldest)
            )

    def _maybe(self, ask: Callable[[], Answer]) -> Answer | None:
        """None for what is not there."""
        from grafana_api.grafana_api import GrafanaClientError  # not in the resident program

        try:
            return self._ask(ask)
        except NotProvisioned as error:
            cause = error.__cause__
            if isinstance(cause, GrafanaClientError) and cause.status_code == 404:
                return None
            raise

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        import requests  # not in the resident program
        from grafana_api.grafana_api import GrafanaException

        try:
            return ask()
        except GrafanaException as error:
            raise NotProvisioned(_words(error.status_code, str(error.response))) from error
        except requests.exceptions.SSLError as error:
            raise NotProvisioned(
                message("{url}: its certificate is not accepted (--ca-file)", url=self._url)
            ) from error
        except requests.exceptions.JSONDecodeError as error:
            raise NotProvisioned(message("{url} answers, but is no Grafana", url=self._url)) from error
        except requests.exceptions.RequestException as error:
            why = type(error).__name__
            raise NotProvisioned(message("{url} is not reached ({why})", url=self._url, why=why)) from error


def _words(status: int, answer: str) -> Message:
    if status == 401:
        return message("Grafana refuses the token: is it expired, or of another Grafana?")
    if status == 403:
        return message(
            "the token lacks permission: give its service account the role Admin (data sources) or Editor (dashboards)"
        )
    if status == 412:
        return message(
            "somebody changed a dashboard meanwhile, or its name is taken in the folder; look at it, then --overwrite"
        )
    return message("Grafana answers {status}: {answer}", status=status, answer=answer[:200])


def write_tree(folder: Path, prometheus_url: str, language: Language, *, area: bool = False) -> list[Path]:
    """The same for Grafana's file provisioning: `provisioning/` and `dashboards/`. Raises OSError."""
    desired = DesiredSetup("CampusMeter", prometheus_url, language)
    source = desired.datasource
    lines = [f"    {key}: {_yaml(value)}" for key, value in source.items() if key != "name"]
    texts = {
        "provisioning/datasources/campusmeter.yaml": "apiVersion: 1\ndatasources:\n  - name: CampusMeter\n"
        + "\n".join(lines)
        + "\n",
        "provisioning/dashboards/campusmeter.yaml": (
            "apiVersion: 1\nproviders:\n  - name: CampusMeter\n    folder: CampusMeter\n    folderUid: campusmeter\n    type: file\n"
            "    allowUiUpdates: false\n    options:\n      path: /var/lib/grafana/dashboards/campusmeter\n"
        ),
    }
    for shipped_dashboard in shipped_dashboards(language, area=area):
        texts[f"dashboards/campusmeter/{shipped_dashboard['uid']}.json"] = (
            msgspec.json.format(msgspec.json.encode(shipped_dashboard)).decode() + "\n"
        )
    written = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _yaml(value: Any) -> str:
    """A value as YAML: every JSON text is YAML too."""
    return msgspec.json.encode(value).decode()
