from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof import hub
from tuneproof.prepdata import registry, report
from tuneproof.prepdata.cli import main


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "data"
    result = run("build", "--source", "sample", "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def own_csv(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    lines = [
        f"{'abcdefghij'[n % 10] * 8} {n * 7919},{'yes' if n % 12 else 'no'}" for n in range(90)
    ]
    path.write_text("message,topic\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("command", ["", "build", "sources", "inspect"])
def test_help_imports_nothing_heavy(
    command: str, heavy_imports_of_help: Callable[[str, str], list[str]]
) -> None:
    assert heavy_imports_of_help("prepdata", command) == []


def test_build_prints_records_per_source_and_split_and_where_they_are(
    tmp_path: Path, own_csv: Path
) -> None:
    out = tmp_path / "data"
    args = ("--text-field", "message", "--label-field", "topic", "--out", out)
    result = run("build", "--source", f"csv={own_csv}", *args)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["source", "train", "validation", "test", "left", "out"]
    assert lines[1].split()[0] == "csv"
    assert sum(int(number) for number in lines[1].split()[1:]) == 90
    assert lines[-1] == f"wrote train.jsonl, val.jsonl, test.jsonl and manifest.json to {out}"
    assert "warning: csv: unbalanced: 'yes' has" in result.stdout


def test_build_says_what_was_left_out_and_why(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    good = '{"instruction": "why is there %s here?", "output": "So."}\n'
    path.write_text("".join(good % word for word in ("ice", "mud", "sand")) + good % "ice")
    options = ("--val-fraction", "0", "--test-fraction", "0")
    result = run("build", "--source", f"jsonl={path}", "--out", tmp_path / "data", *options)
    assert "jsonl  1  same id as an earlier row" in result.stdout
    assert "warning: the validation split is empty" in result.stdout
    assert "warning: the test split is empty" in result.stdout


def test_settings_come_from_a_file_under_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(f"source: [sample]\nlimit: 9\nout: {tmp_path / 'data'}\n")
    result = run("build", "--config", path, "--limit", "7")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].split()[:4] == ["sample", "7", "7", "7"]


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (("--source", "doly"), "unknown source 'doly'. Did you mean 'dolly'?"),
        (("--source", "jsonl=none.jsonl"), "no such file or folder: none.jsonl"),
        (("--source", "sample", "--limit", "x"), "'x' is not a valid integer"),
        (("--source", "sample", "--val-fraction", "2"), "val_fraction must be at least 0"),
        (("--config", "none.yaml"), "no such file: none.yaml"),
        (("--source", "sample", "--out", "{file}/data"), "Not a directory"),
    ],
)
def test_bad_input_is_one_line_with_exit_code_2(
    tmp_path: Path, args: tuple[str, ...], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    result = run("build", *(arg.format(file="file") for arg in args))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert fault in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_csv_without_the_named_column_lists_the_columns_found(own_csv: Path) -> None:
    fields = ("--text-field", "text", "--label-field", "topic")
    result = run("build", "--source", f"csv={own_csv}", *fields)
    assert result.exit_code == 2
    assert "own.csv:2: no field 'text'; it has message, topic. Name it with --text-field" in (
        result.stderr
    )


def test_hub_that_does_not_answer_is_one_line_that_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_answers", lambda: False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))

    def nothing_cached(*args: Any, **settings: Any) -> None:
        raise ConnectionError("Couldn't reach it\nin two lines")

    monkeypatch.setattr("datasets.load_dataset", nothing_cached)
    result = run("build", "--source", "dolly", "--out", tmp_path / "data")
    assert result.exit_code == 2
    assert "the Hub does not answer" in result.stderr
    assert "--source dolly=PATH" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_sources_lists_every_source_with_licence_and_origin() -> None:
    result = run("sources")
    assert result.exit_code == 0
    for name, source in registry.SOURCES.items():
        assert name in result.stdout
        assert source.licence in result.stdout
        assert source.hub_id is None or source.hub_id in result.stdout
    assert max(map(len, result.stdout.splitlines())) < 110


def test_inspect_shows_counts_lengths_and_records(
    sample: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "load_tokenizer", lambda name, purpose: tokenizer)
    result = run("inspect", sample, "--records", "2")
    assert result.exit_code == 0, result.output
    assert "left out" in result.stdout
    assert "tokens per record" in result.stdout
    assert result.stdout.count("instruction:") == 2
    assert result.stdout.count("output:") == 2


def test_inspect_charts_labels_and_warns(
    tmp_path: Path, own_csv: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "load_tokenizer", lambda name, purpose: tokenizer)
    out = tmp_path / "data"
    args = ("--text-field", "message", "--label-field", "topic", "--out", out)
    run("build", "--source", f"csv={own_csv}", *args)
    result = run("inspect", out)
    assert result.exit_code == 0, result.output
    assert "labels of csv" in result.stdout
    assert "#" * 40 in result.stdout
    assert "warning: csv: unbalanced" in result.stdout


def test_inspect_of_what_is_no_build_is_one_line_with_exit_code_2(tmp_path: Path) -> None:
    result = run("inspect", tmp_path)
    assert result.exit_code == 2
    assert "has no manifest.json; make one with `prepdata build --out" in result.stderr
