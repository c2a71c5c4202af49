"""What a row of anybody's file holds: its parts under their usual names, in every form of file.

One row of each form:

    {"instruction": "Shorten this.", "input": "Our shop ...", "output": "Shop moved."}
    {"instruction": "And to Rome?", "output": "4 days.", "system": "Be brief.",
     "history": [["Do you ship to Oslo?", "Yes, in 3 days."]]}
    {"prompt": "Do you ship to Oslo?", "completion": "Yes, in 3 days."}
    {"messages": [{"role": "user", "content": "Do you ship to Oslo?"},
                  {"role": "assistant", "content": "Yes, in 3 days."}]}
    {"conversations": [{"from": "human", "value": "Do you ship to Oslo?"},
                       {"from": "gpt", "value": "Yes, in 3 days."}]}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.conversation import (
    AsText,
    Message,
    history_of,
    last_question,
    messages_of,
    transcript,
    turns_of,
    unread_keys,
    up_to_last_answer,
)

USUAL: dict[str, tuple[str, ...]] = {
    "instruction": ("instruction", "prompt", "question", "query", "user"),
    "input": ("input", "context", "passage"),
    "output": (
        "output", "reference", "completion", "response", "answer", "target", "assistant", "chosen",
    ),
    "references": ("references", "answers"),
    "system": ("system", "system_prompt"),
    "history": ("history",),
    "conversation": ("messages", "conversations", "conversation"),
    "group": ("group",),
    "id": ("id",),
    "task": ("task",),
    "executed": ("executed",),
}  # fmt: skip
"""What people call each part, in any case; the first that a row has counts."""
CONTENT = ("instruction", "input", "output", "references", "system", "history", "conversation")
"""The parts that make what is asked and answered."""
ASKING = ("user", "human", "system")
"""Who begins a conversation that is whole; an answer's own turns begin with the assistant."""


