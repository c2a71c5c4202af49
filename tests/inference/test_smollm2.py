"""A real chat model: the base is asked in ChatML, the run and `base-as-tuned` in `instruct`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig

pytestmark = pytest.mark.slow


def test_base_is_asked_in_chatml_and_the_run_as_it_was_trained(
    smollm2: Path, write_data: Callable[..., Path], tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    data = write_data(tmp_path / "data", train=8, validation=2)
    rows = [
        {"id": "p", "task": "river", "instruction": "What is the capital of France?", "input": "",
         "output": "Paris."}
    ]  # fmt: skip
    (data / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    finetune(
        TuneConfig(
            data=data,
            model="smollm2",
            name="mud",
            runs=tmp_path,
            max_length=96,
            max_steps=1,
            template="instruct",
        )
    )
    config = CompareConfig(
        run=("mud",), runs=tmp_path, out=tmp_path / "c.json", max_new_tokens=12, few_shot=1
    )
    value = compare(data / "test.jsonl", config).as_json()
    rows_by_name: dict[str, Any] = {row["name"]: row for row in value["variants"]}
    assert list(rows_by_name) == ["base", "base-as-tuned", "base-few-shot", "mud", "nearest"]
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    assert rows_by_name["base"]["template"] == tokenizer.chat_template
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    asked = tokenizer.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
    assert rows_by_name["base"]["prompt_tokens"] == len(asked)
    assert rows_by_name["base-as-tuned"]["template"].startswith("### Instruction:")
    [item] = value["items"]
    assert item["answers"]["base"]["text"].startswith("The capital of France is Paris")
    assert item["answers"]["base"]["finish_reason"] == "eos"  # the end of its turn
