"""Logging: a command's lines about its progress; libraries' own notices are silenced.

Modules log to ``logging.getLogger(__name__)``. A command shows these lines on stderr (see
`tuneproof.errors.Group`). In Python they go where the caller's logging or `lines_to` sends them.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NOTICE = (logging.INFO + logging.WARNING) // 2
"""The level of lines that are shown even of a training among many."""
_LOGGER = logging.getLogger("tuneproof")


@contextmanager
def lines_to(write: Callable[[str], None]) -> Iterator[None]:
    """Hand every line of progress to a function while the block runs."""
    handler = _Lines(write)
    _LOGGER.addHandler(handler)
    try:
        with _level(logging.INFO):
            yield
    finally:
        _LOGGER.removeHandler(handler)


@contextmanager
def notices_only() -> Iterator[None]:
    """Keep back what is below `NOTICE` while the block runs."""
    with _level(NOTICE):
        yield


def to_stderr(line: str) -> None:
    """Write a line to stderr, above the progress bars there."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)


def quiet_libraries() -> None:
    """Silence known noise of transformers, PEFT and bitsandbytes that no user can act on."""
    from transformers.utils import logging as transformers_logging

    quiet_loggers()
    # bars for weights that load in a second, between this project's own lines
    transformers_logging.disable_progress_bar()
    # PEFT 0.21 asks transformers 5 by an old name
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")


def quiet_loggers() -> None:
    """Silence what libraries say when they are imported; it needs none of them yet."""
    # an optional kernel that only 4-bit models on a CPU would use
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    # how checkpoints are sorted where all were written within a second
    logging.getLogger("transformers.trainer_utils").setLevel(logging.ERROR)
    # the first plot of a new machine
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep transformers from a table of new weights; what is missing is checked by the caller."""
    names = ("modeling_utils", "distributed.tensor_parallel")
    loggers = [logging.getLogger(f"transformers.{name}") for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _level(level: int) -> Iterator[None]:
    before = _LOGGER.level
    _LOGGER.setLevel(level)
    try:
        yield
    finally:
        _LOGGER.setLevel(before)


class _Lines(logging.Handler):
    """Writes records as plain lines; only warnings say what they are."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """Take the function that writes a line."""
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        prefix = "WARNING: " if record.levelno >= logging.WARNING else ""
        self._write(prefix + record.getMessage())
