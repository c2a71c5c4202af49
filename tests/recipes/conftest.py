"""A recipe over the embedded sample and a minute model: all four stages in a few seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

RECIPE = """\
summary: for tests
prepdata:
  source: [sample]
  limit: 40
tune:
  model: {model}
  max_length: 128
  max_steps: 3
  lora_r: 2
compare:
  prompts: [test]
  limit: 3
  max_new_tokens: 4
  few_shot: 0
  no_baselines: true
score:
  resamples: 100
"""


@pytest.fixture
def recipe_file(base_models: dict[str, Path], tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE.format(model=base_models["gpt2"]))
    return path
