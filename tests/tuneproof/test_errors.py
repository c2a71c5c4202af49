from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tuneproof.errors import Group, InputError, reported, unknown


def run(fault: BaseException, *args: str) -> Result:
    @click.group(cls=Group)
    def main() -> None:
        pass

    @main.command()
    @click.option("--number", type=int)
    def work(number: int | None) -> None:
        raise fault

    return CliRunner().invoke(main, args or ("work",))


def test_unknown_name_error_gives_the_nearest_match_and_all_names() -> None:
    error = unknown("source", "doly", ["finqa", "dolly"])
    assert str(error) == "unknown source 'doly'. Did you mean 'dolly'? Known: dolly, finqa"


def test_unknown_name_error_without_a_near_match_gives_none() -> None:
    assert str(unknown("run", "x", [])) == "unknown run 'x'. Known: none yet"


def test_input_error_is_one_line_with_exit_code_2() -> None:
    result = run(InputError("first\nsecond"))
    assert result.exit_code == 2
    assert result.stderr == "Error: first second\n"


def test_usage_error_is_one_line_with_exit_code_2() -> None:
    result = run(InputError("never"), "work", "--number", "ten")
    assert result.exit_code == 2
    assert result.stderr == "Error: Invalid value for '--number': 'ten' is not a valid integer.\n"


def test_unusable_path_is_one_line_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught:
        (tmp_path / "file" / "folder").mkdir()
    result = run(caught.value)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path / 'file' / 'folder'}: Not a directory\n"


@pytest.mark.parametrize("fault", [ValueError("a fault of ours"), OSError("no path")])
def test_other_errors_keep_their_traceback(fault: Exception) -> None:
    result = run(fault)
    assert result.exit_code == 1
    assert result.exception is fault


def test_interruption_aborts_with_exit_code_1() -> None:
    result = run(KeyboardInterrupt())
    assert result.exit_code == 1
    assert "Aborted!" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_termination_tidies_up_and_exits_with_143(number: int) -> None:
    @click.group(cls=Group)
    def main() -> None:
        pass

    tidied: list[bool] = []

    @main.command()
    def work() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            tidied.append(True)

    before = signal.getsignal(number)
    result = CliRunner().invoke(main, ("work",))
    assert result.exit_code == 143
    assert tidied == [True]
    assert "Terminated!" in result.stderr
    assert signal.getsignal(number) is before


def test_hangup_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with reported("tune"):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
        RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
        ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_full_disk_is_one_line(fault: Exception) -> None:
    result = run(fault)
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: no space left on the disk; make room, and run the same command again\n"
    )


def test_full_disk_names_the_file_where_it_is_known() -> None:
    result = run(OSError(errno.ENOSPC, "No space left on device", "runs/demo/run.json"))
    assert result.stderr.startswith("Error: runs/demo/run.json: no space left on the disk;")


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
    ],
)
def test_no_memory_says_what_to_lower(fault: Exception) -> None:
    result = run(fault)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: out of memory; lower --per-device-train-batch-size")
    assert "--load-in-4bit" in result.stderr
