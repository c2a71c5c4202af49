"""Files that are whole or absent, and JSON whose errors name file and line."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import jsonlines

from tuneproof.errors import InputError

WRITING = ".writing-"
"""What follows a folder's name in that of the temporary folder beside it."""
OLD = ".old"
"""The folder that is replaced, in the temporary one."""


def room_beside(path: Path) -> Path:
    """Return the folder for what is written beside a path, and make it."""
    if path.parent.is_file():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path if path.is_dir() and not os.access(path.parent, os.W_OK) else path.parent


def sync(*paths: Path) -> None:
    """Have the disk keep files, or the names in folders, even if the power fails now."""
    for path in paths:
        if os.name == "nt" and path.is_dir():
            continue  # Windows does not open folders
        number = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def sync_folder(folder: Path) -> None:
    """Have the disk keep all files of a folder."""
    sync(*(path for path in folder.rglob("*") if path.is_file()), folder)


@contextmanager
def atomic_write(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` and rename it there when the block ends without error.

    After a power cut there is the old file or the new one, whole. A link that lies where the
    temporary file goes is removed, and not followed.

    Args:
        path: The file.
        mode: ``w`` for text or ``wb`` for bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")  # on any system
        mode = mode.replace("w", "x")  # follows no link that was planted there
        with temporary.open(mode, encoding=encoding, newline=newline) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_write(path) as handle:
        handle.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all.

    Raises:
        InputError: It holds NaN or an infinite number, which JSON does not have.
    """
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InputError(f"{path}: not written, since a value is NaN or infinite") from error
    write_text(path, text + "\n")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write one JSON object per line, whole or not at all; return the number of lines."""
    count = 0
    with atomic_write(path) as handle, jsonlines.Writer(handle) as writer:
        for row in rows:
            writer.write(row)
            count += 1
    return count


@contextmanager
def replacing(folder: Path, *names: str, keeps_others: bool = True) -> Iterator[Path]:
    """Yield an empty folder for files that replace those of `folder` when the block ends.

    The folder is replaced as a whole, by a rename. Where it cannot be renamed (the root of a disk),
    its files are, in the order given: the last name should be that of the file that vouches for
    the others. An error before that leaves `folder` as it was.

    Args:
        folder: What is replaced; it may be missing.
        names: The new files.
        keeps_others: Whether what else is in the folder stays.
    """
    folder = folder.resolve()
    room = room_beside(folder)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}{WRITING}", dir=room) as temporary:
        new = Path(temporary) / folder.name
        new.mkdir()
        yield new
        sync_folder(new)
        if not folder.exists():
            new.rename(folder)
        elif room == folder or os.path.ismount(folder):
            if not keeps_others:
                _empty(folder, names)
            for name in names:
                (new / name).replace(folder / name)
        else:
            if keeps_others:
                _carry_over(folder, new)
            folder.rename(Path(temporary) / OLD)
            new.rename(folder)
        sync(room, folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder: wherever this is cut off, all of it is there, or nothing."""
    folder = folder.resolve()
    prefix = f".{folder.name}{WRITING}"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as temporary:
        folder.rename(Path(temporary) / folder.name)


def _empty(folder: Path, first: Sequence[str]) -> None:
    """Remove what is in a folder that cannot be renamed, some files first; its own lock stays."""
    for name in first:
        (folder / name).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name.startswith(f".{folder.name}."):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def replacing_files(folder: Path, marker: str) -> Iterator[Path]:
    """Yield an empty folder whose files are moved into `folder` when the block ends.

    All of them are written before the first one is moved. The marker is removed first and moved
    last, so that wherever it is, the others belong to it. What else is in `folder` stays.

    Args:
        folder: Where the files go; it may hold anything else.
        marker: The name of the file that vouches for the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=WRITING, dir=folder) as temporary:
        new = Path(temporary)
        yield new
        sync_folder(new)
        (folder / marker).unlink(missing_ok=True)
        for file in sorted(new.iterdir(), key=lambda one: (one.name == marker, one.name)):
            file.replace(folder / file.name)
        sync(folder)


def _carry_over(folder: Path, new: Path) -> None:
    """Link into a new folder what the old one holds beside it; the mode is the old one's too."""
    for path in folder.iterdir():
        if (new / path.name).exists():
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, new / path.name, symlinks=True, copy_function=link)
        else:
            link(path, new / path.name)
    shutil.copymode(folder, new)


def link(path: str | Path, to: str | Path) -> None:
    """Give a file a second name, or copy it where it cannot have one."""
    try:
        os.link(path, to, follow_symlinks=False)
    except (OSError, NotImplementedError):  # Windows has no links to links
        shutil.copy2(path, to, follow_symlinks=False)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` when the block ends without error.

    `folder` must not exist by then, or be empty.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}{WRITING}"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as temporary:
        whole = Path(temporary) / folder.name
        whole.mkdir()
        yield whole
        sync_folder(whole)
        if folder.exists():
            folder.rmdir()
        whole.rename(folder)
        sync(folder.parent)


