from __future__ import annotations

import platform

from core.versions import versions_of


def test_python_comes_first_and_a_missing_package_is_said() -> None:
    found = versions_of(["click", "no-such-package-here"])
    assert list(found) == ["python", "click", "no-such-package-here"]
    assert found["python"] == platform.python_version()
    assert found["click"][0].isdigit()
    assert found["no-such-package-here"] == "not installed"
