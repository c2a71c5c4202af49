from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tuneproof import ranks
from tuneproof.errors import InputError
from tuneproof.launch import _end_of, is_to_launch, join, launch
from tuneproof.tuning.cli import main


@pytest.fixture
def second_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", 4), ("RANK", 1), ("LOCAL_RANK", 1)):
        monkeypatch.setenv(name, str(value))


def test_process_that_nobody_launched_is_the_first_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")  # of the pods of a job, whose launcher is yet to come
    monkeypatch.setenv("RANK", "2")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert (ranks.world_size(), ranks.rank(), ranks.local_rank()) == (1, 0, 0)
    assert ranks.is_main()
    ranks.wait()
    assert ranks.from_main("mine") == "mine"
    assert ranks.gathered("mine") == ["mine"]
    assert ranks.summed([1, 2.5]) == [1, 2.5]


def test_launched_process_knows_its_number(second_of_four: None) -> None:
    assert (ranks.world_size(), ranks.rank(), ranks.local_rank()) == (4, 1, 1)
    assert not ranks.is_main()


def test_processes_are_launched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_to_launch(None)
    assert not is_to_launch(1)
    assert is_to_launch(4)
    with pytest.raises(InputError, match="must be at least 1, got 0"):
        is_to_launch(0)


def test_launched_process_launches_no_more(second_of_four: None) -> None:
    assert not is_to_launch(4)
    with pytest.raises(InputError, match="4 processes were started, and --num-processes is 2"):
        is_to_launch(2)


def test_no_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(InputError, match="--num-processes 4, and this machine has 2 GPUs"):
        launch("tuneproof.tuning", ["list"], 4)


def test_process_without_a_gpu_of_its_own_is_told(
    second_of_four: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(InputError, match="process 1 of this machine has no GPU: there are 1"):
        join()


def test_processes_do_not_share_a_named_gpu(second_of_four: None) -> None:
    with pytest.raises(InputError, match="cuda:1 would put 4 processes on one GPU"):
        join("cuda:1")


@pytest.mark.parametrize("command", ["list", "sweep x.yaml", "merge run"])
def test_command_that_works_alone_refuses_company(
    second_of_four: None, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("tuneproof.errors.ALIKE_S", 0.0)
    result = CliRunner().invoke(main, command.split(), prog_name="tune")
    assert result.exit_code == 2
    assert f"`tune {command.split()[0]}` works in one process, and 4 were started" in result.output


@pytest.mark.parametrize(
    ("codes", "end"),
    [
        ({0: 2, 1: -signal.SIGKILL}, "process 1 of 2 was killed (SIGKILL)"),
        ({0: 2, 1: -signal.SIGTERM}, 2),
        ({0: -signal.SIGTERM}, 128 + signal.SIGTERM),
        ({1: 1}, 1),
    ],
)
def test_job_ends_as_its_process_did(codes: dict[int, int], end: str | int) -> None:
    failures = {rank: SimpleNamespace(exitcode=code) for rank, code in codes.items()}
    error = _end_of(failures, 2)
    if isinstance(end, str):
        assert str(error).startswith(end)
    else:
        assert isinstance(error, SystemExit)
        assert error.code == end
