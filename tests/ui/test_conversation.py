"""What a run is asked: one at a time, as it is trained by now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuneproof.formats.run import Run, write_run
from tuneproof.ui.config import UiConfig
from tuneproof.ui.conversation import Conversation


def test_a_run_that_was_trained_again_is_loaded_again(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("x", weights_sha256={"adapter_model.safetensors": "1"})
    talk = SimpleNamespace(speaker=SimpleNamespace(name="x"), ask=lambda *_: None)
    loaded: list[Any] = []

    def talks_of(config: Any) -> list[Any]:
        loaded.append(config.run)
        return [talk]

    monkeypatch.setattr("tuneproof.inference.chat.talks_of", talks_of)
    conversation = Conversation(tmp_path, UiConfig(folder=tmp_path, device="cpu"))
    for _ in range(2):
        assert not any("error" in event for event in conversation.ask("x", "Mud?"))
    assert (loaded, len(conversation.turns)) == ([("x",)], 2)
    write_run(replace(run, weights_sha256={"adapter_model.safetensors": "2"}))
    list(conversation.ask("x", "Mud?"))
    assert (loaded, len(conversation.turns)) == ([("x",)] * 2, 1)
