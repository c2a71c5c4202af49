"""Spoilt templates: they render, or one error says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.spoilt import FEW, Reader, as_is, try_many, try_one
from tuneproof.formats.example import Message
from tuneproof.prompts.render import asked_pieces
from tuneproof.prompts.template import load

TEMPLATE = """{% for m in messages %}<|{{ m.role }}|>
{{ m['content'] | trim }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}
{% endfor %}{% if add_generation_prompt and messages|length %}<|assistant|>
{% endif %}{% set x = namespace(n=0) %}{% for i in range(3) %}{% set x.n = x.n + i %}{% endfor %}"""
FORM = """### Instruction:
{{ instruction | trim }}

{% if input %}### Input:
{{ input }}

{% endif %}{% for i in range(2) %}{{ '-' * 3 }}{% endfor %}### Response:
"""


@pytest.fixture(params=[TEMPLATE, FORM], ids=["chat template", "form"])
def reader(request: Any, tokenizer: Any) -> Reader:
    def read(path: Path) -> None:
        asked_pieces(load(str(path)), tokenizer, [Message(role="user", content="Where? {{ x }}")])

    return Reader(request.param, "own.jinja", as_is, read)


def test_spoilt_template_renders_or_is_refused(reader: Reader, tmp_path: Path) -> None:
    for seed in range(FEW):
        try_one("template", reader, seed, tmp_path)


@pytest.mark.slow
def test_many_spoilt_templates_render_or_are_refused(
    reader: Reader, tmp_path: Path, request: Any
) -> None:
    try_many(request.node.callspec.id, reader, tmp_path)
