"""The example: one thing to ask, and its right answer where one is known.

Every stage passes it on: a line of train.jsonl, a prompt of `infer compare` and, with the answers
beside it, an item of model_comparison.json. Here is its one reader and its one validator.
"""

from __future__ import annotations

import codecs
import hashlib
import logging
import math
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, overload

from tuneproof.errors import InputError
from tuneproof.files import existing_file, holds_lines, parse_json, read_json, read_jsonl
from tuneproof.formats.codec import shown
from tuneproof.formats.conversation import Message as Message
from tuneproof.formats.conversation import Role as Role
from tuneproof.formats.conversation import last_question, transcript, turns_of
from tuneproof.formats.fields import Fields, RowReader, fields_of
from tuneproof.numbers import is_value
from tuneproof.text import listing

_LOGGER = logging.getLogger(__name__)

WORDS = re.compile(r"\w+")
ASCII_WORDS = "".join(chr(c).lower() if WORDS.match(chr(c)) else " " for c in range(128))
"""What of a text of ASCII stands for each character: many times as fast as a pattern."""
PROMPT_NAMES = frozenset({"prompt", "reference"})
"""What a file of prompts calls question and answer, which goes without saying."""
IN_MEMORY = 64 * 2**20
"""Bytes of a file up to which all of its examples are held in memory."""
TEST_PROMPTS = Path(__file__).parents[1] / "prompts/test.json"
"""The prompts that come with the project; `prepdata build` keeps them out of train."""


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
        """What a classifier reads: the input, or the instruction where there is no input.

        Of a conversation all that was said up to its last question.
        """
        asked = last_question(self.messages)
        if asked is not None:
            return transcript(self.messages[: asked + 1])
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
        names = ("id", "task", "instruction", "input", "output", "group")
        return {name: getattr(self, name) for name in names} | self.what_there_is()

    def what_there_is(self) -> dict[str, Any]:
        """Return those keys of the JSON object that not every example has."""
        row: dict[str, Any] = {"executed": self.executed} if self.executed else {}
        if self.references:
            row["references"] = list(self.references)
        if self.messages:
            row["messages"] = [message.as_row() for message in self.messages]
        return row


def read_examples(path: Path, remark: Callable[[str], None] | None = None) -> Iterator[Example]:
    """Yield the examples of a file that `prepdata build` or somebody else wrote.

    Any of the forms of `tuneproof.formats.fields` is read, one object a line or as a JSON array.
    What is read under another name, and what is not used, is logged once.

    Args:
        path: The file.
        remark: Called with these instead of logging them.

    Raises:
        InputError: A row is no object, lacks a field, or holds something else than text.
    """
    remark = remark or _once(path)
    for number, where, row in _rows(path):
        if not isinstance(row, dict):
            raise InputError(f"{where}: an object is needed, found {shown(row)}")
        yield example_from(row, where, default_id=f"{path.stem}-{number}", remark=remark)


def open_examples(path: Path, limit: int | None = None) -> Sequence[Example]:
    """Return the examples of a file; of a large one with a line for each, as they are asked for.

    Args:
        path: As for `read_examples`.
        limit: Keep the first so many only.

    Raises:
        InputError: As for `read_examples`; of a large file when the row is read.
    """
    if existing_file(path).stat().st_size > IN_MEMORY and holds_lines(path):
        return ExampleLines(path, limit)
    return list(islice(read_examples(path), limit))


class ExampleLines(Sequence[Example]):
    """The examples of a file with a line for each, of which memory holds where they begin."""

    def __init__(self, path: Path, limit: int | None = None) -> None:
        """Look where the lines begin.

        Args:
            path: The file.
            limit: Keep the first so many only.

        Raises:
            InputError: Lines end otherwise than in a line feed.
        """
        self._path, self._limit, self._remark = path, limit, _once(path)
        self._starts, self._numbers = array("Q"), array("Q")
        start = 0
        with path.open("rb") as handle:
            for number, line in enumerate(handle, 1):
                if len(self._starts) == limit:
                    break
                if b"\r" in line.rstrip(b"\r\n"):
                    raise InputError(f"{path}:{number}: a carriage return amid a line")
                if line.strip().removeprefix(codecs.BOM_UTF8):
                    self._starts.append(start)
                    self._numbers.append(number)
                start += len(line)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._starts)

    def __iter__(self) -> Iterator[Example]:
        """Yield all, reading the file once."""
        return islice(read_examples(self._path, self._remark), self._limit)

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> list[Example]: ...
    def __getitem__(self, place: int | slice) -> Example | list[Example]:
        """Read one, or some."""
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        where = f"{self._path}:{self._numbers[place]}"
        with self._path.open("rb") as handle:
            handle.seek(self._starts[place])
            line = handle.readline()
        try:
            row = parse_json(line.decode("utf-8-sig"))
        except (InputError, ValueError) as error:
            raise InputError(f"{where}: not valid JSON: {error}") from error
        if not isinstance(row, dict):
            raise InputError(f"{where}: an object is needed, found {shown(row)}")
        default_id = f"{self._path.stem}-{self._numbers[place]}"
        return example_from(row, where, default_id=default_id, remark=self._remark)