def cache_folder() -> Path:
    """Return where files lie that can be made again: tuneproof in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tuneproof"


def is_occupied(path: Path) -> bool:
    """Return whether something lies there: a file, or a folder that is not empty."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte order mark.

    Raises:
        InputError: The file is missing, or is no UTF-8.
    """
    try:
        return existing_file(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error.reason}") from error


def read_json(path: Path) -> Any:
    """Read one JSON document.

    Raises:
        InputError: The file is missing or is not JSON; the message names file and line.
    """
    text = read_text(path)
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Halves of surrogate pairs, which JSON can hold and UTF-8 cannot, are replaced by U+FFFD.

    Raises:
        json.JSONDecodeError: It is no JSON.
        InputError: It is nested too deeply, has a number of too many digits, or an object of it has
            a key twice.
    """
    try:
        value = json.loads(text, object_pairs_hook=_distinct)
        raw = text.decode() if isinstance(text, bytes) else text
        return with_whole_characters(value) if "\\ud" in raw or "\\uD" in raw else value
    except (json.JSONDecodeError, InputError):
        raise
    except (ValueError, RecursionError) as error:
        is_deep = isinstance(error, RecursionError)
        fault = "nested too deeply" if is_deep else "it has a number of too many digits"
        raise InputError(f"not readable JSON: {fault}") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's keys and values; a key that stands twice would hide a value."""
    values = dict(pairs)
    if len(values) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise InputError(f"not readable JSON: the key {twice!r} stands twice in one object")
    return values


def with_whole_characters(value: Any) -> Any:
    """Return a value of JSON or YAML with halves of surrogate pairs replaced by U+FFFD."""
    if isinstance(value, list):
        return [with_whole_characters(part) for part in value]
    if isinstance(value, dict):
        return {
            with_whole_characters(key): with_whole_characters(part) for key, part in value.items()
        }
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def holds_lines(path: Path) -> bool:
    """Return whether a JSON file holds an object on each line, by its first lines and its suffix.

    Raises:
        InputError: The file is missing.
    """
    with existing_file(path).open(encoding="utf-8-sig", errors="replace") as handle:
        begins = [line.lstrip()[:1] for line in islice(filter(str.strip, handle), 2)]
    return begins[:1] != ["["] and (path.suffix == ".jsonl" or begins == ["{", "{"])


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(line number from 1, object)`` for every line that is not empty.

    Raises:
        InputError: The file is missing, or a line is not a JSON object; ``file:line`` is named.
    """
    with existing_file(path).open(encoding="utf-8-sig") as handle:
        try:
            yield from parse_jsonl(handle, str(path))
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 text: {error.reason}") from error


def parse_jsonl(lines: Iterable[str], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Do the same for lines that are open already, of a file of that name."""
    number = 0

    def counted() -> Iterator[str]:  # the reader skips empty lines without counting them for us
        nonlocal number
        for number, line in enumerate(lines, 1):  # noqa: B007 - read outside
            yield line

    try:
        for row in jsonlines.Reader(counted(), loads=parse_json).iter(type=dict, skip_empty=True):
            yield number, row
    except jsonlines.InvalidLineError as error:
        raise InputError(f"{name}:{number}: {_fault(error)}") from error


def _fault(error: jsonlines.InvalidLineError) -> str:
    if isinstance(error.__cause__, json.JSONDecodeError):
        return f"not valid JSON: {error.__cause__.msg} (column {error.__cause__.colno})"
    if isinstance(error.__cause__, InputError):
        return str(error.__cause__)
    return f"a JSON object is needed, found {str(error.line).strip()[:60]}"


def existing_file(path: Path) -> Path:
    """Return `path`, or raise InputError when it is no file."""
    if path.is_file():
        return path
    if path.is_dir():
        raise InputError(f"{path} is a folder, a file is needed")
    raise InputError(f"no such file: {path}")


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
