"""lm-evaluation-harness: its samples in pairs, and tasks of one's own asked of base and run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tuneproof.errors import InputError
from tuneproof.eval.cli import main
from tuneproof.eval.config import ExternalConfig
from tuneproof.eval.external import external, read_samples, samples_of
from tuneproof.formats.regressions import read_regressions


def _row(number: int, acc: float, **changes: Any) -> dict[str, Any]:
    return {
        "doc_id": number,
        "arguments": [[f"Question {number}?", " yes"], [f"Question {number}?", " no"]],
        "metrics": ["acc", "acc_norm"],
        "doc_hash": f"h{number}",
        "acc": acc,
        "acc_norm": 1 - acc,
    } | changes


def _samples(folder: Path, values: list[float], task: str = "river") -> Path:
    file = folder / "model" / f"samples_{task}_2026-01-31T12-00-00.123456.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [_row(number, value) for number, value in enumerate(values)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _read(tmp_path: Path, base: list[float], run: list[float], **changes: Any) -> ExternalConfig:
    return ExternalConfig(
        base_samples=_samples(tmp_path / "base", base),
        run_samples=_samples(tmp_path / "mine", run),
        out=tmp_path / "external.json",
        **changes,
    )


def test_items_are_paired_by_task_and_number(tmp_path: Path) -> None:
    regressions = external(_read(tmp_path, [1, 0, 1], [1, 1, 0]))
    assert read_regressions(tmp_path / "external.json") == regressions
    assert regressions.variants == ("base", "mine")
    values = [(i.id, i.answers["base"].value, i.answers["mine"].value) for i in regressions.items]
    assert values == [("river-0", 1, 1), ("river-1", 0, 1), ("river-2", 1, 0)]
    assert regressions.items[0].prompt == "Question 0?" and regressions.items[0].kind == "river"


def test_another_metric_can_be_paired(tmp_path: Path) -> None:
    regressions = external(_read(tmp_path, [1, 0], [1, 1], metric="acc_norm"))
    assert [item.answers["base"].value for item in regressions.items] == [0, 1]


def test_items_that_one_of_the_two_was_not_asked_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="river: item 2 is not the same for base and mine"):
        external(_read(tmp_path, [1, 0, 1], [1, 1]))
    with pytest.raises(InputError, match="river: item 1 was asked of mine only"):
        external(_read(tmp_path, [1], [1, 1]))


def test_of_several_filters_the_first_counts_and_of_several_files_the_newest(
    tmp_path: Path,
) -> None:
    rows = [_row(0, 1.0, filter="strict"), _row(0, 0.0, filter="loose")]
    assert [sample.value for sample in samples_of("river", rows, None, "here")] == [1.0]
    _samples(tmp_path, [1, 1])
    (tmp_path / "model/samples_river_2027-01-31T12-00-00.1.jsonl").write_text(
        json.dumps(_row(0, 0.0)) + "\n"
    )
    assert [sample.value for sample in read_samples(tmp_path, None)] == [0.0]


@pytest.mark.parametrize(
    ("row", "metric", "message"),
    [
        (_row(0, 7.0), None, "'acc' of an item is 7.0"),
        (_row(0, 1.0), "bleu", "'bleu' of an item is None"),
        ({"doc_id": 0, "metrics": ["perplexity"], "perplexity": [1, 2]}, None, "no metric of perp"),
        ({"doc_id": 0, "metrics": None}, None, "no metric of it"),
        ({**_row(0, 1.0), "doc_id": None}, None, "doc_id of an item is None"),
    ],
)
def test_a_metric_without_a_value_from_0_to_1_is_refused(
    row: dict[str, Any], metric: str | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        samples_of("river", [row], metric, "here")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--tasks", "river"],
        ["--base-samples", "a"],
        ["--tasks", "river", "--run", "mine", "--base-samples", "a", "--run-samples", "b"],
    ],
)
def test_what_names_nothing_to_ask_or_two_things_is_refused(options: list[str]) -> None:
    assert CliRunner().invoke(main, ["external", *options]).exit_code == 2


def test_samples_of_several_models_are_refused(tmp_path: Path) -> None:
    _samples(tmp_path, [1, 1])
    shutil.copytree(tmp_path / "model", tmp_path / "other")
    with pytest.raises(InputError, match=r"samples of several models, in .*model, .*other"):
        read_samples(tmp_path, None)


def test_a_folder_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no samples_TASK"):
        read_samples(tmp_path, None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_task_of_ones_own_is_asked_of_base_and_run(
    base_models: dict[str, Path], write_data: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("lm_eval")
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    finetune(
        TuneConfig(
            data=write_data(tmp_path / "data"), model=str(base_models["llama"]), name="mud",
            runs=tmp_path / "runs", max_length=96, num_train_epochs=12, learning_rate=1e-2,
            per_device_train_batch_size=4, lora_r=4,
        )
    )  # fmt: skip
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    rows = [{"question": f"What does river {n} carry?"} for n in range(20)]
    (tasks / "river.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tasks / "river.yaml").write_text(
        "task: river\ndataset_path: json\noutput_type: multiple_choice\ntest_split: test\n"
        f"dataset_kwargs: {{data_files: {{test: {tasks / 'river.jsonl'}}}}}\n"
        'doc_to_text: "### Instruction:\\n{{question}}\\n\\n### Response:\\n"\n'
        'doc_to_choice: ["Mud.", "Ice."]\ndoc_to_target: 0\ntarget_delimiter: ""\n'
        "metric_list:\n  - metric: acc\n"
    )
    config = ExternalConfig(
        tasks=("river",), run="mud", runs=tmp_path / "runs", task_folder=tasks,
        out=tmp_path / "external.json",
    )  # fmt: skip
    regressions = external(config)
    assert len(regressions.items) == 20
    assert all(item.answers["mud"].value == 1 for item in regressions.items)
    with pytest.raises(InputError, match="the harness knows no task 'lake'"):
        external(ExternalConfig(tasks=("lake",), run="mud", runs=tmp_path / "runs"))