def read_prompts(path: Path) -> list[Example]:
    """Read a file of prompts, whose answers need not be known.

    Args:
        path: A list of strings or of objects in any of the forms of `tuneproof.formats.fields`,
            such as `prompt` with perhaps `id`, `task`, `input`, `reference`, `references`, `group`,
            `executed`; as a JSON array, or one object a line. A conversation is asked for what
            comes after its last question; where it ends with an answer, that is the reference.

    Raises:
        InputError: Missing, empty or of another shape; the message names the item.
    """
    existing_file(path)
    remark = _once(path)
    examples = []
    for number, (_, where, row) in enumerate(_rows(path), 1):
        if isinstance(row, str):
            row = {"prompt": row}
        if not isinstance(row, dict):
            raise InputError(f"{where}: a string or an object is needed, found {shown(row)}")
        identity = f"prompt-{number}"
        example = example_from(row, where, default_id=identity, is_prompt=True, remark=remark)
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
    row: Mapping[str, Any],
    where: str,
    *,
    default_id: str,
    is_prompt: bool = False,
    remark: Callable[[str], None] | None = None,
) -> Example:
    """Return the example that a JSON object holds; the one validator.

    Numbers and truth values are taken as text.

    Args:
        row: The object, in any of the forms of `tuneproof.formats.fields`.
        where: What errors begin with: file and line, or file and item.
        default_id: Its id where the object names none.
        is_prompt: Whether it is only to be asked, so that it needs no answer.
        remark: Called with what is read under another name, and what is not used.

    Raises:
        InputError: A field is missing, or holds something else than it should.
    """
    fields = fields_of(tuple(row))
    if remark is not None:
        for text in fields.assumed(PROMPT_NAMES):
            remark(text)
        if fields.unused:
            remark(f"not used: {', '.join(fields.unused)}")
    _require(row, fields, where, is_prompt=is_prompt)
    content = RowReader(
        values=row, fields=fields, where=where, as_text=_needed_text,
        remark=remark or (lambda text: None), is_prompt=is_prompt,
    ).content()  # fmt: skip
    if isinstance(content, str):
        raise InputError(f"{where}: {content}")
    identity, task, group, executed = (
        _needed_text(row[fields.names[part]], where, part) if part in fields.names else ""
        for part in ("id", "task", "group", "executed")
    )
    if executed and not is_value(executed):
        raise InputError(f"{where}: 'executed' must be a number, yes or no, found {executed!r}")
    identity = identity or default_id
    return Example(
        id=identity,
        task=task or ("prompts" if is_prompt else "jsonl"),
        instruction=content.instruction,
        input=content.input,
        output=content.answers[0] if content.answers else "",
        group=group or identity,
        executed=executed,
        references=content.answers if len(content.answers) > 1 else (),
        messages=content.messages,
    )


def _require(row: Mapping[str, Any], fields: Fields, where: str, *, is_prompt: bool) -> None:
    """Raise InputError where a row has no question, or no answer though it needs one."""
    names = fields.names
    if "conversation" in names:
        return
    missing = "instruction" if "instruction" not in names else None
    if missing is None and not is_prompt and not names.keys() & {"output", "references"}:
        missing = None if turns_of(row[names["instruction"]]) else "output"
    if missing is not None:
        shown = {"instruction": "prompt"}.get(missing, missing) if is_prompt else missing
        raise InputError(f"{where}: missing field {shown!r}; it has {listing(row)}")
    has_list = is_prompt or "references" in names
    for part in ("instruction",) if has_list else ("instruction", "output"):
        if part in names and row[names[part]] is None:
            raise InputError(f"{where}: field {names[part]!r} must be text, found None")


def _needed_text(value: Any, where: str, name: str) -> str:
    """Return a value as text; InputError where it is a list or an object."""
    text = scalar_text(value)
    if text is None:
        raise InputError(f"{where}: field {name!r} must be text, found {str(value)[:60]}")
    return text


def _once(path: Path) -> Callable[[str], None]:
    """Return what logs a remark on a file, each once."""
    known: set[str] = set()

    def remark(text: str) -> None:
        if text not in known:
            known.add(text)
            _LOGGER.info("%s: %s", path, text)

    return remark


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
        return " ".join(text.translate(ASCII_WORDS).split())
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


def _rows(path: Path) -> Iterator[tuple[int, str, Any]]:
    """Yield the items of an array, or the objects of lines, each with its number and place."""
    if holds_lines(path):
        for number, row in read_jsonl(path):
            yield number, f"{path}:{number}", row
        return
    value = read_json(path)
    if not isinstance(value, list):
        raise InputError(
            f"{path}: a list of prompts is needed, found {type(value).__name__}; "
            'for example ["What is LoRA?", {"prompt": "...", "input": "...", "reference": "..."}]'
        )
    for number, row in enumerate(value, 1):
        yield number, f"{path} item {number}", row
