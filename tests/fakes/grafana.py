"""A FAKE of Grafana's HTTP API, built from its documented shapes (folders, data sources, dashboards, health) with its error answers. No Grafana can be had here."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "glsa_good"


class FakeGrafana:
    """What it holds, and how it shall misbehave."""

    def __init__(self) -> None:
        self.version = "11.2.0"
        self.role = "Admin"
        self.folders: dict[str, dict[str, Any]] = {}
        self.datasources: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.port = 0

    def answer(self, method: str, path: str, body: Any, token: str) -> tuple[int, Any]:
        """One exchange."""
        if path == "/api/health":
            return 200, {"database": "ok", "version": self.version, "commit": "x"} if self.version else {
                "status": "fine"
            }
        if token != TOKEN:
            return 401, {"message": "Invalid API key", "messageId": "api-key.invalid"}
        if method != "GET":
            if self.role == "Viewer" or (self.role == "Editor" and "datasources" in path):
                return 403, {"message": "You'll need additional permissions to perform this action."}
            self.writes.append(f"{method} {path}")
        if found := re.fullmatch(r"/api/folders/([\w-]+)", path):
            if method == "PUT":
                self.folders[found[1]] |= {"title": body["title"]}
            return (200, self.folders[found[1]]) if found[1] in self.folders else (404, {"message": "folder not found"})
        if path == "/api/folders" and method == "POST":
            self.folders[body["uid"]] = {
                "id": len(self.folders) + 1,
                "uid": body["uid"],
                "title": body["title"],
                "version": 1,
            }
            return 200, self.folders[body["uid"]]
        if found := re.fullmatch(r"/api/datasources/name/(.+)", path):
            known = self.datasources.get(found[1])
            return (200, known) if known else (404, {"message": "Data source not found"})
        if path == "/api/datasources" and method == "POST":
            self.datasources[body["name"]] = body | {"id": 7, "orgId": 1, "readOnly": False}
            return 200, {"datasource": self.datasources[body["name"]], "id": 7, "message": "Datasource added"}
        if re.fullmatch(r"/api/datasources/7", path) and method == "PUT":
            self.datasources[body["name"]] = body
            return 200, {"message": "Datasource updated"}
        if found := re.fullmatch(r"/api/dashboards/uid/([\w-]+)", path):
            known = self.dashboards.get(found[1])
            return (
                (200, {"dashboard": known, "meta": {"folderUid": "campusmeter"}})
                if known
                else (404, {"message": "Dashboard not found"})
            )
        if path == "/api/dashboards/db" and method == "POST":
            return self._save(body)
        return 404, {"message": "Not found"}

    def _save(self, body: Any) -> tuple[int, Any]:
        wanted = body["dashboard"]
        known = self.dashboards.get(wanted["uid"])
        if known and known["version"] != wanted["version"] and not body["overwrite"]:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        version = (known["version"] if known else 0) + 1
        self.dashboards[wanted["uid"]] = wanted | {"id": 1, "version": version}
        return 200, {"id": 1, "uid": wanted["uid"], "status": "success", "version": version}


@contextmanager
def fake_grafana() -> Iterator[FakeGrafana]:
    """On a free loopback port."""
    grafana = FakeGrafana()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            status, answer = grafana.answer(self.command, self.path, body, token)
            octets = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        do_GET = do_POST = do_PUT = _any

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    grafana.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield grafana
    finally:
        server.shutdown()
        server.server_close()
