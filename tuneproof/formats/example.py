"""The example: one thing to ask, and its right answer where one is known.

Every stage passes it on: a line of train.jsonl, a prompt of `infer compare` and, with the answers
beside it, an item of model_comparison.json. Here is its one reader and its one validator.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from tuneproof.errors import InputError
from tuneproof.files import existing_file, holds_lines, read_json, read_jsonl
from tuneproof.numbers import is_value

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = get_args(Role)
WORDS = re.compile(r"\w+")
QUESTIONS = ("prompt", "instruction", "question", "query")
ANSWERS = ("reference", "output", "completion", "response", "answer", "target")
"""What people call the question and its right answer; the first that an object has counts."""
ANSWER_LISTS = ("references", "answers")
"""What they call several right answers."""
TEST_PROMPTS = Path(__file__).parents[1] / "prompts/test.json"
"""The prompts that come with the project; `prepdata build` keeps them out of train."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    """Who speaks: ``system``, ``user`` or ``assistant``."""
    content: str
    """What is said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One thing to ask, about what, and the right answer."""

    id: str
    """Unique within its source or file, and the same whatever the file's order."""
    task: str
    """The source's name."""
    instruction: str
    """What is asked."""
    input: str = ""
    """The context it is asked about; empty where there is none."""
    output: str = ""
    """The right answer, for classification the label's text; empty where none is known."""
    group: str
    """What must not be split across train, validation and test, and is resampled together: a page,
    a dialogue, a passage."""
    executed: str = ""
    """What the source's own program comes to: a number, yes or no; empty where it has none."""
    references: tuple[str, ...] = ()
    """All right answers where there are several, `output` the first of them; else empty."""
    messages: tuple[Message, ...] = ()
    """The conversation where there is more than one question and its answer; instruction, input and
    output are the short form of two messages. Else empty."""

    @property
    def reference(self) -> str | None:
        """The right answer, or None where none is known."""
        return self.output or None

    @property
    def text(self) -> str:
        """What a classifier reads: the input, or the instruction where there is no input."""
        return self.input or self.instruction

    def conversation(self) -> tuple[Message, ...]:
        """Return the general form: the messages, or the question and its answer as messages."""
        if self.messages:
            return self.messages
        asked = "\n\n".join(filter(None, (self.instruction, self.input)))
        turns = [Message(role="user", content=asked)]
        if self.output:
            turns.append(Message(role="assistant", content=self.output))
        return tuple(turns)

    def as_row(self) -> dict[str, Any]:
        """Return the JSON object of its line; the last three only where there is something."""
        row: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("id", "task", "instruction", "input", "output", "group")
        }
        if self.executed:
            row["executed"] = self.executed
        if self.references:
            row["references"] = list(self.references)
        if self.messages:
            row["messages"] = [{"role": m.role, "content": m.content} for m in self.messages]
        return row


def read_examples(path: Path) -> Iterator[Example]:
    """Yield the examples of a JSONL file that `prepdata build` or somebody else wrote.

    Only `instruction` and `output` are needed; the other fields have honest defaults.

    Raises:
        InputError: A line is not JSON, lacks a field, or holds something else than text.
    """
    for number, row in read_jsonl(path):
        yield example_from(row, f"{path}:{number}", default_id=f"{path.stem}-{number}")


def read_prompts(path: Path) -> list[Example]:
    """Read a file of prompts, whose answers need not be known.

    Args:
        path: ``.json``: a list of strings or of objects with `prompt` (or `instruction`) and
            perhaps `id`, `task`, `input`, `reference` (or `output`), `references`, `group`,
            `executed`. ``.jsonl``: one such object a line.

    Raises:
        InputError: Missing, empty or of another shape; the message names the item.
    """
    existing_file(path)
    examples = []
    for number, (where, row) in enumerate(_rows(path), 1):
        if isinstance(row, str):
            row = {"prompt": row}
        if not isinstance(row, dict):
            raise InputError(f"{where}: a string or an object is needed, found {row!r}")
        example = example_from(row, where, default_id=f"prompt-{number}", is_prompt=True)
        if not example.instruction.strip():
            raise InputError(f"{where}: the prompt is empty")
        examples.append(example)
    if not examples:
        raise InputError(f"{path}: no prompts in it")
    numbers: dict[str, int] = {}
    for number, example in enumerate(examples, 1):
        if numbers.setdefault(example.id, number) != number:
            first = numbers[example.id]
            raise InputError(f"{path}: items {first} and {number} have the same id {example.id!r}")
    return examples


