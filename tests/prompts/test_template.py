from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import Message
from tuneproof.formats.template import EndlessTemplate
from tuneproof.prompts import template as templates
from tuneproof.prompts.render import asked_pieces


def test_default_template_renders_instruction_and_input() -> None:
    expected = "### Instruction:\nAdd.\n\n### Input:\n1 and 2\n\n### Response:\n"
    assert templates.load().render("Add.", "1 and 2") == expected


def test_default_template_without_input_has_no_input_heading() -> None:
    assert templates.load().render("Add.") == "### Instruction:\nAdd.\n\n### Response:\n"


def test_brief_template_puts_the_text_first() -> None:
    assert templates.load("brief").render("Topic?", "Oil up") == "Oil up\n\nTopic?\n"
    assert templates.load("brief").render("Topic?") == "Topic?\n"


def test_text_is_not_escaped_or_read_as_template() -> None:
    assert "<b> & {{ x }} {% if %}" in templates.load().render("<b> & {{ x }} {% if %}")


def test_template_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "own.j2"
    path.write_text("Q: {{ instruction }} {{ input }}\nA:")
    assert templates.load(str(path)).render("Why?", "x") == "Q: Why? x\nA:"


def test_unknown_template_gives_the_names() -> None:
    with pytest.raises(InputError, match=r"unknown template 'instuct'. Did you mean 'instruct'\?"):
        templates.load("instuct")


def test_missing_template_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*own\.j2"):
        templates.load(str(tmp_path / "own.j2"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ input }}", "does not use {{ instruction }}"),
        ("{{ instruction }}", "does not use {{ input }}"),
        ("{% if input %}{{ instruction }} {{ input }}{% endif %}", "leaves the instruction out"),
        ("{{ instruction }} {{ input }} {{ answer }}", "'answer' is undefined"),
        ("{{ instruction ", "line 1"),
        ("{{ instruction }} {{ input }} {{ ''.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_template_that_cannot_work_is_an_input_error(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "own.j2"
    path.write_text(text)
    with pytest.raises(InputError, match=fault):
        templates.load(str(path))


@pytest.mark.parametrize(
    "text",
    [
        "{{ instruction }}{{ input }}{{ 1 / 0 }}",
        "{{ instruction }}{{ input }}{{ 'a'.b.c }}",
        "{{ instruction }}{{ input }}{% for a in range %}{% endfor %}",
        "{{ input }}{{ instruction.x() }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ instruction }}{{ input }}{{ m() }}",
    ],
)
def test_whatever_a_template_raises_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.j2"
    path.write_text(text)
    with pytest.raises(InputError, match=r"own\.j2"):
        templates.load(str(path))


LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize("begins", ["{{ instruction }}{{ input }}", "{{ messages[0].content }}"])
def test_template_without_an_end_is_named(
    tmp_path: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch, begins: str
) -> None:
    for module in ("tuneproof.formats.template", "tuneproof.prompts.render"):
        monkeypatch.setattr(f"{module}.SECONDS", 0.2)
    path = tmp_path / "own.jinja"
    path.write_text(begins + LOOP)
    with pytest.raises(EndlessTemplate, match="does not come to an end"):
        asked_pieces(templates.load(str(path)), tokenizer, [Message(role="user", content="?")])
