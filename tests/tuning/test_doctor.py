from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.log import lines_to
from tuneproof.tuning.cli import main
from tuneproof.tuning.config import TuneConfig

Rows = dict[str, list[dict[str, str]]]


@pytest.fixture
def rows() -> Rows:
    """Questions that share no word with one another, by file."""
    return {
        part: [
            {"instruction": f"{part}{number} mud{number}{part}?", "output": f"answer {number}"}
            for number in range(count)
        ]
        for part, count in (("train", 200), ("val", 20), ("test", 120))
    }


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[[Rows], Path]:
    """Write records by file."""

    def write(rows: Rows) -> Path:
        for name, part in rows.items():
            lines = "".join(json.dumps(row) + "\n" for row in part)
            (tmp_path / f"{name}.jsonl").write_text(lines)
        return tmp_path

    return write


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["doctor", *map(str, arguments)])


def test_healthy_data_is_code_0(rows: Rows, write_rows: Callable[..., Path]) -> None:
    result = invoke("--data", write_rows(rows))
    assert (result.exit_code, result.output) == (0, "nothing found\n")


def test_errors_are_code_1_and_come_first(rows: Rows, write_rows: Callable[..., Path]) -> None:
    rows["test"] = rows["test"][:50]
    rows["train"][0]["instruction"] = rows["test"][4]["instruction"]
    result = invoke("--data", write_rows(rows))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("error: leak-exact: 1 of 50 (2 %) test records are in train too; te")
    assert lines[1].startswith("    usually: ")
    assert lines[2].startswith("    try: `prepdata build`")
    assert lines[3].startswith("note: few-test-items: ")
    found: list[dict[str, Any]] = json.loads(invoke("--data", write_rows(rows), "--json").stdout)
    assert [row["code"] for row in found] == ["leak-exact", "few-test-items"]
    assert set(found[0]) == {"code", "severity", "evidence", "usually", "mend"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Error: nothing to look at; give --data, --run, --comparison or --regressions"),
        (["--data", "/nowhere"], "Error: no folder /nowhere; make it with `prepdata build"),
        (["--run", "none", "--runs", "/nowhere"], "Error: unknown run "),
        (["--comparison", "/nowhere.json"], "Error: no such file: /nowhere.json"),
        (["--regressions", "/nowhere.json"], "Error: no such file: /nowhere.json"),
    ],
)
def test_what_cannot_be_read_is_code_2(arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.output.startswith(message)
    assert result.output.count("\n") == 1


@pytest.mark.slow
def test_training_says_what_the_data_lacks(settings: Callable[..., TuneConfig]) -> None:
    from tuneproof.tuning.run import finetune

    config = settings(max_steps=1)
    file = config.data / "train.jsonl"
    file.write_text(file.read_text().replace("Mud.", "Mud.</s>"))
    lines: list[str] = []
    with lines_to(lines.append):
        finetune(config)
    place = next(n for n, line in enumerate(lines) if line.startswith("warning: "))
    assert lines[place].startswith("warning: eos-in-output: 24 of 24 (100 %) training outputs hold")
    assert lines[place + 2].startswith("    try: remove the mark from the outputs of ")
