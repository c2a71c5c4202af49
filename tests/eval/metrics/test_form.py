"""Checks of form by cases that can be judged by eye, and programs that are shut in."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.eval.metrics import form, sandbox
from tuneproof.eval.metrics.asked import metric_of

needs_linux = pytest.mark.skipif(not sandbox.is_supported(), reason="no seccomp here")


def value(spec: str, prediction: str, **columns: object) -> float | None:
    reference = columns.pop("reference", None)
    known = {"reference": (reference,) if reference else None, "length": None, **columns}
    return metric_of(spec)[1].value({"prediction": prediction, **known})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [1, 2.5, null]}', 1),
        ("3", 1),
        ('```json\n{"a": 1}\n```', 1),
        ('Here it is:\n```json\n{"a": 1}\n```', 0),
        ("{'a': 1}", 0),
        ('{"a": NaN}', 0),
        ('{"a": 1} and more', 0),
        ("[" * 100_000, 0),
        ("", 0),
    ],
)
def test_json_is_valid_where_the_whole_answer_is_json(text: str, expected: int) -> None:
    assert value("json", text) == expected


def test_json_must_fit_its_schema(tmp_path: Path) -> None:
    pytest.importorskip("jsonschema")
    schema = tmp_path / "order.json"
    shape = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    schema.write_text(json.dumps(shape))
    spec = f"json:{schema}"
    assert value(spec, '{"n": 3}') == 1
    assert value(spec, '{"n": "3"}') == 0
    assert value(spec, "[]") == 0
    schema.write_text('{"type": "no such type"}')
    with pytest.raises(InputError, match=r"order\.json: no JSON Schema"):
        metric_of(spec)


def test_regex_is_found_anywhere_unless_it_says_where() -> None:
    assert value(r"regex:\d+ euros", "It is 12 euros.") == 1
    assert value(r"regex:^\d+$", "It is 12") == 0
    with pytest.raises(InputError, match="no regular expression"):
        metric_of("regex:(")


def test_regex_that_never_ends_is_an_error() -> None:
    with pytest.raises(InputError, match="takes more than 1 s"):
        value(r"regex:^(a|aa)+$", "a" * 60 + "b")


def test_contains_ignores_case_and_white_space() -> None:
    assert value("contains:best  regards", "Best\nRegards, Ann") == 1
    assert value("contains:best regards", "Regards") == 0
    assert value("contains", "It is in PARIS, France", reference="Paris") == 1
    assert value("contains", "It is in Rome", reference="Paris") == 0
    assert value("contains", "It is in Rome") is None


def test_max_length_counts_in_its_unit() -> None:
    assert value("max-length:5", "12345 ") == 1
    assert value("max-length:5", "123456") == 0
    assert value("max-length:2 words", "two words") == 1
    assert value("max-length:2 words", "now three words") == 0
    assert value("max-length:9 tokens", "any", length=10) == 0
    with pytest.raises(InputError, match="a number of characters, words, tokens"):
        metric_of("max-length:long")


def test_language_is_told_or_left_open() -> None:
    german = (
        "Das ist nicht der richtige Weg, und er wird von uns auch nicht für eine Reise genommen."
    )
    assert value("language:de", german) == 1
    assert value("language:en", german) == 0
    assert value("language:German", "42") is None
    assert value("language:de", "") == 0
    with pytest.raises(InputError, match="unknown language 'klingon'"):
        metric_of("language:klingon")


@needs_linux
@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("Here:\n```python\nimport json\nprint(json.dumps([1 + 1]))\n```\nThat prints 2.", 1),
        ("import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()", 1),
        ("print(1", 0),
        ("1 / 0", 0),
        ("raise SystemExit(3)", 0),
        ("raise SystemExit", 1),
        ("import os; os._exit(0)", 0),  # whatever came before: it did not get to its end
        ("", 0),
    ],
)
def test_code_runs_where_it_ends_without_an_error(program: str, expected: int) -> None:
    assert value("code", program) == expected


@needs_linux
def test_code_is_run_with_its_tests() -> None:
    answer = "```python\ndef double(n):\n    return 2 * n\n```"
    assert value("code:reference", answer, reference="assert double(2) == 4") == 1
    assert value("code:reference", answer, reference="assert double(2) == 5") == 0


UNIT = """
import unittest

class Case(unittest.TestCase):
    def test_f(self):
        self.assertEqual(f(1), {wanted})

unittest.main()
"""


@needs_linux
@pytest.mark.parametrize(
    "end", ["exit()", "import sys; sys.exit(1)", "if __name__ == '__main__':\n    exit(f(0))", ""]
)
def test_an_answer_that_exits_is_tested_all_the_same(end: str) -> None:
    answer = f"def f(n):\n    return n + 1\n\nprint(f(1))\n{end}"
    for tests, expected in (
        ("assert f(1) == 2", 1),
        ("assert f(1) == 3", 0),
        ("assert undefined", 0),
        (UNIT.format(wanted=2), 1),
        (UNIT.format(wanted=3), 0),
    ):
        assert value("code:reference", answer, reference=tests) == expected


@needs_linux
@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "held = bytearray(4 << 30)",
        "import os; os.fork()",
        "import subprocess; subprocess.run(['true'], check=True)",
        "import os; os.kill(os.getppid(), 0)",
        "import socket; socket.socket()",
        "import ctypes; assert ctypes.CDLL(None).syscall(425, 1, 0) >= 0",  # io_uring_setup
    ],
)
def test_code_has_neither_time_nor_memory_nor_processes_nor_network(program: str) -> None:
    assert not sandbox.runs(program, timeout_s=1)


@needs_linux
def test_code_writes_and_removes_no_file(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    assert sandbox.runs(f"assert open({str(kept)!r}).read() == 'kept'")
    assert not sandbox.runs(f"open({str(kept)!r}, 'w')")
    assert not sandbox.runs(f"import os; os.unlink({str(kept)!r})")
    assert not sandbox.runs(f"import os; os.rename({str(kept)!r}, {str(kept)!r} + 'x')")
    assert not sandbox.runs(f"open({str(tmp_path / 'new')!r}, 'x')")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "kept"


@needs_linux
def test_code_reaches_no_server_of_this_machine() -> None:
    reached = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)

        def accept() -> None:
            try:
                server.accept()
                reached.set()
            except TimeoutError:
                pass

        thread = threading.Thread(target=accept)
        thread.start()
        port = server.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
        assert not sandbox.runs(program)
        thread.join()
    assert not reached.is_set()


def test_code_of_an_answer_is_what_its_fences_hold() -> None:
    assert form.code_of("a\n```py\nb\n```\nc\n```\nd\n```") == "b\n\nd\n"
    assert form.code_of("just this") == "just this"
