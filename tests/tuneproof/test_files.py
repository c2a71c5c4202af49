from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof import files
from tuneproof.errors import InputError
from tuneproof.locks import at_work


def test_atomic_write_leaves_the_old_file_and_no_other_when_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.atomic_write(path) as handle:
        handle.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_atomic_write_follows_no_link(tmp_path: Path, mode: str) -> None:
    path, victim = tmp_path / "a.txt", tmp_path / "victim"
    victim.write_text("kept")
    path.with_name(f".a.txt.{os.getpid()}.tmp").symlink_to(victim)
    with files.atomic_write(path, mode) as handle:
        handle.write("new" if mode == "w" else b"new")
    assert victim.read_text() == "kept"
    assert (path.is_symlink(), path.read_text()) == (False, "new")


def test_replacing_puts_all_files_in_place_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with files.replacing(folder, "a", "b") as temporary:
        for name in "ab":
            (temporary / name).write_text(name)
        assert not (folder / "a").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]


def test_replacing_leaves_the_old_files_when_the_block_fails(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), files.replacing(tmp_path, "a") as temporary:
        (temporary / "a").write_text("new")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_replacing_leaves_no_new_folder_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), files.replacing(tmp_path / "data", "a"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_read_json_takes_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[1]", encoding="utf-8-sig")
    assert files.read_json(path) == [1]


def test_read_json_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{\n  1\n}")
    with pytest.raises(InputError, match=r"a\.json:2: not valid JSON"):
        files.read_json(path)


def test_jsonl_line_numbers_count_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('\n{"a": 1}\n\n  \n{"a": 2}\n')
    assert list(files.read_jsonl(path)) == [(2, {"a": 1}), (5, {"a": 2})]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"a": 1,}', "not valid JSON"),
        ("[1, 2]", r"a JSON object is needed, found \[1, 2\]"),
        ("null", "a JSON object is needed, found null"),
    ],
)
def test_bad_jsonl_line_is_named_by_its_number_in_the_file(
    tmp_path: Path, line: str, fault: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"a": 1}}\n\n{line}\n')
    with pytest.raises(InputError, match=rf"a\.jsonl:3: {fault}"):
        list(files.read_jsonl(path))


def test_jsonl_that_is_no_utf8_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "\xff"}\n')
    with pytest.raises(InputError, match="not UTF-8 text"):
        list(files.read_jsonl(path))


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.dictionaries(TEXT, TEXT | st.integers() | st.none())))
def test_jsonl_reads_back_what_was_written(rows: list[dict[str, Any]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        assert files.write_jsonl(path, rows) == len(rows)
        assert list(files.read_jsonl(path)) == list(enumerate(rows, 1))


def test_write_json_is_readable_and_ends_in_a_line_break(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"grüße": 1})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "grüße" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"grüße": 1}


def test_missing_file_and_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        files.existing_file(tmp_path / "a")
    with pytest.raises(InputError, match="is a folder"):
        files.existing_file(tmp_path)


def test_fingerprint_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert files.fingerprint(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_folder_is_replaced_by_renames_and_keeps_what_else_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "notes").mkdir(parents=True)
    (folder / "notes" / "mine.txt").write_text("mine")
    (folder / "README.md").write_text("read me")
    for name in "ab":
        (folder / name).write_text("old")
    with files.replacing(folder, "a", "b") as new:
        for name in "ab":
            (new / name).write_text("new")
    assert {file.name: file.read_text() for file in folder.glob("?")} == {"a": "new", "b": "new"}
    assert (folder / "README.md").read_text() == "read me"
    assert (folder / "notes" / "mine.txt").read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == ["data"]


def test_folder_is_replaced_with_all_that_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "run.json").write_text("old")
    with files.replacing(folder, "run.json", keeps_others=False) as new:
        (new / "run.json").write_text("new")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"run.json": "new"}
    assert list(tmp_path.iterdir()) == [folder]


