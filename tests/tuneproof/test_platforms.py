"""What can be held without a Windows or macOS machine: imports, encodings, names of files."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tuneproof.errors import Group

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tuneproof"
MODULES = sorted(
    file
    for folder in (PACKAGE, *(path for path in PACKAGE.iterdir() if path.is_symlink()))
    for file in folder.rglob("*.py")
)
NOT_EVERYWHERE = {
    "crypt", "curses", "fcntl", "grp", "msvcrt", "nis", "posix", "pty", "pwd", "readline",
    "resource", "spwd", "syslog", "termios", "tty", "winreg", "winsound",
}  # fmt: skip
"""Modules of the standard library that one system has and another has not."""
POSIX_ATTRIBUTES = {
    "os": {
        "fork", "geteuid", "getloadavg", "getuid", "killpg", "mkfifo", "nice", "sched_getaffinity",
        "setsid", "sysconf", "uname",
    },
    "signal": {"SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "alarm", "setitimer"},
}  # fmt: skip
RESERVED = {"aux", "con", "nul", "prn", *(f"{name}{n}" for name in ("com", "lpt") for n in "123")}


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that are evaluated when a module is imported: no bodies of functions."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            left += [*node.decorator_list, node.args]
        elif isinstance(node, ast.Lambda):
            left.append(node.args)
        else:
            left += ast.iter_child_nodes(node)


def faults(source: str) -> list[str]:
    """Return what an import of a module would need that not every system has."""
    found = []
    for node in at_import(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in NOT_EVERYWHERE]
        elif isinstance(node, ast.ImportFrom) and node.module in NOT_EVERYWHERE:
            found.append(node.module)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.attr in POSIX_ATTRIBUTES.get(node.value.id, ())
        ):
            found.append(f"{node.value.id}.{node.attr}")
    return found


def test_no_import_needs_what_only_one_system_has() -> None:
    assert len(MODULES) > 150
    found = {
        str(file.relative_to(ROOT)): names
        for file in MODULES
        if (names := faults(file.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_such_imports_are_seen() -> None:
    assert faults("import resource") == ["resource"]
    assert faults("try:\n    import fcntl\nexcept ImportError:\n    fcntl = None") == ["fcntl"]
    assert faults("class A:\n    def f(self, n=os.getuid()): ...") == ["os.getuid"]
    assert faults("def f():\n    import resource\n    os.sysconf('SC_PAGE_SIZE')") == []


def texts_without_encoding(source: str) -> list[int]:
    """Return the lines where a text file is read or written in whatever encoding is usual."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        names = {keyword.arg for keyword in node.keywords}
        mode = node.args[0] if node.args else None
        is_text = node.func.attr == "read_text" and not node.args
        is_text |= node.func.attr == "open" and (
            mode is None or (isinstance(mode, ast.Constant) and mode.value in ("r", "w", "a"))
        )
        if is_text and "encoding" not in names:
            lines.append(node.lineno)
    return lines


def test_every_text_file_has_an_encoding() -> None:
    found = {
        str(file.relative_to(ROOT)): lines
        for file in MODULES
        if (lines := texts_without_encoding(file.read_text(encoding="utf-8")))
    }
    assert found == {}
    assert texts_without_encoding("a.read_text()\nb.open('a')\nc.open('rb')") == [1, 2]


def test_names_of_files_can_be_checked_out_everywhere() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = listed.stdout.splitlines()
    assert [name for name in names if set(name) & set('<>:"|?*\\') or not name.isascii()] == []
    parts = {part.lower() for name in names for part in name.split("/")}
    assert {part for part in parts if part.split(".")[0] in RESERVED or part[-1] in ". "} == set()
    assert [name for name, n in Counter(name.lower() for name in names).items() if n > 1] == []


def test_a_sign_that_a_stream_cannot_write_is_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.group(cls=Group)
    def main() -> None:
        """Stand in for a command."""

    @main.command()
    def work() -> None:
        click.echo("gain \u22120.12 caf\u00e9")

    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", stream)
    main(["work"], standalone_mode=False)
    stream.flush()
    assert stream.buffer.getvalue() == b"gain \\u22120.12 caf\xe9\n"  # type: ignore[attr-defined]


def test_a_checkout_without_links_says_so(tmp_path: Path) -> None:
    """As git leaves them on Windows by default: the path that a link leads to, as a file."""
    package = tmp_path / "tuneproof"
    package.mkdir()
    (package / "__init__.py").write_text((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (package / "tuning").write_text("../tuning")
    done = subprocess.run(
        [sys.executable, "-c", "import tuneproof"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1].startswith("ImportError: the stages of tuneproof are links")
