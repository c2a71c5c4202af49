"""Recipes and trainings that were started on the page: processes of their own, with their lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from tuneproof.errors import InputError

KEPT_LINES = 2000
PATIENCE_S = 60.0
"""How long a process may save its work when all are stopped."""
PROGRESS = re.compile(r"\b(?:step|answered) ([\d,]+)(?:/| of )([\d,]+)")
"""How `tune run` and `infer compare` say how far they are."""
START = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "import runpy; runpy.run_module('tuneproof', run_name='__main__', alter_sys=True)"
)
"""`python -m tuneproof` where no module of the working folder stands in for one of Python's; from
Python 3.11 on PYTHONSAFEPATH has the same done earlier."""
STAGE = re.compile(r"\d/4 ")
"""How a recipe begins a stage."""


def environment() -> dict[str, str]:
    """Return the variables of a job: no path in them is looked up in its working folder."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    whole = os.pathsep.join(path for path in paths if Path(path).is_absolute())
    own = {"PYTHONPATH": whole, "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}
    own["PYTHONIOENCODING"] = "utf-8"  # as its lines are read
    return {**os.environ, **own}


class Job:
    """A command at work, or done."""

    def __init__(self, number: int, arguments: Sequence[str], folder: Path) -> None:
        """Start ``tuneproof ARGUMENTS`` in a folder."""
        self.number = number
        self.title = " ".join(("tuneproof", *arguments))
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        """What it said, the last lines."""
        self._is_stopped = False
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, *arguments],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the page's server, which then stops it
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                self.lines.append(line.rstrip())

    @property
    def state(self) -> str:
        """How it stands, in words."""
        code = self._process.poll()
        if code is None:
            return "stopping" if self._is_stopped else "running"
        if code == 0:
            return "done"
        return "stopped" if self._is_stopped else f"failed (exit code {code})"

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process.poll() is None

    @property
    def progress(self) -> float | None:
        """The share of its step that is done, from 0 to 1; None where it does not say."""
        return share_done(list(self.lines))

    def stop(self) -> None:
        """Have it save its work and end; asked again, kill it."""
        if not self.is_running:
            return
        (self._process.kill if self._is_stopped else self._process.terminate)()
        self._is_stopped = True

    def wait(self) -> None:
        """Return when it has ended; kill it where it does not."""
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()


def share_done(lines: Sequence[str]) -> float | None:
    """Return how far a training or comparison is, from 0 to 1; None where its lines do not say."""
    for line in reversed(lines):
        if match := PROGRESS.search(line):
            done, whole = (int(number.replace(",", "")) for number in match.groups())
            return min(1.0, done / max(1, whole))
        if STAGE.match(line):
            return None
    return None


class Jobs:
    """All that was started, one at a time."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet."""
        self._folder = folder
        self._starting = threading.Lock()
        self.all: list[Job] = []
        """In their order."""

    def start(self, arguments: Sequence[str]) -> Job:
        """Start ``tuneproof ARGUMENTS``.

        Raises:
            InputError: Another job is running.
        """
        with self._starting:
            if self.all and self.all[-1].is_running:
                raise InputError(f"`{self.all[-1].title}` is running; wait for it, or stop it")
            self.all.append(Job(len(self.all) + 1, arguments, self._folder))
            return self.all[-1]

    def get(self, number: str) -> Job:
        """Return a job; FileNotFoundError where there is none of that number."""
        for job in self.all:
            if str(job.number) == number:
                return job
        raise FileNotFoundError(f"job {number[:20]}")

    def stop_all(self) -> None:
        """Stop what is running, and return when it has ended; what saves its work may finish."""
        for job in self.all:
            if job.state == "running":
                job.stop()
        for job in self.all:
            job.wait()
