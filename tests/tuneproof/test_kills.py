"""kill -9 before any operation on files: the same command goes on, and its result is the same.

A command runs in a process of its own, which kills itself before its n-th rename, removal, new
folder, file opened for writing, or answer. Run again, the command must end as one that nothing
disturbed, and leave nothing else behind.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.files import fingerprint

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("TUNEPROOF_KILLS", "0"))
"""Kills of each command; docs/reliability.md tells of ``TUNEPROOF_KILLS=24``. With 0 the tests run
in a process of their own, with one: a process that has computed in threads cannot be forked."""
ANSWER = "tuneproof.answer"
"""An answer is written down, in a file that is open already."""
CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", ANSWER)
TIMES = re.compile(
    r".*(seconds|runtime|per_second|bytes|created|cpu|speed|sha256|identity|paragraph).*"
)
"""What two runs of one command differ in: times, memory, texts and hashes of files with them."""


@dataclass(frozen=True)
class Command:
    """A command that writes."""

    run: Callable[[Path], object]
    """Runs it in a folder, and goes on where it was killed."""
    result: Callable[[Path], Any]
    """Returns what came out of it."""


def in_child(act: Callable[[], object], root: Path, kill_at: int | None, count: Path) -> int:
    """Run a function in a forked process; return how that ended.

    Args:
        act: What it does.
        root: Operations on files below this folder are counted.
        kill_at: Before which of them it is killed; None leaves it alone.
        count: The file that gets their number.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    number = 0

    def watch(event: str, values: tuple[Any, ...]) -> None:
        nonlocal number
        is_writing = event == "open" and isinstance(values[2], int) and values[2] & 3
        if not (is_writing or event in CHANGING) or str(root) not in str(values[:2]):
            return
        number += 1
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        sys.addaudithook(watch)
        act()
        code, counted = 0, number
        count.write_text(str(counted))
    except BaseException:
        count.write_text(traceback.format_exc())
    finally:
        os._exit(code)


