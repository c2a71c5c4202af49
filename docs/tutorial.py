"""Run the tutorial: `python -m docs.tutorial` writes what its commands say into docs/tutorial.md.

A block of the page that begins with ``$`` is a command with its output. All are run in a row, in an
empty folder with docs/ in it. What the comparisons hold is kept in tests/docs/tutorial, so that the
suite can score them anew without a training. With chromium, pictures are taken of the pages.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

from docs.generate import COMMANDS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
KEPT = ROOT / "tests" / "docs" / "tutorial"
COMPARISONS = ("model_comparison.json", "reports/served.json")
"""What is kept, relative to the folder that the commands are run in."""
PICTURES = {"tutorial-run.png": "runs/shop/index.html", "tutorial-report.png": "reports/shop"}
BLOCK = re.compile(r"^```\n\$ (?P<command>(?:.*\\\n)*.*\n)(?P<output>(?:(?!```).*\n)*)```\n", re.M)
COLUMNS = 100
BROWSER = ("chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1100,1000")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command of the page, and what stands under it."""

    command: str
    """As it is typed, on one line."""
    output: str
    """What it says."""

    @property
    def arguments(self) -> list[str]:
        """Its words."""
        return shlex.split(self.command)


def steps(page: str) -> list[Step]:
    """Return the commands of a page in order."""
    return [
        Step(command=block["command"].replace("\\\n", " ").strip(), output=block["output"])
        for block in BLOCK.finditer(page)
    ]


def run(step: Step, folder: Path) -> str:
    """Run a command in a folder, and return what it says.

    Raises:
        RuntimeError: It ends with an error.
    """
    name, *arguments = step.arguments
    done = subprocess.run(
        [sys.executable, "-m", f"tuneproof.{COMMANDS[name]}", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": f"{folder}/.cache"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    shown = done.stdout.replace(f"{folder}/.cache", "~/.cache").replace(f"{folder}/", "")
    said = wrapped(re.sub(r"\b([0-9a-f]{6})[0-9a-f]{58}\b", r"\1...", shown))
    if done.returncode != 0:
        raise RuntimeError(f"{step.command} ended with {done.returncode}:\n{said}")
    return said


def wrapped(output: str) -> str:
    """Return an output as the page shows it: sentences in lines of 100 columns."""
    lines = [
        textwrap.fill(line, COLUMNS, break_on_hyphens=False, subsequent_indent=" " * 4)
        if len(line) > COLUMNS and " -> " not in line
        else line
        for line in output.strip("\n").splitlines()
    ]
    return "\n".join(lines) + "\n"


def masked(output: str) -> list[str]:
    """Return the lines of an output without what differs between machines: figures and answers."""
    lines = [re.sub(r"-> .*|/[0-9a-f]{6}\.\.\.", "...", line) for line in output.splitlines()]
    words = [re.sub(r"[+\u2212-]?\d[\d.,:e+-]*", "#", line).split() for line in lines]
    return [" ".join(line) for line in words]


def new_folder(name: str) -> Path:
    """Make a folder to run the tutorial in."""
    folder = Path(name).resolve()
    (folder / "docs").symlink_to(ROOT / "docs")
    return folder


def main() -> None:
    """Run all, and write the page, what is kept, and the pictures."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = new_folder(name)
        outputs = []
        for step in steps(page):
            print("$", step.command, flush=True)
            outputs.append(run(step, folder))
            print(outputs[-1], flush=True)
        KEPT.mkdir(exist_ok=True)
        for file in COMPARISONS:
            shutil.copy(folder / file, KEPT / Path(file).name)
        _take_pictures(folder)
    answers = iter(outputs)
    written = BLOCK.sub(lambda one: f"```\n$ {one['command']}{next(answers)}```\n", page)
    PAGE.write_text(written, encoding="utf-8")


def _take_pictures(folder: Path) -> None:
    if shutil.which(BROWSER[0]) is None:
        print("no chromium: the pictures stay as they are")
        return
    for picture, source in PICTURES.items():
        file = folder / source
        page = file / "report.html" if file.is_dir() else file
        command = [*BROWSER, f"--screenshot={ROOT / 'docs' / picture}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
