"""Two processes that compare together write what one writes alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Together = dict[str, list[dict[str, Any]]]
COSTS = {"load_seconds", "tokens_per_second", "seconds_per_answer"}


@pytest.mark.parametrize("scene", ["texts", "labels"])
def test_answers_and_label_scores_are_those_of_one_process(
    together: Together, scenes: dict[str, Any], tmp_path: Path, scene: str
) -> None:
    from tuneproof.inference.compare import compare
    from tuneproof.inference.config import CompareConfig
    from tuneproof.options import from_mapping

    assert together
    settings = scenes[scene]["settings"]
    out = tmp_path / "alone.json"
    config = from_mapping(CompareConfig, {**settings, "out": str(out)}, scene)
    compare(Path(scenes[scene]["prompts"]), config)
    one, two = (json.loads(Path(file).read_text()) for file in (out, settings["out"]))
    for comparison in (one, two):
        for variant in comparison["variants"]:
            for name in COSTS & variant.keys():
                variant.pop(name)
    assert two == one


@pytest.mark.parametrize("scene", ["texts", "labels"])
def test_each_answers_a_share_and_all_is_answered_once(together: Together, scene: str) -> None:
    first, second = (seen["answered"] for seen in together[scene])
    assert first
    assert second
    assert not set(first) & set(second)


def test_nothing_is_left_beside_the_comparison(together: Together, folder: Path) -> None:
    assert together
    assert not list(folder.glob(".*.partial*"))