def files_of(folder: Path) -> list[str]:
    """Return the names of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def without_times(value: Any) -> Any:
    """Return a value of JSON without what differs from run to run."""
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if not TIMES.fullmatch(key)}
    if not isinstance(value, list):
        return value
    parts = [without_times(part) for part in value]
    return sorted(parts) if all(isinstance(part, str) for part in parts) else parts


def differences(value: Any, other: Any, where: str = "") -> list[str]:
    """Return where two values of JSON differ."""
    if isinstance(value, dict) and isinstance(other, dict):
        keys = value.keys() | other.keys()
        return [
            text
            for key in keys
            for text in differences(value.get(key, "-"), other.get(key, "-"), f"{where}/{key}")
        ]
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        pairs = enumerate(zip(value, other, strict=True))
        return [text for at, (a, b) in pairs for text in differences(a, b, f"{where}/{at}")]
    return [] if value == other else [f"{where}: {str(value)[:80]} and not {str(other)[:80]}"]


def contents(folder: Path) -> dict[str, Any]:
    """Return what a folder holds: JSON without times, tables of numbers, hashes of weights."""
    held: dict[str, Any] = {}
    for name in files_of(folder):
        path = folder / name
        if path.suffix in (".json", ".jsonl"):
            rows = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            held[name] = [without_times(json.loads(row)) for row in rows]
        else:
            held[name] = fingerprint(path) if path.suffix == ".safetensors" else None
    return held


HEAVY = ("datasets", "matplotlib.pyplot", "peft", "rensa", "sacrebleu", "scipy.stats", "sklearn",
         "torch", "transformers.trainer", "trl")  # fmt: skip
"""What the forked processes would otherwise load each; it is imported and not used before."""


@pytest.fixture
def commands(
    base_models: dict[str, Path], write_data: Any, tmp_path_factory: Any, request: Any
) -> dict[str, Command]:
    for module in HEAVY:
        importlib.import_module(module)
    model = str(base_models["gpt2"])
    shared = tmp_path_factory.mktemp("shared")
    data = write_data(shared / "data")
    runs = request.getfixturevalue("runs") if KILLS > 1 else shared  # trained where it is asked
    old = Path(__file__).parent / "formats/old/texts.json"

    def build(folder: Path) -> None:
        from tuneproof.prepdata.build import build
        from tuneproof.prepdata.config import BuildConfig

        build(BuildConfig(source=("sample",), limit=20, out=folder / "data"))

    def tune(folder: Path) -> None:
        from tuneproof.tuning.config import TuneConfig
        from tuneproof.tuning.run import finetune

        config = TuneConfig(
            data=data, model=model, name="mine", runs=folder, max_length=96, save_steps=2,
            max_steps=6, per_device_train_batch_size=4, lora_r=4,
        )  # fmt: skip
        with suppress(InputError):  # it is finished
            finetune(config)

    def compare(folder: Path) -> None:
        from tuneproof.inference.compare import Progress, compare
        from tuneproof.inference.config import CompareConfig

        config = CompareConfig(
            run=("gpt2-mud",), runs=runs, out=folder / "c.json", max_new_tokens=4, batch_size=1,
            no_baselines=True, few_shot=0, limit=12,
        )  # fmt: skip
        add = Progress.add

        def counted(self: Progress, *given: Any) -> None:
            sys.audit(ANSWER, str(config.out))
            add(self, *given)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Progress, "add", counted)
            compare(data / "train.jsonl", config)

    def report(folder: Path) -> None:
        from tuneproof.eval.config import ReportConfig
        from tuneproof.eval.report.build import report

        report([old], folder / "report", ReportConfig(resamples=100))

    def merge(folder: Path) -> None:
        from tuneproof.formats.run import read_run
        from tuneproof.tuning.merge import merge_run

        with suppress(InputError):  # it is not empty, since it is done
            merge_run(read_run(runs / "gpt2-mud"), folder / "merged")

    def recipe(folder: Path) -> None:
        from tuneproof.recipes.recipe import load
        from tuneproof.recipes.run import run_recipe

        path = shared / "small.yaml"
        path.write_text(
            f"summary: small\nprepdata: {{source: [sample], limit: 12}}\n"
            f"tune: {{model: {json.dumps(model)}, max_steps: 2, max_length: 96, lora_r: 4}}\n"
            "compare: {prompts: [test], limit: 2, max_new_tokens: 4, no_baselines: true, "
            "few_shot: 0}\nscore: {resamples: 100}\n"
        )
        run_recipe(load(str(path), root=folder))

    return {
        "prepdata build": Command(build, contents),
        "tune run": Command(tune, contents),
        "infer compare": Command(compare, contents),
        "score report": Command(report, contents),
        "tune merge": Command(merge, contents),
        "recipe run": Command(recipe, contents),
    }


NAMES = ["prepdata build", "score report"]
if KILLS > 1:  # these load models or train, and take long; tests/tuning kills trainings too
    NAMES += ["infer compare", "tune merge", "tune run", "recipe run"]


@pytest.mark.skipif(KILLS > 0, reason="the kills run in this process")
def test_kills_in_a_process_of_their_own() -> None:
    arguments = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        arguments,
        env={**os.environ, "TUNEPROOF_KILLS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.skipif(KILLS == 0, reason="they run in a process of their own")
@pytest.mark.parametrize("name", NAMES)
def test_killed_command_ends_as_one_that_was_not(
    name: str, commands: dict[str, Command], tmp_path: Path
) -> None:
    command, count = commands[name], tmp_path / "count"
    folder = tmp_path / "work"

    def ends(*, kill_at: int | None = None, anew: bool = True) -> int:
        if anew:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        return in_child(lambda: command.run(folder), folder, kill_at, count)

    assert ends() == 0, count.read_text()
    expected, operations = command.result(folder), int(count.read_text())
    places = sorted({1 + int((n + 0.5) * operations / KILLS) for n in range(KILLS)})
    killed, faults = 0, []
    for place in places:
        killed += ends(kill_at=place) == -signal.SIGKILL
        code = ends(anew=False)
        if code or command.result(folder) != expected:
            why = count.read_text() if code else differences(command.result(folder), expected)
            faults.append(f"killed before operation {place}: {why}")
            print(faults[-1])
    print(f"| {name} | {killed} kills, {operations} operations | {killed - len(faults)} survived |")
    assert not faults, "\n".join(faults)
    assert killed == len(places)
