"""One process at a time writes a file or folder, and what killed ones left is removed."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import OLD, WRITING, read_json, room_beside

TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")
"""The names that `files.atomic_write` writes under, with the process."""
_HELD: set[tuple[Path, int]] = set()
"""The paths that are locked by this process, each with the thread that did it."""


@contextmanager
def at_work(path: Path) -> Iterator[None]:
    """Keep other processes from writing a file or folder while the block runs.

    The lock is the file ``.NAME.lock`` beside the path (in a folder whose parent is not writable).
    The system frees it when its process ends, however that ends, so that one that a killed process
    left holds nobody up. What that left half-written of the path is removed. A thread that holds a
    lock may take it again.

    Raises:
        InputError: Another process is at work there; the message says which, and since when.
    """
    from filelock import Timeout

    path = path.resolve()
    mine = (path, threading.get_ident())
    if mine in _HELD:
        yield
        return
    file = room_beside(path) / f".{path.name}.lock"
    try:
        lock = _locked(file)
    except Timeout as error:
        who = _holder(file)
        raise InputError(f"{path}: {who} is at work here; wait, or choose another name") from error
    try:
        _HELD.add(mine)
        remove_strays(path)
        yield
    finally:
        _HELD.discard(mine)
        with suppress(OSError):  # Windows removes no open file
            file.unlink()
        lock.release()


def _locked(file: Path) -> Any:
    """Return a lock that is held, with who holds it written in its file."""
    from filelock import FileLock

    since = datetime.now().astimezone().isoformat(timespec="seconds")
    me = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    is_there = False

    def sign(number: int) -> None:
        nonlocal is_there
        is_there = file.exists() and os.path.samestat(os.fstat(number), file.stat())
        os.ftruncate(number, 0)
        os.write(number, json.dumps(me).encode())

    while True:
        if file.is_symlink():  # nobody's lock, and what it leads to would be written over
            file.unlink(missing_ok=True)
        lock = FileLock(file, timeout=0, on_acquired=sign)
        lock.acquire()
        if is_there:
            return lock
        lock.release()  # the process that held it before has just removed its file


def _holder(file: Path) -> str:
    """Return who holds a lock, by what is written in its file."""
    who: Any = None
    with suppress(InputError, OSError):
        who = read_json(file)
    if not isinstance(who, dict):
        return "another process"
    return f"another process (pid {who.get('pid')} on {who.get('host')}, since {who.get('since')})"


def remove_strays(path: Path) -> None:
    """Remove what processes that were killed left of a file or folder half-written.

    Where one was killed while it put a new folder in the place of the old, the old one comes back.
    """
    room = room_beside(path)
    inside = path.glob(f"{WRITING}*") if path.is_dir() else ()
    for stray in [*room.glob(f".{glob.escape(path.name)}{WRITING}*"), *inside]:
        if (stray / OLD).is_dir() and not path.exists():
            (stray / OLD).rename(path)
        shutil.rmtree(stray, ignore_errors=True)
    for file in room.glob(f".{glob.escape(path.name)}.*.tmp"):
        if file.name.removeprefix(f".{path.name}.").removesuffix(".tmp").isdigit():
            file.unlink(missing_ok=True)
    for file in path.glob(".*.tmp") if path.is_dir() else ():
        if (match := TEMPORARY.fullmatch(file.name)) and not _is_alive(int(match[1])):
            file.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    """Return whether a process of this machine runs, or nobody can tell."""
    if os.name == "nt":  # where looking for a process would end it
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
