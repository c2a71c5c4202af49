"""What is started is a process of its own, one at a time, that can be watched and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.ui import jobs
from tuneproof.ui.jobs import Jobs, share_done

pytestmark = pytest.mark.usefixtures("code_path")


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("lines", "share"),
    [
        ([], None),
        (["2/4 tune", "step 50/200: loss 1.2, 900 tokens/s, 8 s left", "epoch 1: ..."], 0.25),
        (["step 1,000/2,000: loss 1"], 0.5),
        (["step 50/200: loss 1", "3/4 compare: data/test.jsonl"], None),
        (["3/4 compare: data/test.jsonl", "answered 30 of 40"], 0.75),
        (["step 5, 40% of the budget: loss 1"], None),
    ],
)
def test_progress_is_read_off_the_lines(lines: list[str], share: float | None) -> None:
    assert share_done(lines) == share


def test_command_ends_and_its_lines_are_kept(tmp_path: Path) -> None:
    job = Jobs(tmp_path).start(["--version"])
    job.wait()
    assert (job.state, job.title) == ("done", "tuneproof --version")
    assert job.lines[0].startswith("tuneproof ")


def test_wrong_call_fails_with_its_line(tmp_path: Path) -> None:
    job = Jobs(tmp_path).start(["score", "report", "nothing.json"])
    job.wait()
    assert job.state == "failed (exit code 2)"
    assert list(job.lines) == ["Error: no such file: nothing.json"]


@pytest.mark.parametrize("is_safe", [True, False], ids=["3.11", "3.10"])
def test_no_module_of_the_folder_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_safe: bool
) -> None:
    if not is_safe:  # as Python 3.10, which does not know the variable
        env = {key: value for key, value in jobs.environment().items() if key != "PYTHONSAFEPATH"}
        monkeypatch.setattr(jobs, "environment", lambda: env)
    for name in ("click", "runpy", "tuneproof"):
        (tmp_path / f"{name}.py").write_text("print('run')")
    job = Jobs(tmp_path).start(["--version"])
    job.wait()
    assert job.state == "done"
    assert "run" not in job.lines


def test_lines_are_written_as_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONUTF8", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    say = [sys.executable, "-X", "utf8=0", "-c", "print('caf\\xe9')"]
    said = subprocess.run(say, env=jobs.environment(), capture_output=True, check=True).stdout
    assert said.decode().strip() == "caf\u00e9"


def test_stopping_all_lets_one_save_its_work_that_is_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        jobs,
        "START",
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), print('saved'), exit(143)))\n"
        "print('begun')\n"
        "time.sleep(60)",
    )
    started = Jobs(tmp_path)
    job = started.start([])
    wait_for(lambda: job.lines)
    job.stop()
    started.stop_all()
    assert list(job.lines) == ["begun", "saved"]


def test_no_path_is_looked_up_in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ["", "/there", ".", "lib", ""]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    assert jobs.environment()["PYTHONPATH"] == "/there"


@pytest.mark.slow
def test_one_runs_at_a_time_until_it_is_stopped(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    started = Jobs(tmp_path)
    job = started.start(["ui", "--port=0"])
    wait_for(lambda: job.lines)
    with pytest.raises(InputError, match="`tuneproof ui --port=0` is running"):
        started.start(["--version"])
    assert (job.state, job.is_running) == ("running", True)
    job.stop()
    job.wait()
    assert job.state == "stopped"
    assert started.start(["--version"]).number == 2
    started.stop_all()
    with pytest.raises(FileNotFoundError):
        started.get("3")
