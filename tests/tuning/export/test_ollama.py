from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tuneproof.prompts import template as templates
from tuneproof.prompts.export import chat_template
from tuneproof.tuning.export.ollama import CASES, RAW, Turns, go_template, modelfile, pieces_of

TWO_FIELDS = templates.load("instruct")


def go(template: str, turns: Turns) -> str:
    """Execute the part of Go's template language that is written: what Ollama would render."""
    parts = re.findall(r"\{\{ (.*?) \}\}(?=\{\{|$)", template, re.S)
    index = 0

    def run(scope: dict[str, Any], active: bool) -> str:
        nonlocal index
        text, states = "", []
        while index < len(parts):
            part = parts[index]
            index += 1
            on = active and all(states_[0] for states_ in states)
            if part == "end":
                if not states:
                    return text
                states.pop()
            elif part.startswith("range"):
                start = index
                for number, turn in enumerate(turns):
                    index = start
                    text += run({"i": number, "m": turn}, on)
            elif part.startswith("if "):
                holds = test(part.removeprefix("if "), scope)
                states.append([holds, holds])
            elif part.startswith("else if "):
                done = states[-1][1]
                holds = not done and test(part.removeprefix("else if "), scope)
                states[-1] = [holds, done or holds]
            elif on:
                text += value(part, scope)
        return text

    def test(condition: str, scope: dict[str, Any]) -> bool:
        if condition.startswith("not "):
            return not test(condition.removeprefix("not "), scope)
        if condition.startswith("and (eq $i 1)"):
            return scope["i"] == 1 and turns[0][0] == "system"
        if ".Messages 0" in condition:
            return turns[0][0] == "system"
        role = re.fullmatch(r'eq \$m\.Role "(\w+)"', condition)
        assert role, condition
        return bool(scope["m"][0] == role[1])

    def value(part: str, scope: dict[str, Any]) -> str:
        if part == "$m.Content":
            return str(scope["m"][1])
        if part == "(index $.Messages 0).Content":
            return turns[0][1]
        return str(json.loads(part))

    return run({}, True)


@pytest.mark.parametrize("name", ["chatml", "two fields", "no system"])
def test_modelfile_renders_what_the_chat_template_renders(name: str, chat_tokenizer: Any) -> None:
    chat_tokenizer.chat_template = {
        "chatml": chat_tokenizer.chat_template,
        "two fields": chat_template(TWO_FIELDS, chat_tokenizer),
        "no system": "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}",
    }[name]
    pieces = pieces_of(chat_tokenizer)
    assert pieces is not None
    for turns in CASES:
        messages = [{"role": role, "content": content} for role, content in turns]
        expected = chat_tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        assert go(go_template(pieces), turns) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ messages[-1]['content'] }}",
        "{% if messages|length > 2 %}{{ raise_exception('no') }}{% endif %}"
        "{% for m in messages %}{{ m['content'] }}{% endfor %}",
        "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}",
    ],
)
def test_other_rules_are_said_and_passed_on_as_they_are(text: str, chat_tokenizer: Any) -> None:
    chat_tokenizer.chat_template = text
    assert pieces_of(chat_tokenizer) is None
    written = modelfile("a.gguf", chat_tokenizer, [0], 128)
    assert f'TEMPLATE """{RAW}"""' in written
    assert "# The chat template has rules" in written


def test_modelfile_has_stops_and_context(chat_tokenizer: Any) -> None:
    ends = [chat_tokenizer.convert_tokens_to_ids("<|im_end|>"), 0]
    lines = modelfile("a.Q8_0.gguf", chat_tokenizer, ends, 128).splitlines()
    assert lines[0] == "FROM ./a.Q8_0.gguf"
    assert [line for line in lines if "stop" in line] == [
        'PARAMETER stop "<|im_end|>"',
        'PARAMETER stop "<|endoftext|>"',
    ]
    assert "PARAMETER num_ctx 128" in lines