def test_folder_that_cannot_be_renamed_is_emptied_with_its_marker_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "run.json").write_text("old")
    removed: list[str] = []
    rmtree, unlink = shutil.rmtree, Path.unlink
    monkeypatch.setattr("os.path.ismount", lambda path: path == folder)
    monkeypatch.setattr(
        files.shutil,
        "rmtree",
        lambda path, **how: (removed.append(Path(path).name), rmtree(path, **how)),
    )
    monkeypatch.setattr(
        Path, "unlink", lambda self, **how: (removed.append(self.name), unlink(self, **how))
    )
    with files.replacing(folder, "run.json", keeps_others=False) as new:
        (new / "run.json").write_text("new")
    assert removed[:2] == ["run.json", "checkpoints"]
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"run.json": "new"}


def test_folder_is_removed_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    code = f"""
import os, shutil
from pathlib import Path
from tuneproof import files
shutil.rmtree = lambda *_, **__: os._exit(9)
files.remove_folder(Path({str(folder)!r}))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert not folder.exists()
    with at_work(folder):  # as every command that writes there does
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keeps_others", [True, False])
@pytest.mark.parametrize("rename", [1, 2, 3])
def test_kill_at_any_rename_leaves_the_old_folder_or_the_new(
    tmp_path: Path, rename: int, keeps_others: bool
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_text("old")
    code = f"""
import os
from pathlib import Path
from tuneproof import files
rename, left = Path.rename, {rename}
def counted(self, to):
    global left
    left -= 1
    if not left:
        os._exit(9)
    return rename(self, to)
Path.rename = counted
with files.replacing(Path({str(folder)!r}), "a", "b", keeps_others={keeps_others}) as new:
    for name in "ab":
        (new / name).write_text("new")
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == (9 if rename < 3 else 0)
    with at_work(folder):  # as every command that writes does
        pass
    now = {file.read_text() for file in folder.iterdir()}
    assert now == ({"old"} if rename < 3 else {"new"})
    assert [file.name for file in tmp_path.iterdir()] == ["data"]


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text("[]")

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_json(tmp_path / "a.json", [1])
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "[]"


def test_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"rows": [{"text": "a", "text": "b"}]}')
    with pytest.raises(InputError, match=r"a\.json: .* the key 'text' stands twice in one"):
        files.read_json(path)


def test_key_that_stands_twice_among_many_is_found_at_once() -> None:
    keys = [*range(100_000), 99_999]
    begin = time.process_time()
    with pytest.raises(InputError, match="the key '99999' stands twice"):
        files.parse_json("{" + ",".join(f'"{key}":0' for key in keys) + "}")
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_that_no_other_program_reads_is_not_written(tmp_path: Path, value: float) -> None:
    files.write_json(tmp_path / "a.json", [1])
    with pytest.raises(InputError, match=r"a\.json: not written, since a value is NaN"):
        files.write_json(tmp_path / "a.json", {"rows": [value]})
    assert files.read_json(tmp_path / "a.json") == [1]


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_files_of_a_folder_are_moved_with_their_marker_last(tmp_path: Path, at: int) -> None:
    for name in ("a", "b", "c", "report.json"):
        (tmp_path / name).write_text("old")
    moved = []

    def replace(self: Path, to: Path) -> None:
        moved.append(to.name)
        if len(moved) == at:
            raise KeyboardInterrupt
        self.rename(to)

    with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(Path, "replace", replace)
        with files.replacing_files(tmp_path, "report.json") as new:
            for name in ("report.json", "b", "a"):
                (new / name).write_text("new")
    is_done = at > 3
    assert moved == ["a", "b", "report.json"][:at]
    assert (tmp_path / "report.json").exists() == is_done
    assert {path.name: path.read_text() for path in tmp_path.glob("[abc]")} == {
        "a": "new" if at > 1 else "old", "b": "new" if at > 2 else "old", "c": "old",
    }  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 3 + is_done
