"""Variants over the tuned runs, and prompts of very different lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUESTIONS = [
    "What does river 3 carry?",
    "Ice?",
    "What does river 5 carry? Say it. Say it.",
    "Say the slow and wide river in the winter, stones, tons of ice and the sea, ice on it.",
    "to",
    "What is there in the winter? " * 3,
    "What does river 100 carry to the sea?",
]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def question(text: str, context: str = "", name: str = "q") -> Any:
    """Return an example to ask."""
    from tuneproof.formats.example import Example

    return Example(id=name, task="prompts", instruction=text, input=context, group=name)


def prompts_of(variants: Any, texts: list[str], new: int) -> list[dict[str, list[int]]]:
    """Return questions as every variant is asked them."""
    return [
        {name: variants.ask(name, question(text), new).prompt_ids for name in variants.names}
        for text in texts
    ]


@pytest.fixture(scope="session")
def variants(runs: Path, kind: str) -> Any:
    """Base and both runs of a shape of model, loaded together."""
    from tuneproof.formats.run_names import finished_run
    from tuneproof.inference.variants import load_variants

    return load_variants(
        [finished_run(runs, name) for name in [f"{kind}-mud", f"{kind}-ice"]], dtype="float32"
    )[0]


@pytest.fixture
def prompts(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of prompts."""

    def write(items: list[Any] = QUESTIONS, name: str = "prompts.json") -> Path:  # type: ignore[assignment]
        path: Path = tmp_path / name
        path.write_text(json.dumps(items))
        return path

    return write
