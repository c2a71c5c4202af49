"""Whether what a run trains on is the answer and its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tuneproof.formats.example import example_from
from tuneproof.models.load import load_tokenizer
from tuneproof.prompts import template as templates
from tuneproof.tuning.checks.encoding import check_encoding

SAID = ["Hi!", "Hello there.", "Bye.", "Good bye."]


def test_a_conversation_that_is_trained_on_every_answer_has_no_fault() -> None:
    roles = ("user", "assistant") * 2
    turns = [{"role": role, "content": text} for role, text in zip(roles, SAID, strict=True)]
    record = example_from({"messages": turns}, "here", default_id="c1")
    assert record.output == "Good bye." and record.messages
    run: Any = SimpleNamespace(name="r", template=templates.load(), max_length=128)
    assert list(check_encoding(run, [record], load_tokenizer("tiny"))) == []
