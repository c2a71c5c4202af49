"""A folder with a run, data, a comparison and its report, and a server that shows it."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.eval.conftest import answer, comparison, item
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report

TOKEN = "the-token"
HOME = f"/{hashlib.sha256(TOKEN.encode()).hexdigest()[:32]}"
"""The path below which a server with that token has its pages."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server, and who asks it: the browser that has its token."""

    port: int
    ui: Any

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Reply:
        """Send a request as our own page does; None leaves a header out."""
        own = {"host": self.host, "cookie": f"tuneproof-{self.port}={TOKEN}"}
        if method == "POST":
            own["origin"] = f"http://{self.host}"
        sent = {name: value for name, value in {**own, **headers}.items() if value is not None}
        data = body if isinstance(body, str | None) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, HOME + path, body=data, headers=sent)
        response = connection.getresponse()
        given = {name.lower(): value for name, value in response.getheaders()}
        reply = Reply(status=response.status, headers=given, text=response.read().decode())
        connection.close()
        return reply

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def post(self, path: str, body: Any = "") -> Reply:
        return self.ask("POST", path, body)


class Switch:
    """An application that is another one by turns, so that one server does for all tests."""

    app: Any

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], Served]]:
    """Have a server on a free port serve a folder."""
    pytest.importorskip("uvicorn")
    from tuneproof.ui.app import Ui, application
    from tuneproof.ui.config import UiConfig
    from tuneproof.ui.server import listen, server

    switch, listening = Switch(), listen(0)
    port = listening.getsockname()[1]
    made = server(switch)
    thread = threading.Thread(target=made.run, kwargs={"sockets": [listening]})
    thread.start()
    while not made.started:
        time.sleep(0.01)
    served: list[Ui] = []

    def turn_to(folder: Path) -> Served:
        config = UiConfig(folder=folder, device="cpu", max_new_tokens=8)
        served.append(Ui(folder.resolve(), config))
        switch.app = application(served[-1], token=TOKEN, port=port)
        return Served(port=port, ui=served[-1])

    yield turn_to
    for ui in served:
        ui.jobs.stop_all()
    made.should_exit = True
    thread.join()


@pytest.fixture(scope="session")
def report_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with reports/rivers: a comparison of 30 items, and its report."""
    folder = tmp_path_factory.mktemp("reported")
    rows = [
        item(
            number,
            "",
            "",
            prompt=f"What does river {number} carry?",
            answers={"base": answer(f"<i>ice</i> {number}"), "tuned": answer(f"mud {number}")},
        )
        for number in range(30)
    ]
    file = folder / "reports/rivers/test_comparison.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(comparison(rows)))
    report([file], file.parent, ReportConfig(resamples=100))
    return folder


@pytest.fixture
def folder(report_folder: Path, make_run: Callable[..., Any], tmp_path: Path) -> Path:
    """A folder with all that the page lists."""
    root = tmp_path / "folder"
    shutil.copytree(report_folder, root)
    run = make_run("folder/runs/rivers")
    (run.folder / "index.html").write_text("<!doctype html><p>the run's page</p>")
    (root / "data").mkdir()
    (root / "data/train.jsonl").touch()
    return root


@pytest.fixture
def served(serve: Callable[[Path], Served], folder: Path) -> Served:
    """A server of that folder."""
    return serve(folder)


@pytest.fixture
def code_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the processes that are started run the code of this checkout."""
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
