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

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.example import Example, Message, content_id
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources.conversations import (
    READ_KEYS,
    history_of,
    is_conversation,
    messages_of,
    transcript,
    up_to_last_answer,
)
from tuneproof.prepdata.sources.rows import ReadLog, Row, as_text

PASSAGE_LENGTH = 200
"""From so many characters on, an input is a passage, whose questions must stay together."""
DEFAULTS = {field.name: field.default for field in fields(BuildConfig)}
OPTIONAL = ("input_field", "group_field", "id_field")
USUAL: dict[str, tuple[str, ...]] = {
    "instruction_field": ("prompt", "question", "query", "user"),
    "input_field": ("context", "passage"),
    "output_field": (
        "completion", "response", "answer", "answers", "reference", "references", "target",
        "assistant", "chosen",
    ),
    "system": ("system", "system_prompt"),
    "history": ("history",),
    "references": ("references",),
    "conversation": ("messages", "conversations", "conversation"),
}  # fmt: skip
"""Names of a field, in any case, that are understood where the setting is not given and the field
of its own name is not there; the first that a row has counts."""
SAID = {"instruction_field": "instruction", "input_field": "input", "output_field": "output"}


class Mapper:
    """Maps rows to examples by the settings and the rows' own names, and logs what it made of them.

    A row's names are looked at once; rows of the same names are mapped alike.
    """

    def __init__(self, task: str, config: BuildConfig, log: ReadLog) -> None:
        """Take the task that the examples get, the settings, and where remarks go."""
        self._task, self._config, self._log = task, config, log
        self._known: dict[tuple[str, ...], dict[str, str]] = {}

    def record(self, row: Row) -> Example | str:
        """Return the example that a row holds, or why it holds none."""
        names = self._names(row)
        if self._config.label_field is not None:
            return self._labelled(row, names)
        if "conversation" in names:
            return self._conversation(row, names)
        self._require(row, names, "instruction_field", "output_field")
        asked = row.values[names["instruction_field"]]
        if is_conversation(asked):
            answer = row.values[names["output_field"]]
            turns = asked + (
                answer
                if is_conversation(answer)
                else [{"role": "assistant", "content": row.text(names["output_field"])}]
            )
            return self._example_of_turns(row, names, turns, names["instruction_field"])
        instruction = row.text(names["instruction_field"])
        context = row.text(names.get("input_field", ""))
        answers = _answers(row, names["output_field"])
        if "references" in names:
            answers += _answers(row, names["references"])
        answers = list(dict.fromkeys(filter(None, answers)))
        earlier = self._earlier(row, names)
        messages: list[Message] = []
        if earlier and answers:
            question = "\n\n".join(filter(None, (instruction, context)))
            messages = [*earlier, Message(role="user", content=question)]
            messages.append(Message(role="assistant", content=answers[0]))
            context = "\n\n".join(filter(None, (transcript(earlier), context)))
        return self._example(row, names, instruction, context, answers, messages)

    def _labelled(self, row: Row, names: Mapping[str, str]) -> Example | str:
        self._require(row, names, "text_field", "label_field")
        config = self._config
        text, label = row.text(names["text_field"]), row.text(names["label_field"])
        label = " ".join(label.split())
        if not text or not label:
            return "empty text" if label else "empty label"
        words = str(config.label_field).replace("_", " ").strip().lower()
        instruction = config.instruction or f"What is the {words} of this text?"
        return self._example(row, names, instruction, text, [label], [])

    def _conversation(self, row: Row, names: Mapping[str, str]) -> Example | str:
        name = names["conversation"]
        if not row.values[name]:
            return "empty conversation"
        return self._example_of_turns(row, names, row.values[name], name)

    def _example_of_turns(
        self, row: Row, names: Mapping[str, str], turns: Any, name: str
    ) -> Example | str:
        messages = messages_of(turns, row.where, name)
        if isinstance(messages, str):
            return messages
        unread = {f"{name}.{key}" for turn in turns for key in turn.keys() - READ_KEYS}
        for key in sorted(unread):
            self._log.remark(f"not used: {key}")
        cut = up_to_last_answer(messages)
        if len(cut) < 2:
            return "conversation without an answer"
        if len(cut) < len(messages):
            self._log.remark("conversations are read up to their last answer")
        asked = max((n for n, turn in enumerate(cut) if turn.role == "user"), default=None)
        if asked is None:
            return "conversation without a question"
        system = self._earlier(row, names)
        cut = [*system, *cut] if system and cut[0].role != "system" else cut
        asked = max(n for n, turn in enumerate(cut) if turn.role == "user")
        before = [turn for n, turn in enumerate(cut[:-1]) if n != asked]
        return self._example(
            row, names, cut[asked].content, transcript(before), [cut[-1].content],
            cut if before else [],
        )  # fmt: skip

    def _earlier(self, row: Row, names: Mapping[str, str]) -> list[Message]:
        """Return what comes before the question: a system's message, and a history."""
        system = row.text(names["system"]) if "system" in names else ""
        messages = [Message(role="system", content=system)] if system else []
        if "history" in names:
            name = names["history"]
            messages += history_of(row.values[name], row.where, name)
        return messages

    def _example(
        self,
        row: Row,
        names: Mapping[str, str],
        instruction: str,
        context: str,
        answers: Sequence[str],
        messages: Sequence[Message],
    ) -> Example:
        number = row.text(names["id_field"]) if "id_field" in names else ""
        is_passage = len(context) >= PASSAGE_LENGTH and not messages
        passage = context if is_passage else f"{instruction}\n{context}"
        output = answers[0] if answers else ""
        return Example(
            id=f"{self._task}-{number}"
            if number
            else content_id(self._task, instruction, context, output),
            task=self._task,
            instruction=instruction,
            input=context,
            output=output,
            group=(row.text(names["group_field"]) if "group_field" in names else "") or passage,
            references=tuple(answers) if len(answers) > 1 else (),
            messages=tuple(messages),
        )

    def _names(self, row: Row) -> Mapping[str, str]:
        """Return the row's field for each setting, and for parts that have no setting."""
        keys = tuple(row.values)
        if keys not in self._known:
            self._known[keys] = self._looked_at(row)
        return self._known[keys]

    def _looked_at(self, row: Row) -> dict[str, str]:
        """Choose the fields by the settings, else by usual names; remark what is not used."""
        by_name = {str(key).strip().casefold(): key for key in reversed(list(row.values))}
        config, names = self._config, {}
        is_labelled = config.label_field is not None
        settings = ("text_field", "label_field") if is_labelled else tuple(SAID)
        for setting in (*settings, "group_field", "id_field"):
            wanted = getattr(config, setting)
            if wanted in row.values:
                names[setting] = wanted
            elif wanted != DEFAULTS[setting]:
                self._require(row, {}, setting)
            elif (usual := self._usual(setting, by_name, wanted)) is not None:
                names[setting] = usual
                self._log.remark(f"{usual!r} is read as {SAID.get(setting, wanted)}")
        if not is_labelled:
            for part in ("system", "history", "references", "conversation"):
                found = self._usual(part, by_name, None)
                is_there = found is not None and found not in names.values()
                if is_there and not (part == "conversation" and "instruction_field" in names):
                    names[part] = str(found)
                if is_there and part in ("system", "history"):
                    self._log.remark(f"{found!r} is read as what comes before the question")
        used = set(names.values())
        if "conversation" in names:
            used -= {names.get("input_field"), names.get("output_field"), names.get("history")}
            self._log.remark(
                f"{names['conversation']!r} are conversations: the last question is the "
                "instruction, what comes before it the input, the last answer the output"
            )
        for key in row.values:
            if key not in used:
                self._log.remark(f"not used: {key}")
        return names

    def _usual(self, setting: str, by_name: Mapping[str, str], wanted: str | None) -> str | None:
        usual = (wanted, *USUAL.get(setting, ())) if wanted else USUAL[setting]
        return next((by_name[name] for name in usual if name in by_name), None)

    def _require(self, row: Row, names: Mapping[str, str], *settings: str) -> None:
        for setting in settings:
            if setting not in names:
                listed = ", ".join(map(str, row.values)) or "nothing"
                option = "--" + setting.replace("_", "-")
                name = getattr(self._config, setting)
                raise InputError(
                    f"{row.where}: no field {name!r}; it has {listed}. Name it with {option}"
                )


def _answers(row: Row, name: str) -> list[str]:
    """Return the right answers of a field: a text, a list of texts, or SQuAD's ``answers``."""
    value = row.values[name]
    if name.casefold() in ("answers", "references"):
        if isinstance(value, Mapping) and isinstance(value.get("text"), list):
            value = value["text"]
        if isinstance(value, list):
            parts = [part.get("text") if isinstance(part, Mapping) else part for part in value]
            return [as_text(part, row.where, name) for part in parts]
    return [row.text(name)]