@dataclass(frozen=True)
class Fields:
    """Which of a row's fields holds which part."""

    names: Mapping[str, str]
    """The field by part."""
    unused: tuple[str, ...]
    """Fields that hold none."""

    def assumed(self, own: Set[str | None] = frozenset()) -> list[str]:
        """Return what is to be said of fields that are read under another name than their part's.

        Args:
            own: Names of fields that go without saying.
        """
        said = [
            f"{name!r} is read as {part}"
            for part, name in self.names.items()
            if name not in (part, *own)
            and part in ("instruction", "input", "output", "group", "id")
        ]
        said += [
            f"{self.names[part]!r} is read as what comes before the question"
            for part in ("system", "history")
            if part in self.names
        ]
        if "conversation" in self.names and "instruction" not in self.names:
            said.append(
                f"{self.names['conversation']!r} are conversations: the last question is the "
                "instruction, what comes before it the input, the last answer the output"
            )
        return said


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is asked and answered in a row."""

    instruction: str
    input: str
    answers: tuple[str, ...]
    """The right answers, without empty ones; none where none is known."""
    messages: tuple[Message, ...] = ()
    """The conversation where there is more than a question and its answer; else empty."""


@lru_cache(maxsize=256)
def fields_of(
    keys: tuple[str, ...],
    named: tuple[tuple[str, str], ...] = (),
    parts: tuple[str, ...] = tuple(USUAL),
) -> Fields:
    """Return which of a row's fields holds which part.

    Args:
        keys: The names of the fields.
        named: Fields that the user has named, by part; they are among the keys.
        parts: What is looked for.
    """
    by_name = {str(key).strip().casefold(): key for key in reversed(keys)}
    names = dict(named)
    for part in parts:
        free = (by_name[name] for name in USUAL[part] if name in by_name)
        field = next((key for key in free if key not in names.values()), None)
        if field is not None:
            names.setdefault(part, field)
    if "conversation" in names and "instruction" not in names:
        for part in ("input", "history"):
            names.pop(part, None)
    used = set(names.values())
    return Fields(names, tuple(key for key in keys if key not in used))


@dataclass(frozen=True, kw_only=True)
class RowReader:
    """Reads what a row asks and answers."""

    values: Mapping[str, Any]
    """The row."""
    fields: Fields
    """Which of its fields holds what."""
    where: str
    """What errors begin with: file and line."""
    as_text: AsText
    """Makes text of a value."""
    remark: Callable[[str], None]
    """Called with what was left out."""
    is_prompt: bool = False
    """Whether it is only to be asked, so that a conversation may end with a question."""

    def content(self) -> Content | str:
        """Return what the row asks and answers, or why it cannot be used.

        Raises:
            InputError: A field holds something else than it should.
        """
        names = self.fields.names
        if "conversation" in names:
            return self._conversation(self.values[names["conversation"]], names["conversation"])
        if (turns := self._turns()) is not None:
            return self._conversation(turns, names["instruction"], is_own=False)
        instruction, context, answers = (
            self._text("instruction"),
            self._text("input"),
            self._answers(),
        )
        earlier = self._earlier()
        messages: list[Message] = []
        if earlier and instruction:
            question = "\n\n".join(filter(None, (instruction, context)))
            messages = [*earlier, Message(role="user", content=question)]
            messages += [Message(role="assistant", content=answer) for answer in answers[:1]]
            context = "\n\n".join(filter(None, (transcript(earlier), context)))
        return Content(
            instruction=instruction, input=context, answers=answers, messages=tuple(messages)
        )

    def _conversation(self, value: Any, name: str, *, is_own: bool = True) -> Content | str:
        """Return what a conversation asks and answers.

        Args:
            value: Its turns.
            name: Their field.
            is_own: Whether the fields for question and answer stand beside it.
        """
        if not value:
            return "empty conversation"
        messages = messages_of(value, self.where, name, self.as_text)
        if isinstance(messages, str):
            return messages
        for key in unread_keys(value, name):
            self.remark(f"not used: {key}")
        answers = self._answers() if is_own else ()
        if answers and messages[-1].role == "user":
            messages.append(Message(role="assistant", content=answers[0]))
        is_open = self.is_prompt and messages[-1].role == "user"
        cut = messages if is_open else up_to_last_answer(messages)
        if not is_open and len(cut) < 2:
            return "conversation without an answer"
        if len(cut) < len(messages):
            self.remark("conversations are read up to their last answer")
        if last_question(cut) is None:
            return "conversation without a question"
        if cut[0].role != "system":
            has_question = "instruction" in self.fields.names
            cut = [*(self._system() if is_own and has_question else self._earlier()), *cut]
        return self._shortened(cut, answers, is_own=is_own)

    def _shortened(
        self, messages: list[Message], answers: tuple[str, ...], *, is_own: bool
    ) -> Content:
        """Return a conversation with its short form: the row's own, where it says the same.

        Else the last question, what comes before it, and the last answer.
        """
        asked = last_question(messages)
        assert asked is not None
        said = () if messages[-1].role == "user" else (messages[-1].content,)
        before = [*messages[:asked], *messages[asked + 1 : len(messages) - len(said)]]
        kept = tuple(messages) if before else ()
        is_same_answer = answers[:1] == said or not answers
        own = self._question() if is_own else ""
        earlier, question = transcript(before), " ".join(messages[asked].content.split())
        if own and is_same_answer and " ".join(own.split()) in question:
            context = self._text("input").removeprefix(earlier).strip()
            both = ((own, context), (context, own))
            if question in {" ".join(f"{one} {other}".split()) for one, other in both}:
                return Content(
                    instruction=own,
                    input="\n\n".join(filter(None, (earlier, context))),
                    answers=answers or said,
                    messages=kept,
                )
        for part in CONTENT[: 2 if is_same_answer else 4]:
            name = self.fields.names.get(part)
            if is_own and name is not None and self.values[name]:
                self.remark(f"not used: {name} (the conversation counts)")
        return Content(
            instruction=messages[asked].content,
            input=earlier,
            answers=answers if answers and is_same_answer else said,
            messages=kept,
        )

    def _turns(self) -> list[Any] | None:
        """Return the turns where question or answer are such: of TRL's and of preference data."""
        asked = turns_of(self.values[self.fields.names["instruction"]])
        name = self.fields.names.get("output")
        answer = turns_of(self.values[name]) if name else None
        if answer and str(answer[0].get("role", answer[0].get("from"))) in ASKING:
            return answer
        if asked is None:
            return None
        if answer is not None:
            return [*asked, *answer]
        text = self._text("output")
        return [*asked, {"role": "assistant", "content": text}] if text else asked

    def _text(self, part: str) -> str:
        name = self.fields.names.get(part)
        return "" if name is None else self.as_text(self.values[name], self.where, name)

    def _question(self) -> str:
        name = self.fields.names.get("instruction")
        return "" if name is None or turns_of(self.values[name]) else self._text("instruction")

    def _system(self) -> list[Message]:
        system = self._text("system")
        return [Message(role="system", content=system)] if system else []

    def _earlier(self) -> list[Message]:
        """Return what comes before the question: a system's message, and a history."""
        messages = self._system()
        if (name := self.fields.names.get("history")) is not None:
            messages += history_of(self.values[name], self.where, name, self.as_text)
        return messages

    def _answers(self) -> tuple[str, ...]:
        """Return the right answers, each once; the one in a field of its own comes first."""
        texts: list[str] = []
        name = self.fields.names.get("output")
        if name is not None and turns_of(self.values[name]) is None:
            value = self.values[name]
            is_several = isinstance(value, list) and name.casefold() in ("reference", "answer")
            texts += [self.as_text(v, self.where, name) for v in (value if is_several else [value])]
        if (name := self.fields.names.get("references")) is not None:
            parts = _listed(self.values[name], self.where, name)
            texts += [self.as_text(part, self.where, name) for part in parts]
        return tuple(dict.fromkeys(filter(None, texts)))


def _listed(value: Any, where: str, name: str) -> Sequence[Any]:
    """Return several right answers: a list, or as SQuAD has them.

    A field ``answers`` with something else, as the answers of models in a comparison, has none.
    """
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        value = value["text"]
    is_answers = name.casefold() == "answers"
    if value is None or (is_answers and isinstance(value, Mapping)):
        return ()
    if isinstance(value, list):
        return [part.get("text") if isinstance(part, Mapping) else part for part in value]
    if is_answers:
        return [value]
    raise InputError(f"{where}: field {name!r} must be a list of texts, found {str(value)[:60]!r}")
