"""vLLM and the built-in loop answer alike, in float32 up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.inference.conftest import QUESTIONS
from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig

SAME = 0.9
"""The share of answers that are the same: kernels round differently, and a tie may fall the other
way."""


def test_engine_answers_as_the_builtin_loop(tuned: Callable[..., Any], tmp_path: Path) -> None:
    import json

    pytest.importorskip("vllm")
    run = tuned()
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps(QUESTIONS))
    config = CompareConfig(
        run=(run.name,), runs=run.folder.parent, out=tmp_path / "ours.json", max_new_tokens=16,
        dtype="float32", few_shot=0, no_baselines=True,
    )  # fmt: skip
    ours = compare(prompts, config)
    theirs = compare(prompts, replace(config, engine="vllm", out=tmp_path / "theirs.json"))
    pairs = [
        (one.answers[name], other.answers[name])
        for one, other in zip(ours.items, theirs.items, strict=True)
        for name in one.answers
    ]
    assert sum(one == other for one, other in pairs) >= SAME * len(pairs)
