"""A command of this project in a process of its own, with its time and its peak memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Child:
    """What a command took."""

    seconds: float
    """From start to end, Python's own start included."""
    cpu_seconds: float
    """Of all its threads; less than `seconds` where others use the machine too."""
    peak_bytes: int
    """Most resident memory."""
    output: str
    """What it wrote to stdout."""


def run(room: str, *arguments: str | Path) -> Child:
    """Run a command, such as ``prepdata`` with ``build --out data``.

    Raises:
        RuntimeError: It failed; the message has the end of what it wrote to stderr.
    """
    command = [sys.executable, "-m", "benchmarks.child", room, *map(str, arguments)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{room} {' '.join(command[4:])}: {done.stderr[-2000:]}")
    told = json.loads(done.stderr.splitlines()[-1])
    return Child(
        seconds=seconds, cpu_seconds=told["cpu"], peak_bytes=told["peak"], output=done.stdout
    )


def peak_bytes() -> int:
    """Return the most memory this process has held.

    `getrusage` counts what the parent held at the start as well, hence /proc where there is one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def children_seconds() -> float:
    """Return the processor time of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor_seconds() -> float:
    """Return the processor time of this process and of all commands that have ended."""
    return time.process_time() + children_seconds()


def peak_of(module: str, *arguments: str) -> int:
    """Run a module of the benchmarks in a process of its own; return the peak that it prints last.

    Raises:
        RuntimeError: It failed; the message has the end of what it wrote to stderr.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)}: {done.stderr[-2000:]}")
    return int(done.stdout.splitlines()[-1])


def _main(room: str, *arguments: str) -> None:
    """Run the command here, then tell its CPU time and memory in a last line of stderr."""
    folder = {"score": "eval", "tune": "tuning", "infer": "inference", "recipe": "recipes"}
    import_module(f"{folder.get(room, room)}.cli").main(list(arguments), standalone_mode=False)
    told = {"cpu": time.process_time(), "peak": peak_bytes()}
    print(f"\n{json.dumps(told)}", file=sys.stderr)


if __name__ == "__main__":
    _main(*sys.argv[1:])
