from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.run import Run
from tuneproof.tuning.card import hub_id, write_card
from tuneproof.tuning.push_config import CardFacts


@pytest.fixture
def run(make_run: Callable[..., Run], tmp_path: Path) -> Run:
    """A run on a data set of the Hub and a file of one's own."""
    source = {"licence": "MIT", "files": {}, "records": {}, "dropped": {}}
    manifest = {
        "schema": "tuneproof/data@1",
        "sources": {
            "a": {"from": "someone/rivers", **source},
            "b": {"from": "/home/me/mine.csv", **source},
        },
    }
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "data" / "train.jsonl").write_text('{"instruction": "What?", "output": "Mud."}\n')
    fingerprint = DataFolder(tmp_path / "data").fingerprint
    config = {"model": "tiny", "method": "lora", "objective": "generate", "max_length": 96}
    made = make_run("mine", config=config)
    data = replace(made.data, folder=str(tmp_path / "data"), fingerprint=fingerprint)
    return replace(made, data=data)


def card_of(run: Run, **settings: Any) -> Any:
    from huggingface_hub import ModelCard

    write_card(run, **settings)
    return ModelCard((run.folder / "README.md").read_text())


def report(run: Run, folder: Path) -> Path:
    """Write the report of a comparison in which the run is right and the base is not."""
    from tuneproof.eval.config import ReportConfig
    from tuneproof.eval.report.build import build
    from tuneproof.eval.score import score
    from tuneproof.formats.joined import read_comparisons
    from tuneproof.formats.report import write_report

    document = {
        "schema": "tuneproof/comparison@1",
        "variants": [{"name": "base", "model": "tiny"}, {"name": run.name, "model": "tiny"}],
        "items": [
            {
                "id": f"r{number}", "prompt": f"What does river {number} carry?",
                "reference": "Mud.", "task": "river",
                "answers": {"base": {"text": "I am."}, run.name: {"text": "Mud."}},
            }
            for number in range(20)
        ],
    }  # fmt: skip
    folder.mkdir()
    (folder / "c.json").write_text(json.dumps(document))
    comparison = read_comparisons([folder / "c.json"])
    built = build(comparison, score(comparison), ReportConfig(resamples=100))
    write_report(folder / "report.json", built)
    return folder


def test_figures_of_a_report_are_evaluation_results_with_intervals(
    run: Run, tmp_path: Path
) -> None:
    facts = CardFacts(report=report(run, tmp_path / "r"), report_link="report.html")
    card = card_of(run, facts=facts)
    results = {one.metric_type: one for one in card.data.eval_results}
    rouge = results["rougeL"]
    assert rouge.metric_value == 1.0
    assert (rouge.dataset_type, rouge.dataset_name) == ("someone/rivers", "river")
    low, high = rouge.metric_args["confidence_interval"]
    assert low <= 1.0 <= high
    assert rouge.metric_args["items"] == 20
    assert "| ROUGE-L | 1 (" in card.text
    assert "Of this checkpoint: " in card.text
    assert "[the report](report.html)" in card.text
    with pytest.raises(InputError, match="unknown variant 'other'"):
        write_card(replace(run, folder=tmp_path / "other"), facts=facts)


def test_base_is_an_id_of_the_hub_or_nothing(run: Run, tmp_path: Path) -> None:
    cached = tmp_path / "hub" / "models--someone--small" / "snapshots" / "1"
    for model, known in (
        ("someone/small", "someone/small"), ("gpt2", "gpt2"), ("tiny", None),
        (str(tmp_path), None), (str(tmp_path / "a.gguf"), None), (str(cached), "someone/small"),
    ):  # fmt: skip
        assert hub_id(model) == known
        based = replace(run, base=replace(run.base, model=model))
        card = card_of(based)
        assert card.data.base_model == known
        assert str(tmp_path) not in card.content
    assert card.data.datasets == ["someone/rivers"]
    (Path(run.data.folder) / "train.jsonl").write_text('{"instruction": "A", "output": "B"}\n')
    assert card_of(run).data.datasets is None  # built anew, perhaps from something else
    assert "model_name" not in card.data.to_dict()  # it belongs to evaluation results


def test_card_says_what_lies_beside_it(run: Run) -> None:
    facts = CardFacts(base_model="someone/small")
    for form, library, relation in (
        ("run", "peft", "adapter"), ("adapter", "peft", "adapter"),
        ("model", "transformers", "finetune"), ("gguf", "gguf", "quantized"),
    ):  # fmt: skip
        card = card_of(run, form=form, facts=facts)
        assert (card.data.library_name, card.data.base_model_relation) == (library, relation)
        assert ("loss.png" in card.text) == (form == "run")
        assert ("llama-server" in card.text) == (form == "gguf")
        assert ("AutoPeftModelForCausalLM" in card.text) == (form in ("run", "adapter"))
