"""Run a Python program that a model wrote: in a process of its own, which can do little.

The process may compute and read files. It has limits of time and memory, and the kernel (seccomp)
refuses everything else: the network, other processes, signals, and writing any file.

The parent calls `runs`. The child is this file run as a script, so it imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import subprocess
import sys
import tempfile
import types
from contextlib import suppress
from pathlib import Path

TIMEOUT_S = 5.0
"""Seconds that a program may take, by the clock and of the processor."""
MEMORY_BYTES = 1 << 30
"""Address space that it may have."""
DONE = 97
"""How the child ends after everything has run; 0 may be the program's own."""
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Machine -> the kernel's number of it, and its column in `CALLS`."""
CALLS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "stat": (4, None), "fstat": (5, 80),
    "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "ioctl": (16, 29), "pread64": (17, 67),
    "readv": (19, 65), "writev": (20, 66), "access": (21, None), "sched_yield": (24, 124),
    "mremap": (25, 216), "madvise": (28, 233), "dup": (32, 23), "nanosleep": (35, 101),
    "getpid": (39, 172), "exit": (60, 93), "uname": (63, 160), "fcntl": (72, 25),
    "getcwd": (79, 17), "chdir": (80, 49), "readlink": (89, None), "getrlimit": (97, 163),
    "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174),
    "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173),
    "sigaltstack": (131, 132), "gettid": (186, 178), "time": (201, None), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "getdents64": (217, 61), "set_tid_address": (218, 96),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "exit_group": (231, 94), "newfstatat": (262, 79), "readlinkat": (267, 78),
    "faccessat": (269, 48), "ppoll": (271, 73), "set_robust_list": (273, 99), "dup3": (292, 24),
    "getrandom": (318, 278), "statx": (332, 291), "rseq": (334, 293), "faccessat2": (439, 439),
}  # fmt: skip
"""System calls that are allowed, with their numbers on each machine; all others fail."""
OPEN, OPENAT, CLONE, CLONE3 = (2, None), (257, 56), (56, 220), 435
WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o20000000
"""Flags of an opening that could write: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE."""
THREAD = 0x10000
"""The flag by which `clone` makes a thread and not a process."""
_LOAD, _EQUALS, _HAS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38
"""What the filter returns; refused calls fail with EPERM, unknown ones with ENOSYS."""
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


def is_supported() -> bool:
    """Return whether this system can shut a process off from the network."""
    return sys.platform == "linux" and platform.machine() in ARCHITECTURES


def runs(
    program: str,
    tests: str | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
    memory_bytes: int = MEMORY_BYTES,
) -> bool:
    """Return whether a Python program ends by itself without an error, within the limits.

    Args:
        program: Its source.
        tests: Source that is run after it with its names, also where it ends by `sys.exit`.
        timeout_s: Seconds it may take.
        memory_bytes: Address space it may have.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, source in enumerate((program,) if tests is None else (program, tests)):
            files.append(Path(folder) / f"part{number}.py")
            files[-1].write_bytes(source.encode("utf-8", "replace"))
        limits = (str(timeout_s), str(memory_bytes))
        child = subprocess.Popen(
            [sys.executable, "-I", "-B", __file__, *limits, *map(str, files)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        try:
            return child.wait(timeout_s + 1) == DONE
        except subprocess.TimeoutExpired:
            return False
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def shut_in(seconds: float, memory_bytes: int) -> None:
    """Limit this process for good: time, memory, and which system calls it may make."""
    import resource

    whole = max(1, round(seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rules = _rules(platform.machine())
    data = ctypes.create_string_buffer(b"".join(rules), 8 * len(rules))
    program = struct.pack("HL", len(rules), ctypes.addressof(data))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (
        (_NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        (_SECCOMP, _FILTER, ctypes.create_string_buffer(program, len(program)), 0, 0),
    ):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "the kernel has no seccomp filters")


def _rules(machine: str) -> list[bytes]:
    """Return the filter as the kernel's instructions (classic BPF)."""
    number, column = ARCHITECTURES[machine]
    open_, openat, clone = OPEN[column], OPENAT[column], CLONE[column]

    def rule(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    def unless(call: int | None, argument: int, flags: int, *, refused: bool) -> list[bytes]:
        """Refuse, or allow only, a call whose argument has one of the flags."""
        if call is None:
            return []
        with_flag, without = (_REFUSE, _ALLOW) if refused else (_ALLOW, _REFUSE)
        return [
            rule(_EQUALS, call, 0, 4),
            rule(_LOAD, 16 + 8 * argument),
            rule(_HAS, flags, 0, 1),
            rule(_RETURN, with_flag),
            rule(_RETURN, without),
        ]

    rules = [rule(_LOAD, 4), rule(_EQUALS, number, 1, 0), rule(_RETURN, _KILL), rule(_LOAD, 0)]
    rules += unless(open_, 1, WRITING, refused=True)
    rules += unless(openat, 2, WRITING, refused=True)
    rules += unless(clone, 0, THREAD, refused=False)
    rules += [rule(_EQUALS, CLONE3, 0, 1), rule(_RETURN, _UNKNOWN)]  # then `clone` is tried
    for numbers in CALLS.values():
        if numbers[column] is not None:
            rules += [rule(_EQUALS, numbers[column] or 0, 0, 1), rule(_RETURN, _ALLOW)]
    return [*rules, rule(_RETURN, _REFUSE)]


def run_in_turn(files: list[str]) -> int:
    """Run programs as one module; return how the process ends. Only the last one's exit counts."""
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    for file in files:
        module.__file__ = file
        try:
            exec(compile(Path(file).read_bytes(), file, "exec"), module.__dict__)
        except SystemExit as end:
            if file == files[-1] and end.code not in (None, 0):
                return 1
    return DONE


if __name__ == "__main__":
    seconds, size, *programs = sys.argv[1:]
    sys.argv = programs[:1]
    shut_in(float(seconds), int(size))
    sys.exit(run_in_turn(programs))
