from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.eval.cli import main
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import build
from tuneproof.eval.score import score
from tuneproof.files import fingerprint
from tuneproof.formats.joined import read_comparisons
from tuneproof.formats.report import write_report
from tuneproof.formats.run import Run, write_run
from tuneproof.models.weights import weights_hash


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def folder(make_run: Callable[..., Run], tmp_path: Path) -> Path:
    """A folder with data, prompts, a run, a comparison and its report; the statement is made."""
    (tmp_path / "data").mkdir()
    for name in ("train", "val", "test"):
        (tmp_path / "data" / f"{name}.jsonl").write_text(f'{{"id": "{name}"}}\n')
    made = make_run("mine")
    made.adapter.mkdir()
    (made.adapter / "adapter_model.safetensors").write_bytes(b"weights")
    hashes = [fingerprint(tmp_path / "data" / f"{n}.jsonl")[:16] for n in ("train", "val", "test")]
    data = replace(made.data, folder=str(tmp_path / "data"), fingerprint=" ".join(hashes))
    weights = {"adapter_model.safetensors": fingerprint(made.weights[0])}
    base = replace(made.base, weights_sha256=weights_hash("tiny"))
    write_run(replace(made, data=data, weights_sha256=weights, base=base))
    (tmp_path / "prompts.json").write_text('[{"prompt": "What does it carry?"}]')
    document = {
        "schema": "tuneproof/comparison@1",
        "prompts": {
            "file": str(tmp_path / "prompts.json"),
            "sha256": fingerprint(tmp_path / "prompts.json"),
        },
        "variants": [
            {"name": "base", "model": "tiny"},
            {"name": "mine", "model": "tiny", "adapter": str(made.adapter)},
        ],
        "items": [
            {
                "id": f"r{number}", "prompt": f"What does river {number} carry?",
                "reference": "Mud.", "task": "river",
                "answers": {"base": {"text": "I am."}, "mine": {"text": "Mud."}},
            }
            for number in range(12)
        ],
    }  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps(document))
    comparison = read_comparisons([tmp_path / "c.json"])
    config = ReportConfig(resamples=100)
    (tmp_path / "report").mkdir()
    built = build(comparison, score(comparison), config)
    write_report(tmp_path / "report" / "report.json", built)
    done = invoke("publish", tmp_path / "report")
    assert done.exit_code == 0, done.output
    return tmp_path


def statement_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "report" / "statement.json").read_text()))


def test_statement_has_the_form_of_in_toto_and_binds_every_file(folder: Path) -> None:
    statement = statement_of(folder)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    weights = "../mine/adapter/adapter_model.safetensors"
    sha256 = fingerprint(folder / "mine" / "adapter" / "adapter_model.safetensors")
    assert statement["subject"] == [{"name": weights, "digest": {"sha256": sha256}}]
    roles = [row["role"] for row in statement["predicate"]["files"]]
    assert roles == [
        "report", "comparison", "prompts", "run", "weights", "data", "data", "data",
    ]  # fmt: skip
    assert statement["predicate"]["runs"]["mine"]["base"]["model"] == "tiny"
    assert statement["predicate"]["metrics"]["mine"]["exact_match"]["value"] == 1.0


def test_statement_holds_where_the_files_were_moved_together(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert invoke("verify", folder / "report" / "statement.json").exit_code == 0
    moved = tmp_path_factory.mktemp("moved") / "all"
    shutil.copytree(folder, moved)
    shutil.rmtree(folder)
    done = invoke("verify", moved / "report" / "statement.json")
    assert done.exit_code == 0, done.output
    assert done.output == "the statement holds: 8 files are as stated\n"


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("mine/adapter/adapter_model.safetensors", "weights"),
        ("data/train.jsonl", "data"),
        ("prompts.json", "prompts"),
        ("c.json", "comparison"),
        ("report/report.json", "report"),
        ("mine/run.json", "run"),
    ],
)
def test_every_file_that_changed_or_is_gone_is_named(folder: Path, name: str, role: str) -> None:
    file = folder / name
    file.write_bytes(file.read_bytes() + b" ")
    done = invoke("verify", folder / "report" / "statement.json")
    assert done.exit_code == 1
    shown = file.name if role == "report" else f"../{name}"
    assert f"{role} {shown} is another file" in done.output
    file.unlink()
    assert (
        f"{role} {shown} is not there"
        in invoke("verify", folder / "report" / "statement.json").output
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("settings", "seed"), "settings of report is stated otherwise than its file has it"),
        (("metrics", "mine", "exact_match", "value"), "metrics of report is stated otherwise"),
        (("runs", "mine", "settings", "method"), "settings of mine is stated otherwise"),
    ],
)
def test_statement_that_says_other_than_its_files_differs(
    folder: Path, path: tuple[str, ...], message: str
) -> None:
    statement = statement_of(folder)
    inner = statement["predicate"]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = 7
    (folder / "report" / "statement.json").write_text(json.dumps(statement))
    done = invoke("verify", folder / "report" / "statement.json")
    assert done.exit_code == 1
    assert message in done.output


def test_other_base_weights_differ_and_absent_ones_are_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneproof.errors import InputError

    monkeypatch.setattr("tuneproof.models.weights.weights_hash", lambda model: "0" * 64)
    done = invoke("verify", folder / "report" / "statement.json")
    assert done.exit_code == 1
    assert "the weights of the base tiny are other ones" in done.output

    def absent(model: str) -> str:
        raise InputError("not here")

    monkeypatch.setattr("tuneproof.models.weights.weights_hash", absent)
    done = invoke("verify", folder / "report" / "statement.json")
    assert done.exit_code == 0
    assert "not checked: the base's weights, as tiny is not here" in done.output


def test_report_whose_comparison_changed_is_not_published(folder: Path) -> None:
    (folder / "report" / "statement.json").unlink()
    (folder / "c.json").write_text((folder / "c.json").read_text() + "\n")
    done = invoke("publish", folder / "report")
    assert done.exit_code == 2
    assert "the report was made from another" in done.output
    assert not (folder / "report" / "statement.json").exists()
    done = invoke("verify", folder / "c.json")
    assert (done.exit_code, "no statement; `score publish` writes one" in done.output) == (2, True)


def test_a_run_whose_training_data_changed_is_not_published(folder: Path) -> None:
    (folder / "data" / "train.jsonl").write_text('{"instruction": "What?", "output": "This."}\n')
    (folder / "report" / "statement.json").unlink()
    done = invoke("publish", folder / "report")
    assert done.exit_code == 2
    assert "run mine was trained on other data than is there" in done.output
