"""One upstream row, which of them are asked for, and the account of what was read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import Split
from tuneproof.formats.example import scalar_text
from tuneproof.text import listing

BLANK_LINES = re.compile(r"\A(?:[ \t]*\r?\n)+")
INDENTED = re.compile(r" {2}|\t")
"""What an indented text begins with: a line of code, say. A single space is a slip."""


EVALUATION = {"eval", "evaluation"}
HELD_OUT = {"test", "testing", "holdout", "heldout", *EVALUATION}


@dataclass(kw_only=True)
class ReadLog:
    """What was read of a source, and what a reader took for granted or passed over."""

    rows: Counter[str] = field(default_factory=Counter)
    """Number of rows by file, and by list, sheet or split in it."""
    remarks: list[str] = field(default_factory=list)
    """What was assumed, and what was not read; each once, in order."""

    def remark(self, text: str) -> None:
        """Note something, unless it is noted already."""
        if text not in self.remarks:
            self.remarks.append(text)


@dataclass(frozen=True, slots=True)
class Row:
    """One upstream row."""

    values: Mapping[str, Any]
    """The upstream fields."""
    where: str
    """``file:line`` (or ``file row N``), for messages."""
    split: Split | None
    """The official split, read off the file's name or the Hub's split; None where there is none."""
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of the classes by column, where the file has numbers for them and says their names."""

    def with_class_names(self) -> Row:
        """Return the row with the names of its classes instead of their numbers."""
        if not self.class_names:
            return self
        values = dict(self.values)
        for column, names in self.class_names.items():
            number = values.get(column)
            if isinstance(number, str) and number.isdecimal():
                number = int(number)
            if isinstance(number, int) and not isinstance(number, bool):
                values[column] = names[number] if 0 <= number < len(names) else None
        return Row(values, self.where, self.split)

    def text(self, name: str) -> str:
        """Return a field as text; a missing, null or NaN one is empty.

        White space around it is left out, but not the indentation of its first line.
        """
        return as_text(self.values.get(name), self.where, name)

    def named(self, name: str) -> str:
        """Return a field by its name in any case, in lower case itself; InputError if missing."""
        for key in self.values:
            if str(key).casefold() == name:
                return self.text(key).casefold()
        self.require(name)
        return ""

    def require(self, *names: str) -> None:
        """Raise InputError when the row lacks one of the upstream fields."""
        for name in names:
            if name not in self.values:
                raise InputError(
                    f"{self.where}: missing field {name!r}; it has {listing(self.values)}"
                )


def as_text(value: Any, where: str, name: str) -> str:
    """Return one value as text, as `Row.text` describes; InputError for a list or an object."""
    if isinstance(value, str):
        whole = BLANK_LINES.sub("", value).rstrip()
        return whole if INDENTED.match(whole) else whole.lstrip()
    text = scalar_text(value)
    if text is None:
        raise InputError(f"{where}: {name!r} must be text, found {str(value)[:60]}")
    return text.strip()


def split_of(name: str) -> Split | None:
    """Return the split that a name speaks of: a whole word train, val/valid/dev, test or eval."""
    words = words_of(name)
    if words & {"train", "training"}:
        return "train"
    if words & {"val", "valid", "validation", "dev"}:
        return "validation"
    is_held_out = words & HELD_OUT or ("out" in words and words & {"hold", "held"})
    return "test" if is_held_out else None


def words_of(name: str) -> set[str]:
    """Return the words of a file's name."""
    return set(re.split(r"[^a-z]+", name.lower()))


def matching(rows: Iterator[Row], where: Sequence[str], left_out: Counter[str]) -> Iterator[Row]:
    """Yield the rows that match all conditions, and count the others.

    Args:
        rows: Of one source.
        where: ``FIELD=VALUE``, whatever the case of both; ``*`` in a value stands for any text.
            Conditions on the same field are alternatives.
        left_out: Gets the number of rows that do not match.

    Raises:
        InputError: A row has no such field; the message lists those it has.
    """
    wanted: dict[str, list[re.Pattern[str]]] = {}
    for text in where:
        name, _, value = text.partition("=")
        parts = map(re.escape, value.strip().casefold().split("*"))
        wanted.setdefault(name.strip().casefold(), []).append(re.compile(".*".join(parts), re.S))
    for row in rows:
        if all(
            any(value.fullmatch(row.named(name)) for value in values)
            for name, values in wanted.items()
        ):
            yield row
        else:
            left_out["not what --where asks for"] += 1
