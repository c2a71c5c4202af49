"""`tuneproof COMMAND` is the same as each command, and is as light."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
from click.testing import CliRunner, Result

from tests.conftest import HEAVY
from tuneproof.cli import COMMANDS, main
from tuneproof.tuning.cli import main as tune


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="tuneproof")


def test_every_command_is_listed_with_what_it_does() -> None:
    lines = invoke("--help").output.splitlines()
    listed = [line.split() for line in lines[lines.index("Commands:") + 1 :]]
    assert [name for name, *_ in listed] == list(COMMANDS)
    assert all(len(words) > 4 for words in listed)


@pytest.mark.parametrize("arguments", [["--help"], ["tune", "run", "--help"], ["ui", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom tuneproof.cli import main\n"
        f"try: main({arguments!r}, prog_name='tuneproof')\nexcept SystemExit: pass\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: tuneproof ")
    assert done.stderr.split() == []


def test_version_is_that_of_the_package() -> None:
    assert invoke("--version").output == f"tuneproof {version('tuneproof')}\n"


def test_command_of_a_stage_is_the_same() -> None:
    assert invoke("tune", "methods").output == CliRunner().invoke(tune, ["methods"]).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tunes"], "Error: No such command 'tunes'.\n"),
        (["tune", "runs"], "Error: No such command 'runs'.\n"),
        (["--what"], "Error: No such option"),
        (["ui", "--port", "x"], "Error: Invalid value for '--port': 'x' is not a valid integer.\n"),
        (["score", "report", "none.json"], "Error: no such file: none.json\n"),
        (["tune", "list", "--runs", "none"], "Error: no run in none; make one with `tune run`\n"),
    ],
)
def test_what_cannot_be_is_said_once_with_code_2(arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message.strip() in result.output
    assert result.output.count("Error: ") == 1


def test_lines_of_progress_are_shown_once(tmp_path: object) -> None:
    result = invoke(
        "prepdata", "build", "--source", "sample", "--limit", "40", "--out", f"{tmp_path}"
    )
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == len(set(lines))


def test_options_may_have_underscores() -> None:
    assert "max_new_tokens must be" in invoke("ui", "--max_new_tokens", "0").output
    assert "learning_rate must be" in invoke("tune", "run", "--learning_rate", "-1").output


def test_several_processes_get_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[object, ...]] = []
    monkeypatch.setattr("tuneproof.tuning.cli.launch", lambda *given: started.append(given))
    result = invoke("tune", "run", "--num-processes", "2", "--model", "tiny")
    assert result.exit_code == 0, result.output
    assert started[0][:3] == (
        "tuneproof.tuning", ["run", "--num-processes", "2", "--model", "tiny"], 2,
    )  # fmt: skip
