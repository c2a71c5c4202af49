"""Name the labels in a question, for models that are to choose one without having seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tuneproof.formats.example import Example


def label_sentence(labels: Sequence[str]) -> str:
    """Return what tells a model the labels; empty where there are none."""
    return f"Answer with one of these labels: {'; '.join(labels)}" if labels else ""


def with_labels(example: Example, labels: Sequence[str]) -> Example:
    """Return an example whose question names the labels, unless it names them all itself."""
    if all(label in example.instruction for label in labels):
        return example
    return replace(example, instruction=f"{example.instruction}\n\n{label_sentence(labels)}")
