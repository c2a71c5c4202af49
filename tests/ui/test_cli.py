"""The command `tuneproof ui`: its help is light, and what it needs is said in one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from tuneproof.ui.cli import main


def test_help_imports_nothing_heavy(heavy_imports_of_help: Callable[[str, str], list[str]]) -> None:
    assert heavy_imports_of_help("ui", "") == []


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_missing_package_is_one_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("app", "guard", "server"):
        monkeypatch.delitem(sys.modules, f"tuneproof.ui.{module}", raising=False)
    for module in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    needed = f"Error: the page needs the package {package}: pip install 'tuneproof[ui]'\n"
    assert result.output in (needed, needed.replace(package, "uvicorn", 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folder", "/nowhere"], "no folder /nowhere; give the one that holds runs/"),
        (["--port", "70000"], "port must be from 0 to 65535, got 70000"),
        (["--device", "gpu"], "device"),
        (["--max-new-tokens", "0"], "max_new_tokens must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1


def test_taken_port_is_one_line(tmp_path: Path) -> None:
    server: Any = pytest.importorskip("tuneproof.ui.server")
    with server.listen(0) as taken:
        assert taken.getsockname()[0] == "127.0.0.1"
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(main, ["--folder", str(tmp_path), "--port", port])
    assert result.exit_code == 2
    assert result.output == f"Error: port {port} cannot be had; give another --port, or 0 for any\n"


def test_browser_is_opened_without_the_token_in_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: Any = pytest.importorskip("tuneproof.ui.server")
    opened: list[Path] = []

    def look(url: str) -> None:
        opened.append(Path(urlsplit(url).path))
        assert opened[0].parent.stat().st_mode & 0o077 == 0
        assert "/?token=" in opened[0].read_text()

    monkeypatch.setattr(server.webbrowser, "open", look)
    monkeypatch.setattr(server.uvicorn.Server, "run", lambda self, sockets: sockets[0].close())
    result = CliRunner().invoke(main, ["--folder", str(tmp_path), "--port", "0", "--browser"])
    assert result.exit_code == 0, result.output
    assert not opened[0].exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_command_serves_until_it_is_ended(tmp_path: Path, number: int, code: int) -> None:
    pytest.importorskip("uvicorn")
    process = subprocess.Popen(
        [sys.executable, "-m", "tuneproof", "ui", "--port", "0", "--folder", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[0-9a-f]{32}/\?token=[\w-]{43}", address)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    assert opener.open(address).status == 200
    assert "No run yet" in opener.open(address.partition("?")[0]).read().decode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address.partition("?")[0])
    refused.value.close()
    assert refused.value.code == 403
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, ""), err
