"""What the page says of every architecture is what its trial gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from docs import architectures
from docs.architectures import KINDS, PAGE, STEPS, Trial, table, trial

FEW = ("gpt2", "gpt_neox", "llama", "mistral", "gemma3", "bloom", "mixtral")
"""Those that are tried where ``TUNEPROOF_ARCHITECTURES=all`` does not ask for every one."""
TRIED = KINDS if os.environ.get("TUNEPROOF_ARCHITECTURES") == "all" else FEW


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRIED)
def test_every_architecture_does_what_the_page_says(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneproof.tuning.train.plot_loss", lambda *_: None)  # takes a second
    result = trial(kind, tmp_path)
    lines = table([result]).splitlines()
    page = PAGE.read_text(encoding="utf-8").splitlines()
    assert lines[2] in page, f"{result}; run `python -m docs.architectures`"
    assert not any("Error: " in said for said in result.steps.values()), result


def test_a_wrong_step_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path, result: Trial) -> None:
        raise ValueError("off by 0.5")

    monkeypatch.setattr(architectures, "_DOES", dict.fromkeys(STEPS, fail))
    result = trial("llama", tmp_path)
    assert result.steps == dict.fromkeys(("train", "classify"), "ValueError: off by 0.5")
    assert table([result]).splitlines()[2].startswith("| `llama` | no | - | - | - | - | no |")
