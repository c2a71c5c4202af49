"""Anybody's own data: rows whose fields the user names.

Rows with an answer (`--instruction-field`, `--input-field`, `--output-field`), or texts with a
label (`--text-field`, `--label-field`). One row of each, as JSONL and as CSV:

    {"instruction": "Shorten this to one line.", "input": "Our shop ...", "output": "Shop moved."}

    message,topic
    "Where is my parcel?",delivery
"""

from __future__ import annotations

from dataclasses import fields

from tuneproof.errors import InputError
from tuneproof.formats.example import Example, content_id
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources.opening import Row

PASSAGE_LENGTH = 200
"""From so many characters on, an input is a passage, whose questions must stay together."""
DEFAULTS = {field.name: field.default for field in fields(BuildConfig)}


def record(row: Row, task: str, config: BuildConfig) -> Example | str:
    """Map one row by the field names of the settings."""
    if config.label_field is None:
        _require(row, config, "instruction_field", "output_field")
        _require(row, config, *(name for name in OPTIONAL if _is_named(config, name)))
        instruction = row.text(config.instruction_field)
        context = row.text(config.input_field)
        output = row.text(config.output_field)
    else:
        _require(row, config, "text_field", "label_field")
        _require(row, config, *(name for name in OPTIONAL[1:] if _is_named(config, name)))
        instruction = (
            config.instruction or f"What is the {_words(config.label_field)} of this text?"
        )
        context = row.text(str(config.text_field))
        output = " ".join(row.text(config.label_field).split())
        if not context or not output:
            return "empty text" if output else "empty label"
    number = row.text(config.id_field)
    passage = context if len(context) >= PASSAGE_LENGTH else f"{instruction}\n{context}"
    return Example(
        id=f"{task}-{number}" if number else content_id(task, instruction, context, output),
        task=task,
        instruction=instruction,
        input=context,
        output=output,
        group=row.text(config.group_field) or passage,
    )


OPTIONAL = ("input_field", "group_field", "id_field")


def _is_named(config: BuildConfig, name: str) -> bool:
    """Return whether the user named the field, so that a row without it is a mistake."""
    return bool(getattr(config, name) != DEFAULTS[name])


def _words(name: str) -> str:
    return name.replace("_", " ").strip().lower()


def _require(row: Row, config: BuildConfig, *settings: str) -> None:
    for setting in settings:
        name = getattr(config, setting)
        if name not in row.values:
            found = ", ".join(map(str, row.values)) or "nothing"
            option = "--" + setting.replace("_", "-")
            raise InputError(
                f"{row.where}: no field {name!r}; it has {found}. Name it with {option}"
            )
