from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tuneproof.errors import InputError
from tuneproof.files import WRITING
from tuneproof.locks import at_work

OLD = Path(__file__).parent / "formats" / "old"
HOLD = """
import sys, time
from pathlib import Path
from tuneproof.locks import at_work
with at_work(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A path that another process holds, and that process."""
    path = tmp_path / "made"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield path, process
        process.kill()


def test_second_process_is_told_who_is_at_work(held: tuple[Path, subprocess.Popen[str]]) -> None:
    path, process = held
    told = rf"made: another process \(pid {process.pid} on {socket.gethostname()}, since 20"
    with pytest.raises(InputError, match=told), at_work(path):
        raise AssertionError
    assert not path.exists()


def test_lock_of_a_killed_process_is_free_and_what_it_left_is_removed(
    held: tuple[Path, subprocess.Popen[str]],
) -> None:
    path, process = held
    path.mkdir()
    (path / f".run.json.{process.pid}.tmp").write_text("{")
    (path / ".env.tmp").write_text("mine")
    (path.parent / f".made{WRITING}x").mkdir()
    (path.parent / f".made-2{WRITING}x").mkdir()
    process.kill()
    process.wait()
    with at_work(path), at_work(path):  # of the same thread
        owner = json.loads((path.parent / ".made.lock").read_text())
        assert owner["pid"] == os.getpid()
    assert [file.name for file in path.iterdir()] == [".env.tmp"]
    left = sorted(file.name for file in path.parent.iterdir())
    assert left == [f".made-2{WRITING}x", "made"]


def test_other_thread_of_the_process_is_kept_out_as_well(tmp_path: Path) -> None:
    faults: list[InputError] = []

    def work() -> None:
        try:
            with at_work(tmp_path / "made"):
                pass
        except InputError as error:
            faults.append(error)

    with at_work(tmp_path / "made"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(faults) == 1


def test_many_processes_never_hold_a_lock_together(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from tuneproof.errors import InputError
from tuneproof.locks import at_work
folder, done = Path({str(tmp_path)!r}), 0
while done < 30:
    try:
        with at_work(folder / "made"):
            (folder / "inside").touch(exist_ok=False)
            (folder / "inside").unlink()
            done += 1
    except InputError:
        pass
"""
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == []


def built(out: Path) -> None:
    from tuneproof.prepdata.build import build
    from tuneproof.prepdata.config import BuildConfig

    build(BuildConfig(source=("sample",), limit=30, out=out))


def compared(out: Path) -> None:
    from tuneproof.formats.example import TEST_PROMPTS
    from tuneproof.inference.compare import compare
    from tuneproof.inference.config import CompareConfig

    compare(TEST_PROMPTS, CompareConfig(run=("none",), out=out))


def reported(out: Path) -> None:
    from tuneproof.eval.config import ReportConfig
    from tuneproof.eval.report.build import report

    report([Path("nowhere.json")], out, ReportConfig())


def asked_elsewhere(out: Path) -> None:
    from tuneproof.eval.config import ExternalConfig
    from tuneproof.eval.external import external

    external(ExternalConfig(tasks=("arc_easy",), run="none", out=out))


def asked_general_items(out: Path) -> None:
    from tuneproof.inference.config import RegressionsConfig
    from tuneproof.inference.regressions import compare_regressions

    compare_regressions(RegressionsConfig(model=("tiny",), out=out))


def judged(out: Path) -> None:
    from tuneproof.eval.config import JudgeConfig
    from tuneproof.inference.judge import judge

    judge([OLD / "texts.json"], JudgeConfig(model="tiny", variant="lora", out=out))


def published(out: Path) -> None:
    from tuneproof.eval.publish import publish

    publish(OLD / "reports" / "texts", out, OLD / "runs")


def fetched(out: Path) -> None:
    from tuneproof.models.fetch import fetch

    fetch("smollm2", out)


def trained(out: Path) -> None:
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    finetune(TuneConfig(runs=out.parent, name=out.name))


def run_by_recipe(out: Path) -> None:
    from tuneproof.recipes.recipe import load
    from tuneproof.recipes.run import run_recipe

    recipe = load("demo", root=out.parents[1])
    assert recipe.reports == out
    run_recipe(recipe)


def curve_by_recipe(out: Path) -> None:
    from tuneproof.recipes.curve import run_curve
    from tuneproof.recipes.recipe import load

    run_curve(load("demo", root=out.parents[1]), (0.5, 1.0))


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (built, "data"),
        (compared, "compared.json"),
        (reported, "reports/mine"),
        (asked_elsewhere, "external.json"),
        (asked_general_items, "regressions.json"),
        (judged, "judgements.json"),
        (published, "statement.json"),
        (fetched, "smollm2"),
        (trained, "runs/mine"),
        (run_by_recipe, "reports/demo"),
        (curve_by_recipe, "reports/demo-curve"),
    ],
)
def test_command_does_not_begin_where_another_is_at_work(
    tmp_path: Path, write: Callable[[Path], None], name: str
) -> None:
    out = tmp_path / name
    out.parent.mkdir(exist_ok=True)
    with (
        FileLock(out.parent / f".{out.name}.lock"),
        pytest.raises(InputError, match="at work here"),
    ):
        write(out)
    assert not out.exists()


def merged(run: Any, out: Path) -> None:
    from tuneproof.tuning.merge import merge_run

    merge_run(run, out)


def exported(run: Any, out: Path) -> None:
    from tuneproof.tuning.export.config import ExportConfig
    from tuneproof.tuning.export.export import export_run

    export_run(run, ExportConfig(out=out))


@pytest.mark.parametrize("write", [merged, exported])
def test_run_is_not_written_where_another_is_at_work(
    tmp_path: Path, make_run: Callable[..., Any], write: Callable[[Any, Path], None]
) -> None:
    run, out = make_run("mine"), tmp_path / "made"
    with FileLock(tmp_path / ".made.lock"), pytest.raises(InputError, match="at work here"):
        write(run, out)
    assert not out.exists()


def test_sweep_does_not_begin_where_another_is_at_work(
    tmp_path: Path, write_data: Callable[..., Path]
) -> None:
    from tuneproof.tuning.sweep.config import read_sweep
    from tuneproof.tuning.sweep.sweep import sweep

    file = tmp_path / "s.yaml"
    file.write_text("tune: {model: tiny}\nsearch: {lora_r: [2, 4]}\ntrials: 1\n")
    config = read_sweep(file, {"runs": tmp_path, "data": write_data(tmp_path / "data")})
    with FileLock(tmp_path / ".s-sweep.lock"), pytest.raises(InputError, match="at work here"):
        sweep(config)
    assert not config.folder.exists()


def test_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / ".a.lock").symlink_to(tmp_path / "victim")
    with at_work(tmp_path / "a"):
        pass
    assert (tmp_path / "victim").read_text() == "kept"
