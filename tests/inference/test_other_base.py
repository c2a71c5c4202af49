"""A head over another base than the one that the other variants share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig

pytestmark = pytest.mark.slow

LABELS = ["mud", "ice"]


def test_head_over_another_base_answers_beside_the_others(
    base_models: dict[str, Path], tmp_path: Path
) -> None:
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    rows = [
        {"id": f"r{n}", "task": "river", "instruction": "What is in it?",
         "input": f"{n} {LABELS[n % 2]}", "output": LABELS[n % 2]}
        for n in range(8)
    ]  # fmt: skip
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest = {"schema": "tuneproof/data@1", "labels": {"river": LABELS}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    runs = tmp_path / "runs"
    for name, kind, objective in (("words", "gpt2", "generate"), ("other", "llama", "classify")):
        config = TuneConfig(
            data=tmp_path, model=str(base_models[kind]), name=name, runs=runs, max_length=64,
            max_steps=2, lora_r=2, objective=objective,  # type: ignore[arg-type]
        )  # fmt: skip
        finetune(config)
    asked = CompareConfig(
        run=("words", "other"), runs=runs, out=tmp_path / "c.json", no_baselines=True, few_shot=0
    )
    found = compare(tmp_path / "test.jsonl", asked).as_json()
    models = {row["name"]: Path(row["model"]).name for row in found["variants"]}
    assert models == {"base": "gpt2", "words": "gpt2", "other": "llama"}
    assert all(item["answers"]["other"]["label"] in LABELS for item in found["items"])
