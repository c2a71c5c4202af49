"""A small server that speaks the part of the Hub's API that uploads a model."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hub:
    """What the server has been sent."""

    url: str = ""
    token: str = "hf_test"
    is_private: bool | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Answer a request as the Hub does."""
        self.calls.append(f"{method} {path}")
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.startswith("/api/models/") and method == "GET":
            return 200, {"id": "me/mine", "private": self.is_private, "sha": "0" * 40}
        if path == "/api/validate-yaml":
            return 200, {"warnings": [], "errors": []}
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for one in files
            ]
            return 200, {"files": modes}
        if path.endswith("/objects/batch"):
            actions = {"upload": {"href": f"{self.url}/store"}}
            rows = json.loads(body)["objects"]
            return 200, {"objects": [{**row, "actions": actions} for row in rows]}
        if path == "/store":
            self.large[hashlib.sha256(body).hexdigest()] = body
            return 200, {}
        if "/commit/" in path:
            return self._commit([json.loads(line) for line in body.splitlines()])
        return 404, {"error": "not found"}

    def _create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if self.is_private is not None:
            return 409, {"error": "You already created it", "url": f"{self.url}/me/mine"}
        self.is_private = asked.get("visibility") == "private"
        return 200, {"url": f"{self.url}/me/mine"}

    def _commit(self, rows: list[dict[str, Any]]) -> tuple[int, Any]:
        for row in rows:
            value = row["value"]
            if row["key"] == "header":
                self.commits.append(value["summary"])
            elif row["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "lfsFile":
                self.files[value["path"]] = self.large[value["oid"]]
        return 200, {"commitUrl": f"{self.url}/me/mine/commit/1", "commitOid": "1" * 40}


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve on a free port of this machine."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            body = self._body()
            path = self.path.split("?")[0]
            is_known = self.headers.get("Authorization") == f"Bearer {hub.token}"
            status, value = (401, {"error": "no"})
            if is_known or path == "/store":
                status, value = hub.answer(self.command, path, body)
            sent = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_POST = do_PUT = _do

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
