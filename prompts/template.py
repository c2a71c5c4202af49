"""Prompt templates by name: those of the package, of a user, and the model's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.files import read_text
from tuneproof.formats.template import Template
from tuneproof.plugins import plugins

FOLDER = Path(__file__).parent / "templates"
DEFAULT = "instruct"
AUTO, OWN = "auto", "chat"
"""The model's own chat template, or the default where it has none; or in any case its own."""
TODAY = date(2024, 7, 26)
"""What templates are told that the day is, so that a prompt is the same every day."""
FIXED: Mapping[str, Any] = {"date_string": TODAY.strftime("%d %b %Y")}
"""Variables that templates would take from the clock."""
CLOCK = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")
"""Where a template reads the clock itself."""


def load(
    name: str = DEFAULT, chat: str | None = None, variables: Mapping[str, Any] | None = None
) -> Template:
    """Load a template by name, or from a path that ends in ``.j2`` or ``.jinja``.

    Args:
        name: ``auto``, ``chat``, a template of the package, or a path.
        chat: The model's own chat template; None where it has none.
        variables: What a chat template is given beside the messages.

    Raises:
        InputError: There is no such template, it leaves out `instruction` or `input`, or it is no
            chat template and is given variables.
    """
    if name == OWN and chat is None:
        raise InputError(
            "the model has no chat template of its own; give --template instruct, or a file"
        )
    if name in (AUTO, OWN) and chat is not None:
        return own(chat, variables)
    if name == AUTO:
        name = DEFAULT
    text, where = _text_of(name)
    template = Template(name=name, text=text, variables=dict(variables or {}))
    if not template.is_chat:
        _check_fields(template, where)
    return template


def _text_of(name: str) -> tuple[str, str]:
    """Return the text of a template by name or path, and where it is from."""
    if name.endswith((".j2", ".jinja")):
        path = Path(name)
    elif name in names():
        path = FOLDER / f"{name}.j2"
    else:
        others = plugins("templates", str, (AUTO, OWN, *names()))
        if name not in others:
            raise unknown("template", name, (AUTO, OWN, *names(), *others))
        return others[name], f"template {name}"
    return read_text(path), str(path)


def own(chat: str, variables: Mapping[str, Any] | None = None) -> Template:
    """Return a model's own chat template, with what it would take from the clock held fixed."""
    fixed = {name: value for name, value in FIXED.items() if name in chat}
    text = CLOCK.sub(lambda call: f"{call[1]}{TODAY.strftime(call[2])}{call[1]}", chat)
    return Template(name=OWN, text=text, variables={**fixed, **(variables or {})})


def names() -> list[str]:
    """Return the names of the templates that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.j2"))


def _check_fields(template: Template, path: str) -> None:
    """Raise InputError where a form of two fields leaves one out."""
    if template.variables:
        listed = ", ".join(template.variables)
        raise InputError(f"{path} is no chat template and has no variables; leave out {listed}")
    probes = {"instruction": "\N{REPLACEMENT CHARACTER}ask", "input": "\N{REPLACEMENT CHARACTER}on"}
    rendered = template.render(**probes)
    for field, probe in probes.items():
        if probe not in rendered:
            raise InputError(f"{path}: the template does not use {{{{ {field} }}}}")
    if probes["instruction"] not in template.render(probes["instruction"]):
        raise InputError(f"{path}: without an input the template leaves the instruction out")
