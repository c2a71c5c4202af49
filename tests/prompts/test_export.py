"""The chat template that a tuned model is saved with, for other programs."""

from __future__ import annotations

from typing import Any

import jinja2

from tuneproof.prompts.export import chat_template
from tuneproof.prompts.template import Template


def test_variables_are_set_as_they_are() -> None:
    held: dict[str, Any] = {
        "mood": "\U0001f600 {{ 'x' }} \"quoted\" \\ and\na line",
        "tools": [{"\U0001f527": None, "on": True}],
    }
    text = "{{ messages[0] }}|{{ mood }}|{{ tools[0] | items | list }}"
    exported = chat_template(Template(name="chat", text=text, variables=held), tokenizer=None)
    read = jinja2.Environment(trim_blocks=True).from_string(exported)  # as transformers reads it
    assert read.render(messages=["Hi."]) == f"Hi.|{held['mood']}|{list(held['tools'][0].items())}"
