"""Spoil healthy files; every reader reads them, or says in one error what is wrong.

Nothing is drawn anew: the seed is the case's number, so that a failing case can be run again.
"""

from __future__ import annotations

import copy
import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tuneproof.errors import LONGEST, UNUSABLE_PATH, InputError

FEW = 40
"""Cases of the fast tests."""
MANY = int(os.environ.get("TUNEPROOF_FUZZ", "40"))
"""Cases of the slow tests; docs/reliability.md tells of ``TUNEPROOF_FUZZ=10000``."""
SECONDS = 2.0
"""Processor time that a case may take."""
DEEP, DIGITS = "[" * 5000 + "]" * 5000, "9" * 5000
RAW = {"@deep@": DEEP, "@digits@": DIGITS, "@large@": "1" + "0" * 400, "@inf@": "1e999"}
"""What json.dumps does not write: stands in the text for these."""
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 3.7, 1e308, float("nan"), "", " ", "nan", "\x00", "a\x00b", "\ud800", "None",
    "../x", "a" * 3000, [], [None], [[]], {}, {"": None}, {"a": {"b": [1]}}, [1, "a", {}], *RAW,
)  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """A reader, and the healthy file that is spoilt for it."""

    source: Path | Any
    """A JSON file, or what it would hold."""
    name: str
    """What the file is called, below the folder of the case."""
    write: Callable[[Any, random.Random], str | bytes]
    """Makes the file of the spoilt value."""
    read: Callable[[Path], object]
    """Reads it."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside."""
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


def spoilt(document: Any, draw: random.Random) -> Any:
    """Return the document with one to three of its values replaced, removed, renamed or moved."""
    document = copy.deepcopy(document)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        paths = [path for path in places(document) if path]
        if not paths:
            return document
        *way, last = draw.choice(paths)
        holder = document
        for key in way:
            holder = holder[key]
        match draw.randrange(6):
            case 0 | 1 | 2:
                holder[last] = copy.deepcopy(draw.choice(ODD))
            case 3:
                del holder[last]
            case 4:
                holder[last] = [holder[last]]
            case 5 if isinstance(holder, dict):
                holder[draw.choice(("a" * 3000, "\x00", "None", "\ud800"))] = holder.pop(last)
            case _:
                holder[last] = copy.deepcopy(draw.choice(ODD))
    return document if draw.random() > 0.02 else copy.deepcopy(draw.choice(ODD))


def cut(text: str, draw: random.Random) -> str:
    """Return a text that is sometimes cut off, or has a character more or a part twice."""
    at = draw.randrange(len(text) + 1)
    match draw.randrange(20):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + draw.choice('\x00\ufeff{}[],:"&*!\n\t-') + text[at:]
        case 2:
            return text[:at] + text[max(0, at - 40) :]
    return text


def as_json(document: Any, draw: random.Random) -> str:
    text = json.dumps(document)
    for name, raw in RAW.items():
        text = text.replace(json.dumps(name), raw)
    return cut(text, draw)


def as_yaml(document: Any, draw: random.Random) -> str:
    try:
        text = yaml.safe_dump(document, allow_unicode=True)
    except UnicodeEncodeError:
        text = json.dumps(document)
    for name, raw in RAW.items():
        text = text.replace(f"'{name}'", raw)
    extra = ("", "", "", "x: &a [1, *a]\n", "tune: 1\ntune: 2\n", "a: 2026-99-99\n", "a: 0x_\n")
    return cut(text + draw.choice(extra), draw)


def as_lines(rows: list[Any], draw: random.Random) -> str:
    """Return rows as JSON Lines."""
    if not isinstance(rows, list):
        return as_json(rows, draw)
    return cut("".join(as_json(row, random.Random(0)) + "\n" for row in rows), draw)


def as_is(text: str, draw: random.Random) -> str | bytes:
    """Return a text with pieces cut out, doubled or replaced, or in another encoding."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        start = draw.randrange(len(text) + 1)
        stop = min(len(text), start + draw.choice((1, 3, 20, 200)))
        piece, other = text[start:stop], draw.choice(ODD_TEXTS)
        text = text[:start] + draw.choice(("", piece * 2, piece[::-1], other)) + text[stop:]
    if draw.random() > 0.03:
        return text
    return text.encode(draw.choice(("utf-16", "utf-32")), "surrogatepass")


ODD_TEXTS = (
    "\x00", "\r", "\r\r\n", '"', "'", ";", "\t", ",", "\ufeff", "\u2028", "\x85", "\u202e", "NaN",
    "inf", "{{", "}}", "{%", "%}", "{% for x in y %}", "{{ x.y.z }}", "=1+1", "0x", "9" * 400,
    "a" * 3000,
)  # fmt: skip


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError where the block takes more processor time, as a reader that hangs does."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def try_one(kind: str, reader: Reader, seed: int, folder: Path) -> float:
    """Read one spoilt file; return the seconds of processor time that it took."""
    is_file = isinstance(reader.source, Path)
    document = json.loads(reader.source.read_text()) if is_file else reader.source
    draw = random.Random(f"{kind} {seed}")
    path = folder / reader.name
    path.parent.mkdir(parents=True, exist_ok=True)
    document = document if isinstance(document, str) else spoilt(document, draw)
    content = reader.write(document, draw)
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    path.write_bytes(raw)
    began = time.process_time()
    try:
        with at_most(SECONDS):
            reader.read(path)
    except InputError as error:
        assert len(str(error)) <= LONGEST + 10
    except OSError as error:  # of a path that the file names; a command shows it as one line
        assert error.errno in UNUSABLE_PATH, f"case {seed} of {kind}: {error!r}"
    except Exception as error:
        raise AssertionError(f"case {seed} of {kind}: {error!r}") from error
    return time.process_time() - began


def try_many(kind: str, reader: Reader, folder: Path) -> None:
    """Read `MANY` spoilt files; say which was the slowest."""
    faults, slowest = [], 0.0
    for seed in range(MANY):
        try:
            slowest = max(slowest, try_one(kind, reader, seed, folder))
        except AssertionError as error:
            faults.append(str(error))
    print(f"| {kind} | {MANY:,} | {len(faults)} | {slowest:.2f} s |")
    assert not faults, f"{len(faults)} faults, such as:\n" + "\n".join(faults[:20])