def example_from(
    row: Mapping[str, Any], where: str, *, default_id: str, is_prompt: bool = False
) -> Example:
    """Return the example that a JSON object holds; the one validator.

    The question and the answer may have other names (`QUESTIONS`, `ANSWERS`, `ANSWER_LISTS`), and
    numbers and truth values are taken as text.

    Args:
        row: The object.
        where: What errors begin with: file and line, or file and item.
        default_id: Its id where the object names none.
        is_prompt: Whether it is only to be asked, so that it needs no answer.

    Raises:
        InputError: A field is missing, or holds something else than it should.
    """
    asked, answer = ("prompt", "reference") if is_prompt else ("instruction", "output")
    names = {"instruction": asked, "output": answer}
    for name, known in (("instruction", QUESTIONS), ("output", (*ANSWERS, *ANSWER_LISTS))):
        if not row.keys() & {*known} and not (is_prompt and name == "output"):
            listed = ", ".join(row) or "nothing"
            raise InputError(f"{where}: missing field {names[name]!r}; it has {listed}")
    answer_value = _first(row, ANSWERS)
    is_list = isinstance(answer_value, list)
    references = _references(answer_value if is_list else _listed_answers(row), where)
    if references and (is_list or answer_value is None):
        answer_value = references[0]
    values = {
        "instruction": _first(row, QUESTIONS),
        "output": answer_value,
        **{name: row.get(name) for name in ("id", "task", "input", "group", "executed")},
    }
    texts = {}
    for name, value in values.items():
        is_needed = name == "instruction" or (name == "output" and not is_prompt)
        text = None if value is None and is_needed else scalar_text(value)
        if text is None:
            field = names.get(name, name)
            raise InputError(f"{where}: field {field!r} must be text, found {value!r}")
        texts[name] = text
    if texts["executed"] and not is_value(texts["executed"]):
        raise InputError(
            f"{where}: 'executed' must be a number, yes or no, found {texts['executed']!r}"
        )
    identity = texts["id"] or default_id
    return Example(
        id=identity,
        task=texts["task"] or ("prompts" if is_prompt else "jsonl"),
        instruction=texts["instruction"],
        input=texts["input"],
        output=texts["output"],
        group=texts["group"] or identity,
        executed=texts["executed"],
        references=references if len(references) > 1 else (),
        messages=_messages(row.get("messages"), where),
    )


def scalar_text(value: Any) -> str | None:
    """Return a text, number or truth value as text, null and NaN as none; None for anything else.

    A whole floating-point number is written without its ``.0``: readers of tables make floats of
    whole numbers where one is missing.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    if value is None:
        return ""
    return None if isinstance(value, Mapping | list) else str(value)


def content_id(task: str, *texts: str) -> str:
    """Return an id made from the content, for sources whose rows have none."""
    return f"{task}-{digest(*texts)[:12]}"


def digest(*texts: str) -> str:
    """Return the SHA-256 of the texts, as 64 hex digits; the borders between them count."""
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def normalised(text: str) -> str:
    """Return the text as duplicates are compared: NFKC, case folded, words and their marks only."""
    if text.isascii():
        return " ".join(WORDS.findall(text.casefold()))
    folded = unicodedata.normalize("NFKC", text).casefold()
    mark, marked_words = _mark_patterns()
    return " ".join((marked_words if mark.search(folded) else WORDS).findall(folded))


@lru_cache(maxsize=1)
def _mark_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    r"""Return the patterns of a mark that stands on a letter, and of a word with its marks.

    Python's ``\w`` leaves out the vowels of Hindi, Thai or Arabic, which are marks.
    """
    others = {*range(0x20D0, 0x2100), *range(0xFE00, 0xFE10)}  # of signs and emoji
    marks = "".join(
        chr(point)
        for point in range(0x300, 0x10000)
        if unicodedata.category(chr(point)).startswith("M") and point not in others
    )
    return re.compile(f"[{marks}]"), re.compile(rf"\w[\w{marks}]*")


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the items of a JSON array, or the objects of a file of lines, each with its place."""
    if holds_lines(path):
        for number, row in read_jsonl(path):
            yield f"{path}:{number}", row
        return
    value = read_json(path)
    if not isinstance(value, list):
        raise InputError(
            f"{path}: a list of prompts is needed, found {type(value).__name__}; "
            'for example ["What is LoRA?", {"prompt": "...", "input": "...", "reference": "..."}]'
        )
    for number, row in enumerate(value, 1):
        yield f"{path} item {number}", row


def _first(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the value of the first name that the row has."""
    return next((row[name] for name in names if name in row), None)


def _listed_answers(row: Mapping[str, Any]) -> Any:
    """Return the field with several right answers; `answers` may as well be those of models."""
    answers = row.get("answers")
    is_squad = isinstance(answers, Mapping) and isinstance(answers.get("text"), list)
    return row.get("references", answers if is_squad or isinstance(answers, list) else None)


def _references(value: Any, where: str) -> tuple[str, ...]:
    """Return several right answers: a list of texts, or as SQuAD has them; each once."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        value = value["text"]
    if value is None:
        return ()
    parts = value if isinstance(value, list) else [None]
    texts = [scalar_text(part.get("text") if isinstance(part, Mapping) else part) for part in parts]
    if None in texts or not isinstance(value, list):
        raise InputError(f"{where}: field 'references' must be a list of texts, found {value!r}")
    return tuple(dict.fromkeys(filter(None, texts)))


def _messages(value: Any, where: str) -> tuple[Message, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InputError(f"{where}: field 'messages' must be a list, found {value!r}")
    messages = []
    for number, turn in enumerate(value, 1):
        is_turn = isinstance(turn, dict) and isinstance(turn.get("content"), str)
        if not is_turn or turn.get("role") not in ROLES:
            raise InputError(
                f"{where}: message {number} must have a role ({', '.join(ROLES)}) and a content, "
                f"found {turn!r}"
            )
        messages.append(Message(role=turn["role"], content=turn["content"]))
    return tuple(messages)
