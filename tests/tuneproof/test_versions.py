from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tuneproof import versions
from tuneproof.versions import code_fingerprint, versions_of


def test_python_comes_first_and_a_missing_package_is_said() -> None:
    found = versions_of(["click", "no-such-package-here"])
    assert list(found) == ["python", "click", "no-such-package-here"]
    assert found["python"] == platform.python_version()
    assert found["click"][0].isdigit()
    assert found["no-such-package-here"] == "not installed"


def test_code_fingerprint_changes_with_code_and_templates_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "ROOT", tmp_path)
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
