"""Anybody's own data: rows whose fields the user names, or that have the names people use.

Rows with an answer (`--instruction-field`, `--input-field`, `--output-field`), conversations, or
texts with a label (`--text-field`, `--label-field`). One row of each:

    {"instruction": "Shorten this to one line.", "input": "Our shop ...", "output": "Shop moved."}

    {"messages": [{"role": "user", "content": "Do you ship to Oslo?"},
                  {"role": "assistant", "content": "Yes, in 3 days."}]}

    message,topic
    "Where is my parcel?",delivery
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from tuneproof.errors import InputError
from tuneproof.formats.example import Example, content_id
from tuneproof.formats.fields import CONTENT, Content, Fields, RowReader, fields_of
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources.rows import ReadLog, Row, as_text
from tuneproof.text import listing

PASSAGE_LENGTH = 200
"""From so many characters on, an input is a passage, whose questions must stay together."""
DEFAULTS = {field.name: field.default for field in fields(BuildConfig)}
SETTINGS = ("instruction", "input", "output", "group", "id")
"""Parts of a row whose field has a setting."""
TEXTS = ("text", "sentence", "tweet", "review", "headline")
LABELS = ("label", "labels", "category", "class", "topic", "sentiment", "intent")
"""What people call a text and its label, where a row has no question."""


def with_label_fields(row: Row, config: BuildConfig, log: ReadLog) -> BuildConfig:
    """Return the settings, with the fields of a text and its label where a row has those only."""
    keys = tuple(row.values)
    parts = fields_of(keys, parts=CONTENT).names
    is_asked = parts.keys() & {"instruction", "conversation"} or config.has_own_fields
    if config.label_field is not None or is_asked:
        return config
    by_name = {str(key).strip().casefold(): key for key in reversed(keys)}
    columns = [next((by_name[n] for n in usual if n in by_name), None) for usual in (TEXTS, LABELS)]
    if None in columns:
        return config
    text, label = columns
    log.remark(f"{text!r} is read as a text, {label!r} as its label")
    return replace(config, text_field=text, label_field=label)


class Mapper:
    """Maps rows to examples by the settings and the rows' own names, and logs what it made of them.

    A row's names are looked at once; rows of the same names are mapped alike.
    """

    def __init__(self, task: str, config: BuildConfig, log: ReadLog) -> None:
        """Take the task that the examples get, the settings, and where remarks go."""
        self._task, self._config, self._log = task, config, log
        self._known: dict[tuple[str, ...], Fields] = {}

    def record(self, row: Row) -> Example | str:
        """Return the example that a row holds, or why it holds none."""
        keys = tuple(row.values)
        if keys not in self._known:
            self._known[keys] = self._fields(row)
        chosen = self._known[keys]
        if self._config.label_field is not None:
            content = self._labelled(row)
        else:
            content = RowReader(
                values=row.values, fields=chosen, where=row.where, as_text=as_text,
                remark=self._log.remark,
            ).content()  # fmt: skip
        return content if isinstance(content, str) else self._example(row, chosen, content)

    def _labelled(self, row: Row) -> Content | str:
        config = self._config
        text, label = (row.text(str(name)) for name in (config.text_field, config.label_field))
        label = " ".join(label.split())
        if not text or not label:
            return "empty text" if label else "empty label"
        words = str(config.label_field).replace("_", " ").strip().lower()
        instruction = config.instruction or f"What is the {words} of this text?"
        return Content(instruction=instruction, input=text, answers=(label,))

    def _example(self, row: Row, chosen: Fields, content: Content) -> Example:
        asked, context, answers = content.instruction, content.input, content.answers
        number, group = (
            row.text(chosen.names[part]) if part in chosen.names else "" for part in ("id", "group")
        )
        is_passage = len(context) >= PASSAGE_LENGTH and not content.messages
        output = answers[0] if answers else ""
        return Example(
            id=f"{self._task}-{number}"
            if number
            else content_id(self._task, asked, context, output),
            task=self._task,
            instruction=asked,
            input=context,
            output=output,
            group=group or (context if is_passage else f"{asked}\n{context}"),
            references=answers if len(answers) > 1 else (),
            messages=content.messages,
        )

    def _fields(self, row: Row) -> Fields:
        """Choose the fields by the settings, else by usual names; remark what is not used."""
        config, keys = self._config, tuple(row.values)
        settings = {part: getattr(config, f"{part}_field") for part in SETTINGS}
        named = {part: name for part, name in settings.items() if name != DEFAULTS[f"{part}_field"]}
        for part, name in named.items():
            if name not in row.values:
                raise self._missing(row, f"{part}_field")
        if config.label_field is not None:
            chosen = self._label_fields(row, named)
        else:
            chosen = fields_of(keys, tuple(named.items()), (*CONTENT, "group", "id"))
            names = chosen.names
            if "conversation" not in names:
                if "instruction" not in names:
                    raise self._missing(row, "instruction_field")
                is_answered = names.keys() & {"output", "references"}
                if not is_answered and isinstance(row.values[names["instruction"]], str):
                    raise self._missing(row, "output_field")
        said = {*named.values(), config.text_field, config.label_field}
        for text in chosen.assumed(said):
            self._log.remark(text)
        for key in chosen.unused:
            self._log.remark(f"not used: {key}")
        return chosen

    def _label_fields(self, row: Row, named: Mapping[str, str]) -> Fields:
        for setting in ("text_field", "label_field"):
            if getattr(self._config, setting) not in row.values:
                raise self._missing(row, setting)
        keys = tuple(row.values)
        chosen = fields_of(keys, tuple(named.items()), ("group", "id"))
        read = (self._config.text_field, self._config.label_field)
        return Fields(chosen.names, tuple(key for key in chosen.unused if key not in read))

    def _missing(self, row: Row, setting: str) -> InputError:
        listed = listing(row.values)
        option, name = "--" + setting.replace("_", "-"), getattr(self._config, setting)
        return InputError(f"{row.where}: no field {name!r}; it has {listed}. Name it with {option}")
