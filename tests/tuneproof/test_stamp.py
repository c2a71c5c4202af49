from __future__ import annotations

import json
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from tuneproof import stamp
from tuneproof.formats.codec import decode, encode
from tuneproof.stamp import Stamp, code_fingerprint, versions_of


def test_python_comes_first_and_a_missing_package_is_said() -> None:
    found = versions_of(["click", "no-such-package-here"])
    assert list(found) == ["python", "click", "no-such-package-here"]
    assert found["python"] == platform.python_version()
    assert found["click"][0].isdigit()
    assert found["no-such-package-here"] == "not installed"


def test_code_fingerprint_changes_with_code_and_templates_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamp, "ROOT", tmp_path)
    (tmp_path / "room/sub").mkdir(parents=True)
    code, template = tmp_path / "room/sub/a.py", tmp_path / "room/page.j2"
    code.write_text("1")
    template.write_text("2")
    found = {code_fingerprint("room")}
    (tmp_path / "room/a.pyc").write_text("3")
    assert code_fingerprint("room") in found
    code.write_text("4")
    found.add(code_fingerprint("room"))
    template.write_text("5")
    found.add(code_fingerprint("room"))
    code.rename(code.with_name("b.py"))
    found.add(code_fingerprint("room"))
    assert len(found) == 4


STAMP = Stamp(
    settings={"seed": 1, "out": Path("x")},
    inputs={"the data": "ab", "the template": None},
    code="c",
    versions={"torch": "2"},
)


def test_a_stamp_reads_back_from_json() -> None:
    assert decode(Stamp, json.loads(json.dumps(encode(STAMP))), "here") == STAMP


def test_a_stamp_names_what_differs() -> None:
    today = replace(STAMP, settings={"seed": 2, "out": "x"}, inputs={"the data": "cd"})
    assert STAMP.differing(STAMP) == STAMP.made_otherwise(STAMP) == []
    assert STAMP.differing(today) == ["seed", "the data"]
    newer = replace(STAMP, code="d", versions={"torch": "3", "peft": "1"})
    assert STAMP.differing(newer) == []
    assert STAMP.made_otherwise(newer) == ["the code", "torch 3", "peft 1"]
    assert len({STAMP.key, today.key, newer.key}) == 3


def test_a_setting_newer_than_the_stamp_had_its_default() -> None:
    today = replace(STAMP, settings={**STAMP.settings, "new": 5})
    assert STAMP.differing(today) == ["new"]
    assert STAMP.differing(today, defaults={"new": 5}) == []
