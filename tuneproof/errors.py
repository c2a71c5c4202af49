"""The exceptions that a user can mend, and how a command shows them: one line, exit code 2."""

from __future__ import annotations

import difflib
import errno
import io
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import click

from tuneproof import ranks
from tuneproof.environment import set_memory_defaults
from tuneproof.hub import disable_telemetry
from tuneproof.log import lines_to, quiet_loggers, to_stderr

UNUSABLE_PATH = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)
"""The faults of a path that the user named."""
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_TEXTS = (
    "No space left on device",
    "Disk quota exceeded",
    ". unexpected pos ",
    "PytorchStreamWriter failed writing",
)
"""What libraries that are not written in Python say of a full disk, or of a quota."""
NO_MEMORY_TEXTS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
"""What torch says, on a CPU, CUDA and MPS."""
LOWER = {
    "prepdata": "give --limit, or fewer sources at a time",
    "score": "score fewer files at a time, or lower --resamples",
    "infer": "lower --batch-size or --max-new-tokens",
    "tune": "lower --per-device-train-batch-size (and raise --gradient-accumulation-steps by as "
    "much) or --max-length, or give --auto-find-batch-size, --gradient-checkpointing or "
    "--load-in-4bit",
}
"""What to do where a command has no memory left."""
LOST_TEXTS = ("Connection closed by peer", "Connection reset by peer", "ncclRemoteError")
"""What torch says in a process whose job has lost another one."""
TYPED = "tuneproof.typed"
"""Where a context's `meta` holds the sub-command and its arguments as they were typed."""
TOGETHER = ("tune run", "infer compare")
"""The commands that several processes can do together."""
ALIKE_S = 8.0
"""Seconds that an error waits in another process than the first: mostly that has the same one, says
so, and with its end ends them all."""
LONGEST = 1200
"""Characters of a message."""
TERMINATED = 128 + 15
"""The exit code of a command that SIGTERM ended, as shells have it."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message says what is wrong, where (``file:line``), the value seen, and what to type instead.
    Of one that quotes too much of a broken file, the middle is left out.
    """

    def __init__(self, message: object) -> None:
        """Take the message."""
        text = str(message)
        half = LONGEST // 2
        super().__init__(text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}")


class Terminated(KeyboardInterrupt):
    """SIGTERM came, as from a scheduler, or SIGHUP: everything is tidied up as after Ctrl-C."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return str(error).strip().split("\n")[0]


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error, or one that led to it, says that a disk is full."""
    return any(
        (isinstance(cause, OSError) and cause.errno in FULL)
        or any(text in str(cause) for text in FULL_TEXTS)
        for cause in _chain(error)
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that led to it, says that there is no memory left."""
    return any(
        isinstance(cause, MemoryError)
        or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM)
        or type(cause).__name__ == "OutOfMemoryError"  # torch's
        or (isinstance(cause, RuntimeError) and any(t in str(cause) for t in NO_MEMORY_TEXTS))
        for cause in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a name that is not among the known ones, with the nearest match."""
    names = sorted(known)
    name = name if len(name) <= 80 else f"{name[:77]}..."
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(names) if names else "none yet"
    return InputError(f"unknown {kind} {name!r}.{hint} Known: {listed}")


class Group(click.Group):
    """A click group whose commands show log lines, and an InputError as one line with exit code 2.

    Options may be typed with underscores as well as dashes, as Python and YAML spell them.
    """

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Return click's context, for this group and its commands."""
        _never_fail_to_write()
        kwargs.setdefault("token_normalize_func", lambda name: name.replace("_", "-"))
        return super().make_context(*args, **kwargs)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the sub-command; of several processes, not one that each would do by itself."""
        ctx.meta[TYPED] = list(args)
        name, command, rest = super().resolve_command(ctx, args)
        if ranks.world_size() > 1 and f"{ctx.info_name} {name}" not in TOGETHER:
            raise _Failure(
                f"`{ctx.info_name} {name}` works in one process, and {ranks.world_size()} were "
                "started; start it without torchrun or accelerate"
            )
        return name, command, rest

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Take click's settings, and add ``--version``."""
        super().__init__(*args, **settings)
        self.params.append(
            click.Option(
                ["--version"], is_flag=True, is_eager=True, expose_value=False,
                callback=_show_version, help="Show the version and exit.",
            )
        )  # fmt: skip

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command; only what the user can mend becomes a message."""
        with reported(str(ctx.info_name)):
            return super().invoke(ctx)


@contextmanager
def reported(command: str) -> Iterator[None]:
    """Show log lines while a command runs; what the user can mend becomes one line, exit code 2."""
    disable_telemetry()
    set_memory_defaults()
    quiet_loggers()
    try:
        with _terminable(), _one_voice():
            yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        error.ctx = None  # else its one line comes under three of usage
        raise
    except InputError as error:
        raise _Failure(str(error)) from error
    except Terminated:
        if ranks.is_main():
            with suppress(OSError):  # the terminal is gone
                click.echo("Terminated!", err=True)
        raise click.exceptions.Exit(TERMINATED) from None
    except KeyboardInterrupt:
        raise click.Abort from None
    except Exception as error:
        fault = _fault_of_machine(error, command)
        if fault is None:
            raise
        raise _Failure(fault) from error


def _never_fail_to_write() -> None:
    """Have signs that a stream cannot write (a minus sign in a code page of Windows) spelt out."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _one_voice() -> Iterator[None]:
    """Show lines of progress and results; of several processes, those of the first."""
    if ranks.is_main():
        with lines_to(to_stderr):
            yield
        ranks.leave()
        return
    try:
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
            lines_to(lambda line: None),
        ):
            yield
        ranks.leave()
    except InputError as error:
        time.sleep(ALIKE_S)
        raise InputError(f"process {ranks.rank()}: {error}") from error
    except Exception:
        time.sleep(ALIKE_S)
        raise


@contextmanager
def _terminable() -> Iterator[None]:
    """Have SIGTERM end the block as Ctrl-C does, so that nothing half-written is left.

    So does SIGHUP, when the terminal is closed, unless it is ignored, as `nohup` has it.
    """

    def end(*_: Any) -> None:
        raise Terminated

    numbers = [int(signal.SIGTERM)]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        numbers.append(signal.SIGHUP)
    before: dict[int, Any] = {}
    with suppress(ValueError):  # not the main thread
        for number in numbers:
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fault_of_machine(error: Exception, command: str) -> str | None:
    """Return what is wrong with a path, the disk or the memory; None where it is none of these."""
    if is_full_disk(error):
        names = [cause.filename for cause in _chain(error) if isinstance(cause, OSError)]
        where = next((f"{name}: " for name in names if name), "")
        return f"{where}no space left on the disk; make room, and run the same command again"
    if is_out_of_memory(error):
        return f"out of memory; {LOWER.get(command, LOWER['tune'])}"
    if ranks.world_size() > 1 and any(
        t in str(cause) for cause in _chain(error) for t in LOST_TEXTS
    ):
        return (
            "another process of this job ended, and this one with it; the same command goes on "
            "from what is saved"
        )
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return "a path holds a NUL character"
    if isinstance(error, OSError) and error.errno in UNUSABLE_PATH and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return None


def _show_version(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        from importlib import metadata

        click.echo(f"{ctx.info_name} (tuneproof) {metadata.version('tuneproof')}")
        ctx.exit()


class _Failure(click.ClickException):
    """One line on stderr, and the exit code of a usage error."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        """Keep the message, on one line."""
        super().__init__(" ".join(message.split("\n")))
