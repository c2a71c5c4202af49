"""Regressions: general items that must still be answered right, and what variants answered.

The set that comes with the package, the user's own file of prompts that must still work, and what
`infer compare regressions` and `score external` write. Here are their types, readers and writer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.files import existing_file, holds_lines, read_json, read_jsonl, write_json
from tuneproof.formats.broken import ALL
from tuneproof.formats.codec import decode, encode, has_schema, typed
from tuneproof.formats.example import Example

SCHEMA = "tuneproof/regressions@1"
NAME = "regressions"
"""The word that names the set, where a file of prompts could stand."""
FILE = "regressions.json"
"""What the answers are written into, where no other name is given."""
FOLDER = Path(__file__).parents[1] / "prompts/regressions"
ASKED = FOLDER / "asked.json"
"""The items that come with the package, to be asked."""
MIXED = FOLDER / "mixed.json"
"""Other items of the same kinds, with answers, to be mixed into training data."""
OWN = "own"
"""The kind of a user's items that name none."""
_HOW = ("exact", "contains", "regex", "refuses", "choices", "text")


def _omitted(default: Any) -> Any:
    return field(default=default, metadata={"omit": True})


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing to ask, and what makes its answer right: one of the six ways, from `exact` on."""

    id: str
    """Unique in its file."""
    kind: str = OWN
    """What it is of, such as ``arithmetic``; losses are judged by kind."""
    prompt: str = _omitted("")
    """What is asked; empty for a text, which is not asked but read."""
    input: str = _omitted("")
    """The context it is asked about."""
    exact: tuple[str, ...] = _omitted(())
    """Right: the answer is one of these, but for spaces around it."""
    contains: tuple[str, ...] = _omitted(())
    """Right: one of these stands in the answer as words of its own, whatever their case."""
    lacks: tuple[str, ...] = _omitted(())
    """Beside `contains`: and none of these does."""
    regex: str = _omitted("")
    """Right: this regular expression of Python's matches somewhere in the answer."""
    refuses: bool = _omitted(False)
    """Right: the answer begins by declining."""
    choices: tuple[str, ...] = _omitted(())
    """Nothing is generated: right where `right` is the most probable of these answers."""
    right: str = _omitted("")
    """The right one of `choices`."""
    text: str = _omitted("")
    """Nothing is asked: the model reads this, and scores its chance to foretell the next byte,
    which is 2 to the power of minus the bits per byte."""

    @property
    def is_generated(self) -> bool:
        """Whether an answer is written, and not only scored."""
        return not (self.choices or self.text)

    def example(self) -> Example:
        """Return it as something to ask."""
        return Example(
            id=self.id,
            task=self.kind,
            instruction=self.prompt or self.text,
            input=self.input,
            group=self.id,
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a variant made of an item."""

    text: str | None = _omitted(None)
    """What it wrote."""
    choice: str | None = _omitted(None)
    """The most probable choice."""
    bits_per_byte: float | None = _omitted(None)
    """Of a text, how many bits a byte costs the model."""
    value: float | None = _omitted(None)
    """The score that another program gave it, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Answered(Item):
    """An item with the answers of all variants."""

    answers: Mapping[str, Answer]
    """By variant."""


@dataclass(frozen=True, kw_only=True)
class Regressions:
    """Every variant's answer to every item."""

    schema: str = SCHEMA
    """The form of the file."""
    identity: str | None = None
    """Hash of all that decides the answers."""
    made_by: str = "infer compare regressions"
    """What asked."""
    base: str
    """The variant that the others are measured against, asked in its own template."""
    variants: tuple[str, ...]
    """All of them, the base first."""
    decoding: Mapping[str, Any] | None = None
    """The settings of decoding."""
    left_out: tuple[str, ...] = ()
    """Ids of the items that were too long for a variant."""
    items: tuple[Answered, ...]
    """The items."""

    @property
    def tuned(self) -> tuple[str, ...]:
        """The variants that are measured against the base."""
        return tuple(name for name in self.variants if name != self.base)


def read_items(path: Path) -> list[Item]:
    """Read items to ask, as a JSON array or one object a line.

    Raises:
        InputError: No such file, or an item that cannot be asked or checked; the message names it.
    """
    existing_file(path)
    if holds_lines(path):
        rows = [(f"{path}:{number}", row) for number, row in read_jsonl(path)]
    else:
        listed = typed(list, read_json(path), str(path))
        rows = [(f"{path} item {number}", row) for number, row in enumerate(listed, 1)]
    if not rows:
        raise InputError(f"{path}: no items in it")
    items = [item_from(row, where, f"{path.stem}-{n}") for n, (where, row) in enumerate(rows, 1)]
    check_ids(items, path)
    return items


def check_ids(items: Iterable[Item], path: Path) -> None:
    """Raise InputError where two items have the same id."""
    known: set[str] = set()
    for item in items:
        if item.id in known:
            raise InputError(f"{path}: two items have the same id {item.id!r}")
        known.add(item.id)


def item_from(value: Any, where: str, default_id: str) -> Item:
    """Return the item that a JSON object holds; a `reference` is what an answer must contain.

    Raises:
        InputError: It cannot be asked or checked; the message begins with `where`.
    """
    row = dict(typed(dict, value, where))
    if "reference" in row:
        reference = row.pop("reference")
        row.setdefault("contains", [reference] if isinstance(reference, str) else reference)
    known = [one.name for one in fields(Item)]
    for key in row:
        if key not in known:
            raise InputError(f"{where}: {unknown('key', key, known)}")
    for key in ("exact", "contains", "lacks", "choices"):
        if isinstance(row.get(key), str):
            row[key] = [row[key]]
    item = decode(Item, {"id": default_id, **row}, where)
    _check(item, where)
    return item


def _check(item: Item, where: str) -> None:
    """Raise InputError where an item cannot be asked, or nothing says what is right."""
    used = [name for name in _HOW if getattr(item, name)]
    if len(used) != 1:
        raise InputError(
            f"{where}: one of {', '.join(_HOW)} must say what answer is right, found "
            f"{' and '.join(used) or 'none'}"
        )
    if item.kind == ALL:
        raise InputError(f"{where}: kind {ALL!r} is the name of all items together; choose another")
    lists = {name: getattr(item, name) for name in ("exact", "contains", "lacks")}
    blank = [name for name, texts in lists.items() if "" in map(str.strip, texts)]
    if blank:
        raise InputError(f"{where}: an answer in {blank[0]!r} is empty, so that any would be right")
    if not item.text and not item.prompt.strip():
        raise InputError(f"{where}: the prompt is empty")
    if item.lacks and not item.contains:
        raise InputError(f"{where}: 'lacks' stands beside 'contains' only")
    if item.choices and (len(set(item.choices)) < 2 or item.right not in item.choices):
        raise InputError(
            f"{where}: 'choices' needs two or more, and 'right' names one of them, found "
            f"{list(item.choices)} and {item.right!r}"
        )
    try:
        re.compile(item.regex)
    except re.error as error:
        raise InputError(f"{where}: regex {item.regex!r} cannot be read: {error}") from error


def read_mixed() -> list[Example]:
    """Return the general examples that may be mixed into training data, of all kinds in turn."""
    rows = read_json(MIXED)
    by_kind: dict[str, list[Example]] = {}
    for row in rows:
        example = Example(
            id=row["id"], task="general", instruction=row["instruction"], input=row["input"],
            output=row["output"], group=row["id"],
        )  # fmt: skip
        by_kind.setdefault(row["kind"], []).append(example)
    turns = zip_longest(*by_kind.values())
    return [example for turn in turns for example in turn if example is not None]


def write_regressions(path: Path, regressions: Regressions) -> None:
    """Write the answers, whole or not at all."""
    write_json(path, encode(regressions))


def read_regressions(path: Path) -> Regressions:
    """Read the answers.

    Raises:
        InputError: It is no such file, or an answer is missing.
    """
    document = read_json(existing_file(path))
    if not has_schema(document, SCHEMA):
        raise InputError(f"{path}: not a file of regressions; `infer compare {NAME}` writes one")
    read = decode(Regressions, document, str(path))
    if read.base not in read.variants or not read.tuned:
        raise InputError(
            f"{path}: the variants are {', '.join(read.variants)}; a base ({read.base}) and "
            "something to measure against it are needed"
        )
    for item in read.items:
        missing = [name for name in read.variants if name not in item.answers]
        if missing:
            raise InputError(f"{path}: item {item.id!r} has no answer of {', '.join(missing)}")
        for name, answer in item.answers.items():
            if answer.value is None and item.text and answer.bits_per_byte is None:
                raise InputError(
                    f"{path}: item {item.id!r}: {name} has neither bits_per_byte nor value"
                )
    return read


def join_regressions(parts: Sequence[Regressions], paths: Sequence[Path]) -> Regressions:
    """Return several files of the same variants as one.

    Raises:
        InputError: They are of other variants, or two items have the same id.
    """
    first, *others = parts
    for part, path in zip(others, paths[1:], strict=True):
        if set(part.variants) != set(first.variants) or part.base != first.base:
            raise InputError(
                f"{path} is of {', '.join(part.variants)}, and {paths[0]} of "
                f"{', '.join(first.variants)}; regressions read together have the same variants"
            )
    items = tuple(item for part in parts for item in part.items)
    check_ids(items, paths[-1])
    return replace(first, items=items)
