"""Spoilt files of every format: they are read, or one error says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.spoilt import FEW, Reader, as_json, as_lines, as_yaml, try_many, try_one

OLD = Path(__file__).parent / "old"

SETTINGS = {
    "tune": {"model": "tiny", "data": "data", "num_train_epochs": 3, "target_modules": ["c_attn"]},
    "search": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "lora_r": [2, 4]},
    "trials": 20,
    "metric": "loss",
}
RECIPE = {
    "summary": "x",
    "prepdata": {"source": ["sample"], "seed": 1, "limit": 10},
    "tune": {"model": "tiny", "method": "lora", "learning_rate": 5e-4},
    "runs": {"a": {"lora_r": 8}, "b": {"lora_r": 4}},
    "compare": {"prompts": ["test"], "merged": ["a"]},
    "published": [{"variant": "a", "metric": "accuracy", "value": 0.5, "source": "paper"}],
}

TUNE = {
    "model": "tiny", "data": "data", "num_train_epochs": 3, "target_modules": ["c_attn"], "seed": 7,
    "learning_rate": 1e-4, "max_steps": None, "method": "lora", "load_in_4bit": False, "name": "a",
}  # fmt: skip
METRICS = [
    {"step": step, "epoch": step / 3, "loss": 2.5, "seconds": 1.5, "num_tokens": 9, "flops": 1e9}
    for step in (1, 2, 3)
] + [{"step": 3, "epoch": 1.0, "eval_loss": 2.25, "eval_accuracy": 0.5}]
PLAIN = [
    {"prompt": "2 and 2?", "reference": "4", "fine_tuned": "4", "regular": "It is 5."},
    {"prompt": "Who?", "input": "Ann came.", "reference": "Ann", "fine_tuned": "", "regular": "x"},
]
RECORDS: list[dict[str, Any]] = [
    {"id": "r0", "task": "river", "instruction": "What is it?", "input": "A.", "output": "Mud."},
    {"id": "r1", "task": "river", "instruction": "Is?", "input": "", "output": "Ice", "group": "g"},
    {
        "id": "r2", "instruction": "Where?", "output": "Oslo", "references": ["Oslo", "in Oslo"],
        "system": "Be brief.", "history": [["Do you ship?", "Yes."]], "executed": "3",
    },
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "To Oslo?"},
            {"role": "assistant", "content": "Yes."},
        ]
    },
]  # fmt: skip
PROMPTS = [{"prompt": "2 and 2?", "reference": "4"}, {"prompt": "Who?"}, *RECORDS]
ADAPTER = {
    "peft_type": "LORA", "base_model_name_or_path": "tiny", "task_type": "CAUSAL_LM", "r": 4,
    "lora_alpha": 8, "target_modules": ["c_attn"], "modules_to_save": None, "bias": "none",
}  # fmt: skip


def read_run_file(path: Path) -> None:
    from tuneproof.formats.run import read_run
    from tuneproof.formats.run_names import all_runs
    from tuneproof.tuning.runs import table

    run = read_run(path.parent)
    table(list(all_runs(path.parent.parent)))
    _ = run.stamp.key, run.is_whole, run.saved, run.max_length, run.prompts


def read_comparison_file(path: Path) -> None:
    from tuneproof.eval.checks.comparison import check_comparison
    from tuneproof.formats.comparison import read_comparison

    comparison = read_comparison(path)
    list(check_comparison(comparison))


def read_report_file(path: Path) -> None:
    from tuneproof.eval.gate import gate

    gate(path, None, ["rougeL.gain > 0"], ["stop_rate"], point=False)


def read_manifest_file(path: Path) -> None:
    from tuneproof.formats.data_folder import DataFolder
    from tuneproof.prepdata.checks.data import check_manifest
    from tuneproof.prepdata.report import build_summary

    folder = DataFolder(path.parent)
    assert folder.manifest is not None
    list(check_manifest(folder.manifest))
    build_summary(path.parent, folder.manifest)
    _ = folder.edited, folder.manifest.stamp.key


def read_sweep_file(path: Path) -> None:
    from tuneproof.tuning.sweep.config import read_sweep

    read_sweep(path, {})


def read_recipe_file(path: Path) -> None:
    from tuneproof.recipes.recipe import load
    from tuneproof.recipes.show import as_yaml

    as_yaml(load(str(path)))


def read_settings_file(path: Path) -> None:
    from tuneproof.options import resolve
    from tuneproof.tuning.config import TuneConfig

    _ = resolve(TuneConfig, {}, path).folder


def read_metrics_file(path: Path) -> None:
    from tuneproof.formats.training_log import read_metrics

    for row in read_metrics(path):
        _ = row["step"] + 1


def read_records_file(path: Path) -> None:
    from tuneproof.formats.data_folder import open_to_train
    from tuneproof.formats.example import read_examples

    for example in read_examples(path):
        json.dumps(example.as_row(), ensure_ascii=False).encode()
    _ = open_to_train(path.parent, None).tasks


def read_prompts_file(path: Path) -> None:
    from tuneproof.formats.example import read_prompts

    for example in read_prompts(path):
        json.dumps(example.as_row(), ensure_ascii=False).encode()


def read_adapter_file(path: Path) -> None:
    from tuneproof.models.adapters import checked

    checked(path.parent).get("base_model_name_or_path")


READERS = {
    "run": Reader(OLD / "runs/lora/run.json", "x/run.json", as_json, read_run_file),
    "comparison": Reader(OLD / "labels.json", "comparison.json", as_json, read_comparison_file),
    "texts": Reader(OLD / "texts.json", "comparison.json", as_json, read_comparison_file),
    "report": Reader(OLD / "reports/texts/report.json", "report.json", as_json, read_report_file),
    "manifest": Reader(OLD / "topics/manifest.json", "manifest.json", as_json, read_manifest_file),
    "sweep": Reader(SETTINGS, "sweep.yaml", as_yaml, read_sweep_file),
    "recipe": Reader(RECIPE, "recipe.yaml", as_yaml, read_recipe_file),
    "settings": Reader(TUNE, "tune.yaml", as_yaml, read_settings_file),
    "metrics": Reader(METRICS, "metrics.jsonl", as_lines, read_metrics_file),
    "plain list": Reader(PLAIN, "answers.json", as_json, read_comparison_file),
    "records": Reader(RECORDS, "train.jsonl", as_lines, read_records_file),
    "prompts": Reader(PROMPTS, "prompts.json", as_json, read_prompts_file),
    "adapter": Reader(ADAPTER, "adapter_config.json", as_json, read_adapter_file),
}


@pytest.mark.parametrize("kind", READERS)
def test_spoilt_file_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    for seed in range(FEW):
        try_one(kind, READERS[kind], seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_many_spoilt_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    try_many(kind, READERS[kind], tmp_path)
