from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_wheel_has_every_template_recipe_and_the_embedded_model() -> None:
    tomllib = pytest.importorskip("tomllib")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    missing = [
        str(path.relative_to(ROOT))
        for package in settings["packages"]
        for path in (ROOT / package.replace(".", "/")).rglob("*")
        if path.suffix in {".j2", ".json", ".yaml", ".safetensors", ".css", ".js"}
        and not any(
            path in (ROOT / package).glob(pattern)
            for pattern in settings["package-data"].get(package.split(".")[0], [])
        )
    ]
    folders = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for package in settings["packages"]
        for path in (ROOT / package.split(".")[0]).rglob("*.py")
    }
    assert missing == []
    assert folders == set(settings["packages"])
