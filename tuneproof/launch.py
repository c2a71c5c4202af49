"""Start a command in several processes on this machine, as torchrun does, and join such a job.

torchrun's own agent does the work: when a process ends with an error the others are ended as well.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeGuard

from tuneproof import ranks
from tuneproof.errors import InputError, Terminated

SHUTDOWN_S = "300"
"""Seconds that processes have after a signal to save and end, before they are killed. After the
loss of one of them torch gives the others 30."""
SHUTDOWN = "TORCH_ELASTIC_SHUTDOWN_TIMEOUT"
WAIT = timedelta(minutes=30)
"""How long a process waits for the others: evaluations and checkpoints are in it."""


def is_to_launch(processes: int | None) -> TypeGuard[int]:
    """Return whether so many processes are still to be started: not in one of them.

    Raises:
        InputError: Fewer than one, or another number was started.
    """
    if processes is None:
        return False
    if processes < 1:
        raise InputError(f"--num-processes must be at least 1, got {processes}")
    started = ranks.world_size()
    if started > 1 and started != processes:
        raise InputError(
            f"{started} processes were started, and --num-processes is {processes}; leave it out"
        )
    return processes > started


def launch(module: str, arguments: Sequence[str], processes: int, device: str = "auto") -> None:
    """Run ``python -m MODULE ARGUMENTS`` in so many processes, and return when all are done.

    Args:
        module: A command's.
        arguments: As they were typed; every process gets them.
        processes: How many.
        device: Where the user wants the work to be done.

    Raises:
        InputError: There are fewer GPUs, or a process was killed.
        SystemExit: A process ended with an error; it has said which.
        KeyboardInterrupt: Ctrl-C or SIGTERM came, and was passed on.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    gpus = _gpus(device)
    if 0 < gpus < processes:
        raise InputError(
            f"--num-processes {processes}, and this machine has {gpus} GPUs; give --device cpu to "
            "share its cores"
        )
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    os.environ.setdefault(SHUTDOWN, SHUTDOWN_S)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="tuneproof",
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",  # any free port
        local_addr="127.0.0.1",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(),
    )
    try:
        elastic_launch(config, sys.executable)("-m", module, *arguments)
    except ChildFailedError as error:
        raise _end_of(error.failures, processes) from None
    except SignalException as error:
        if error.sigval == signal.SIGTERM:
            raise Terminated from None
        raise KeyboardInterrupt from None


def _gpus(device: str) -> int:
    """Return how many GPUs there are for a job on a device."""
    import torch

    return 0 if device == "cpu" else torch.cuda.device_count()


def _end_of(failures: dict[int, Any], processes: int) -> BaseException:
    """Return what a job ends with that lost processes: the exit code of the first that said why."""
    for rank, failure in sorted(failures.items()):
        if failure.exitcode < 0 and -failure.exitcode != signal.SIGTERM:
            name = signal.Signals(-failure.exitcode).name
            return InputError(
                f"process {rank} of {processes} was killed ({name}), and the others were ended; "
                "the same command goes on from what is saved"
            )
    code = next(failure.exitcode for _, failure in sorted(failures.items()))
    return SystemExit(code if code > 0 else 128 - code)


def join(device: str = "auto") -> None:
    """Meet the other processes of the job; each takes the GPU of its number.

    Args:
        device: Where the user wants the work to be done.

    Raises:
        InputError: This process has no GPU of its own where others have, or all are to use one.
    """
    if ranks.world_size() == 1:
        return
    if ":" in device:
        raise InputError(
            f"--device {device} would put {ranks.world_size()} processes on one GPU; leave it out, "
            "and each takes its own"
        )
    import torch
    from torch import distributed

    gpus = _gpus(device)
    if 0 < gpus <= ranks.local_rank():
        raise InputError(
            f"process {ranks.local_rank()} of this machine has no GPU: there are {gpus}; start as "
            "many processes"
        )
    if gpus:
        torch.cuda.set_device(ranks.local_rank())
    if not distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
        distributed.init_process_group(backend, timeout=WAIT)
