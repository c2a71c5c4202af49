"""One process at a time in a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneproof.errors import InputError

NAME = ".lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder, which is made; a killed process keeps nobody out.

    Raises:
        InputError: Another process is in there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / NAME).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{folder}: another process is at work on this sweep") from error
        yield
