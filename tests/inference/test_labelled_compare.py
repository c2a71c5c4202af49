"""`infer compare` on a labelled task: scored labels, free answers and baselines in one file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import read_prompts
from tuneproof.formats.run import read_run
from tuneproof.inference.compare import compare, is_up_to_date
from tuneproof.inference.config import CompareConfig
from tuneproof.inference.variants import load_variants
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.generate import labels_to_name

pytestmark = pytest.mark.slow

LABELS = ["mud", "mud and ice", "tons of ice"]
BASELINES = ["chance", "majority", "tf-idf", "nearest"]


@pytest.fixture(scope="module")
def labelled(base_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of a labelled task, and a run tuned on it."""
    from tuneproof.tuning.run import finetune

    folder: Path = tmp_path_factory.mktemp("labelled")
    words = dict(zip(LABELS, ("slow", "wide", "winter"), strict=True))
    for name, count in (("train", 37), ("val", 6), ("test", 12)):
        rows = [
            {
                "id": f"{name}-{n}", "task": "river", "instruction": "What is in it?",
                "input": words[LABELS[n % 3]] + " is it" * (n % 2),
                "output": LABELS[n % 3],
            }
            for n in range(count)
        ]  # fmt: skip
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest = {"schema": "tuneproof/data@1", "labels": {"river": LABELS}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    config = TuneConfig(
        data=folder, model=str(base_models["gpt2"]), name="river", runs=folder / "runs",
        max_length=96, num_train_epochs=20, per_device_train_batch_size=6, learning_rate=1e-2,
        lora_r=8,
    )  # fmt: skip
    finetune(config)
    return folder


@pytest.fixture
def config(labelled: Path, tmp_path: Path) -> CompareConfig:
    return CompareConfig(
        run=("river",), runs=labelled / "runs", out=tmp_path / "comparison.json", batch_size=5
    )


def test_every_answer_has_text_label_and_probabilities(
    labelled: Path, config: CompareConfig
) -> None:
    value = compare(labelled / "test.jsonl", config).as_json()
    assert value["labels"] == LABELS
    models = ["base", "base-few-shot", "river"]
    assert [row["name"] for row in value["variants"]] == [*models, *BASELINES]
    assert value["decoding"]["max_new_tokens"] < 40  # little more than the longest label
    for item in value["items"]:
        for name, answer in item["answers"].items():
            chances = answer["label_probabilities"]
            assert list(chances) == LABELS
            assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
            assert chances[answer["label"]] == max(chances.values())
            assert (answer["text"] is None) == (name in BASELINES)
    tuned = [item["answers"]["river"] for item in value["items"]]
    assert all(
        answer["label"] == item["reference"] == answer["text"]
        for answer, item in zip(tuned, value["items"], strict=True)
    )


def test_report_sets_the_run_against_base_and_baselines(
    labelled: Path, config: CompareConfig, tmp_path: Path
) -> None:
    compare(labelled / "test.jsonl", config)
    found = report([config.out], tmp_path / "report", ReportConfig(resamples=100))
    assert found.metrics["river"]["accuracy"].value == 1
    assert found.metrics["majority"]["accuracy"].value == pytest.approx(1 / 3)
    assert found.metrics["tf-idf"]["accuracy"].value == 1
    assert found.metrics["nearest"]["accuracy"].value == 1
    assert found.tuned == ["river"]


def test_answers_do_not_depend_on_the_batch(labelled: Path, config: CompareConfig) -> None:
    def found(size: int) -> list[Any]:
        items = compare(labelled / "test.jsonl", replace(config, batch_size=size)).as_json()[
            "items"
        ]
        return [item["answers"][name] for item in items for name in ("base", "river")]

    for one, other in zip(found(1), found(7), strict=True):
        assert one["text"] == other["text"]
        assert one["label_probabilities"] == pytest.approx(other["label_probabilities"], abs=1e-4)


def test_scores_are_those_of_separate_forwards(
    labelled: Path, config: CompareConfig, base_models: dict[str, Path]
) -> None:
    import torch
    from peft import AutoPeftModelForCausalLM

    from tuneproof.models.load import load_tokenizer
    from tuneproof.prompts import template as templates
    from tuneproof.prompts.fit import ask, completion_ids

    item = compare(labelled / "test.jsonl", replace(config, limit=2)).as_json()["items"][1]
    model = AutoPeftModelForCausalLM.from_pretrained(labelled / "runs/river/adapter").eval()
    tokenizer = load_tokenizer(str(base_models["gpt2"]))
    template = templates.load()
    question = read_prompts(labelled / "test.jsonl")[1]
    encoded = ask(template, tokenizer, question, max_length=1000)
    assert encoded is not None
    asked = encoded.prompt_ids

    def alone(label: str) -> float:
        answer = completion_ids(template, tokenizer, label)
        with torch.no_grad():
            logits = model(torch.tensor([asked + answer])).logits[0].log_softmax(-1)
        places = range(len(asked) - 1, len(asked) + len(answer) - 1)
        return float(sum(logits[at, token] for at, token in zip(places, answer, strict=True)))

    expected = torch.tensor([alone(label) for label in LABELS]).softmax(0).tolist()
    found = item["answers"]["river"]["label_probabilities"]
    assert list(found.values()) == pytest.approx(expected, abs=1e-4)


def test_calibration_divides_the_base_by_its_prior_and_nothing_else(
    labelled: Path, config: CompareConfig
) -> None:
    import torch

    plain, calibrated = (
        compare(labelled / "test.jsonl", replace(config, calibrate=how)).as_json()["items"]
        for how in ("none", "prior")
    )

    def chances(items: list[Any], variant: str) -> Any:
        rows = [item["answers"][variant]["label_probabilities"].values() for item in items]
        return torch.tensor([list(row) for row in rows]).log()

    torch.testing.assert_close(chances(plain, "river"), chances(calibrated, "river"))
    change = chances(calibrated, "base") - chances(plain, "base")
    change = change - change[:, :1]  # the same factor for every label of a prompt drops out
    assert float(change.abs().max()) > 0.01
    torch.testing.assert_close(change, change[:1].expand_as(change), atol=1e-3, rtol=0)


def test_there_is_no_prior_without_an_input(labelled: Path, config: CompareConfig) -> None:
    rows = [json.loads(line) for line in (labelled / "test.jsonl").read_text().splitlines()]
    joined = [row | {"instruction": row["input"], "input": ""} for row in rows]
    (labelled / "joined.jsonl").write_text("\n".join(map(json.dumps, joined)))
    with pytest.raises(InputError, match="has no input apart from its question"):
        compare(labelled / "joined.jsonl", replace(config, calibrate="prior"))


def test_baselines_can_be_left_out_and_decide_what_is_up_to_date(
    labelled: Path, config: CompareConfig
) -> None:
    value = compare(labelled / "test.jsonl", replace(config, no_baselines=True)).as_json()
    assert [row["name"] for row in value["variants"]] == ["base", "base-few-shot", "river"]
    assert is_up_to_date(labelled / "test.jsonl", replace(config, no_baselines=True))
    for changes in ({}, {"calibrate": "prior", "no_baselines": True}):
        assert not is_up_to_date(labelled / "test.jsonl", replace(config, **changes))


def test_answers_known_from_the_labels_are_those_that_are_written(
    labelled: Path, config: CompareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneproof.inference import generate, panels

    ask, made = generate._by_model, []

    def counted(variants: Any, rows: Any, names: Any, *rest: Any) -> Any:
        made.extend(names)
        return ask(variants, rows, names, *rest)

    monkeypatch.setattr(generate, "_by_model", counted)
    known = compare(labelled / "test.jsonl", config)
    few = len(made)
    with monkeypatch.context() as patched:
        patched.setattr(panels, "_known", lambda *_: [])
        written = compare(labelled / "test.jsonl", replace(config, out=config.out.with_name("all")))
    assert few < len(made) - few
    assert made[:few].count("river") == 0  # it has learnt to write labels
    assert known.items == written.items
    rows = [one.details for one in known.variants if one.name in ("base", "river")]
    assert [row["seconds_per_answer"] > 0 for row in rows] == [True] * 2


def test_interrupted_between_two_panels_goes_on(
    labelled: Path, config: CompareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneproof.inference import panels

    whole = compare(
        labelled / "test.jsonl", replace(config, out=config.out.with_name("whole"))
    ).as_json()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(panels, "predict", _interrupt)
        compare(labelled / "test.jsonl", config)
    monkeypatch.setattr(panels, "answer_batch", _interrupt)  # nothing is generated again
    assert compare(labelled / "test.jsonl", config).as_json()["items"] == whole["items"]


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_run_that_was_told_the_labels_is_told_them_when_asked(labelled: Path) -> None:
    run = read_run(labelled / "runs" / "river")
    told = replace(run, config={**run.config, "name_labels": True})
    sentence = "Answer with one of these labels: mud; mud and ice; tons of ice"
    for one, expected in ((run, ""), (told, sentence)):
        [variants] = load_variants([one], labels=tuple(LABELS))
        assert variants.forms["river"].label_sentence == expected


def test_labels_cannot_be_named_where_answers_are_texts(tmp_path: Path) -> None:
    row = {"id": "1", "task": "t", "instruction": "Say.", "input": "", "output": "All of it."}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    config = TuneConfig(data=tmp_path, name_labels=True)
    with pytest.raises(InputError, match="none of a label set; leave it out"):
        labels_to_name(config, DataFolder(tmp_path))


def test_run_named_like_a_baseline_is_refused(labelled: Path, config: CompareConfig) -> None:
    runs = config.runs
    (runs / "majority").symlink_to(runs / "river")
    with pytest.raises(InputError, match="'majority' is the name of two variants"):
        compare(labelled / "test.jsonl", replace(config, run=("majority",)))


def test_labels_alike_to_the_tokenizer_are_refused(labelled: Path, config: CompareConfig) -> None:
    from tuneproof.formats.run_names import finished_run
    from tuneproof.inference.label_scores import LabelScorer
    from tuneproof.inference.variants import load_variants

    variants = load_variants([finished_run(config.runs, "river")])[0]
    with pytest.raises(InputError, match="the labels 'ice' and 'ice' are the same to the tokeni"):
        LabelScorer(variants, ["ice", "ice"])
