"""run.json is read and written by one module, and older files still open."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.files import read_json, write_json
from tuneproof.formats.run import Change, FourBit, Head, Run, read_run, write_run
from tuneproof.formats.run_names import all_runs, finished_run, name_of_run
from tuneproof.formats.training_log import read_metrics, validation_curve
from tuneproof.formats.variant import training_of
from tuneproof.log import lines_to

MakeRun = Callable[..., Run]

OLDEST: dict[str, Any] = {
    "schema": "tuneproof/run@1",
    "state": "finished",
    "config": {"model": "tiny", "method": "lora", "learning_rate": 1e-3, "max_length": 64},
    "template": {"name": "instruct", "text": "{{ instruction }}{{ input }}"},
    "base": {"model": "tiny", "weights_sha256": "ab"},
    "data": {
        "folder": "data", "fingerprint": "cd", "tasks": ["river"], "labels": {},
        "train": {"examples": 9, "tokens": 90, "trained_tokens": 9, "shortened": 0, "too_long": 0},
        "validation": {"examples": 0, "tokens": 0, "shortened": 0},
    },
    "parameters": {"trainable": 5, "total": 1000},
    "adapted_layers": ["c_attn"],
    "versions": {"python": "3.10"},
    "result": {
        "steps": 3, "epochs": 1.0, "examples_seen": 9, "tokens_seen": 90, "first_loss": 2.0,
        "last_loss": 1.0, "best_validation_loss": None, "best_step": None, "wall_seconds": 9.0,
        "peak_memory_bytes": 7,
    },
}  # fmt: skip
"""A run.json of the first version."""


def test_what_is_written_is_read(make_run: MakeRun, tmp_path: Path) -> None:
    changes = Change(before="a", after="b")
    head = Head(labels=["a", "b"], modules=["score"], pad_token_id=0, tensors={"w": changes})
    run = make_run("mine", template=None, head=head, quantization=FourBit(), warnings=["slow"])
    assert read_run(tmp_path / "mine") == run
    assert finished_run(tmp_path, "mine") == run


def test_what_is_not_known_yet_is_left_out(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("mine", state="running", result=None)
    told = read_json(tmp_path / "mine" / "run.json")
    assert list(told)[:4] == ["schema", "state", "config", "template"]
    assert told["result"] is told["quantization"] is None
    assert not {"head", "speed", "warnings", "accuracy", "folder", "unknown"} & told.keys()


def test_oldest_version_opens(tmp_path: Path) -> None:
    write_json(tmp_path / "old" / "run.json", OLDEST)
    run = read_run(tmp_path / "old")
    assert (run.objective, run.quantization, run.learning_rate) == ("generate", None, 1e-3)
    assert training_of(run) == {"tokens": 90, "epochs": 1.0, "curve": []}


def test_unknown_keys_survive(tmp_path: Path) -> None:
    file = tmp_path / "new" / "run.json"
    result = {**OLDEST["result"], "joules": 3}
    newer = {**OLDEST, "colour": "red", "result": result, "config": {**OLDEST["config"], "x": {}}}
    write_json(file, newer)
    write_run(replace(read_run(file.parent), state="failed"))
    written = read_json(file)
    assert (written["colour"], written["state"]) == ("red", "failed")
    assert written["result"] == result
    assert written["config"] == {**newer["config"], "objective": "generate"}


def test_missing_part_is_named(tmp_path: Path) -> None:
    data = {**OLDEST["data"], "train": {"examples": 1, "tokens": 2}}
    write_json(tmp_path / "broken" / "run.json", {**OLDEST, "data": data})
    with pytest.raises(InputError, match=r"run\.json: 'data': 'train': missing key 'shortened'"):
        read_run(tmp_path / "broken")


def test_unknown_run_gives_the_nearest(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("dolly")
    with pytest.raises(InputError, match=r"unknown run 'doly'\. Did you mean 'dolly'"):
        read_run(tmp_path / "doly")


def test_run_of_another_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InputError, match="not a run of schema tuneproof/run@1"):
        read_run(tmp_path)


def test_unfinished_run_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("cut", state="interrupted")
    with pytest.raises(InputError, match=r"'cut' is not finished \(it is interrupted\)"):
        finished_run(tmp_path, "cut")


def test_all_runs_are_those_of_the_schema(make_run: MakeRun, tmp_path: Path) -> None:
    made = [make_run(name) for name in ("b", "a")]
    write_json(tmp_path / "other" / "run.json", {"schema": "somebody/else@1"})
    assert list(all_runs(tmp_path)) == made[::-1]


def test_evaluations_are_the_points_of_the_curve(make_run: MakeRun) -> None:
    rows = [
        {"step": 1, "loss": 2.0, "flops": 3},
        {"step": 2, "epoch": 1.0, "eval_loss": 1.5, "eval_accuracy": 0.5, "seconds": 9.0,
         "train_seconds": 1.0, "num_tokens": 4, "flops": 6},
        {"step": 3, "epoch": 1.5, "eval_loss": 1.25},
    ]  # fmt: skip
    run = make_run("mine")
    result = replace(run.outcome, flops=7, tokens_seen=5, train_seconds=1.5, epochs=2.0)
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert training_of(replace(run, result=result)) == {
        "flops": 7, "tokens": 5, "seconds": 1.5, "epochs": 2.0,
        "curve": [
            {"step": 2, "epoch": 1.0, "flops": 6, "tokens": 4, "seconds": 1.0,
             "validation_loss": 1.5, "validation_accuracy": 0.5},
            {"step": 3, "epoch": 1.5, "validation_loss": 1.25},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"step": 1, "loss": "low"}', r"metrics\.jsonl:2: 'loss': expected a number, found 'low'"),
        ('{"loss": 1.0}', r"metrics\.jsonl:2: missing key 'step'"),
        ('{"step": 1, "lo', r"metrics\.jsonl:2: not valid JSON"),
        ("[1]", r"metrics\.jsonl:2: a JSON object is needed"),
    ],
)
def test_spoilt_line_of_the_metrics_is_named(tmp_path: Path, line: str, fault: str) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text(f'{{"step": 0, "loss": NaN}}\n{line}\n{{"step": 2}}\n')
    with pytest.raises(InputError, match=fault):
        read_metrics(file)


def test_last_line_of_the_metrics_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "lo')
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"step": 1, "loss": 2.5}]


def test_unreadable_run_is_named_and_the_others_are_listed(
    make_run: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        make_run(name)
    (tmp_path / "b" / "run.json").write_text('{"schema": "tuneproof/run@1", "config": {}}')
    said: list[str] = []
    with lines_to(said.append):
        assert [run.name for run in all_runs(tmp_path)] == ["a", "c"]
    assert said[0].startswith("WARNING: left out: ")
    assert "b/run.json: 'config': missing key 'model'" in said[0]


def test_run_is_typed_as_its_name_or_its_folder(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for typed in ("mine", str(runs / "mine"), f"{runs}/x/../mine", f"{runs}/mine/"):
        assert name_of_run(runs, typed) == "mine"


@pytest.mark.parametrize("typed", ["../x", "..", ".", "", "/", "a/b", "mine/..", "/etc/passwd"])
def test_name_of_a_run_leads_out_of_no_folder(
    make_run: MakeRun, tmp_path: Path, typed: str
) -> None:
    make_run("x")
    runs = tmp_path / "runs"
    for read in (name_of_run, finished_run):
        with pytest.raises(InputError, match="is no name of a run in"):
            read(runs, typed)


def test_evaluation_whose_loss_is_no_number_is_a_point_without_it(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1, "eval_loss": NaN, "flops": 3}\n{"step": 2, "eval_lo')
    assert validation_curve(file) == [{"step": 1, "flops": 3}]
