"""Servers as variants: what they are asked, and how their answers are read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tuneproof.formats.example import Example, Message
from tuneproof.inference.config import Decoding
from tuneproof.inference.endpoint import Endpoint, Reply
from tuneproof.inference.generate import cleaned
from tuneproof.inference.panel import Panel, Rows
from tuneproof.inference.task import LabelTask
from tuneproof.labels import normalize_label
from tuneproof.prompts.labels import label_sentence, with_labels
from tuneproof.prompts.render import question_of

COSTS = ("prompt_tokens", "seconds")
"""What an answer has beside what the comparison file holds of it: the file has the means."""


def of_endpoint(endpoint: Endpoint, config: Decoding, task: LabelTask | None) -> Panel:
    """Return a server; it renders the conversation itself.

    Args:
        endpoint: The server.
        config: How tokens are chosen.
        task: Where there are labels, the question names them.
    """
    labels = task.labels if task else ()
    described = endpoint.described()
    if labels:
        described["label_sentence"] = label_sentence(labels)

    def answer(batch: Sequence[Example], seed: int) -> list[Rows]:
        began = time.perf_counter()
        replies = endpoint.attempts([messages_for(item, labels) for item in batch], config, seed)
        seconds = round((time.perf_counter() - began) / len(batch), 6)
        return [{endpoint.name: _row(reply, seconds, labels)} for reply in replies]

    return Panel(variants=[described], answer=answer)


def messages_for(item: Example, labels: Sequence[str] = ()) -> list[Message]:
    """Return what a server is asked: the conversation up to the question, labels named in it."""
    return question_of(with_labels(item, labels))


def _row(reply: Reply, seconds: float, labels: Sequence[str]) -> dict[str, Any]:
    """Return an answer, or why there is none, as the progress file holds it.

    Args:
        reply: What the server said.
        seconds: Its share of the time that its batch took.
        labels: The label set; the label is the one that the text equals, or empty.
    """
    if reply.error is not None:
        return {"text": None, "error": reply.error}
    text = cleaned(reply.text)
    known = {
        "tokens": reply.tokens,
        "finish_reason": reply.finish_reason,
        "thinking_tokens": reply.thinking_tokens,
        "prompt_tokens": reply.prompt_tokens,
    }
    row: dict[str, Any] = {"text": text, "seconds": seconds}
    row |= {name: value for name, value in known.items() if value is not None}
    if labels:
        said = normalize_label(text)
        row["label"] = next((one for one in labels if normalize_label(one) == said), "")
    return row
