from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = {".j2", ".json", ".yaml", ".safetensors", ".typed"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source archive of this checkout."""
    out = tmp_path_factory.mktemp("wheel")
    build = (
        "from setuptools.build_meta import build_sdist, build_wheel\n"
        f"build_wheel({str(out)!r}); build_sdist({str(out)!r})"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", build],
        cwd=_copy(out / "checkout"),
        capture_output=True,
        check=True,
    )
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> set[str]:
    """The names of the files in the wheel."""
    (file,) = built.glob("*.whl")
    return set(zipfile.ZipFile(file).namelist())


def _copy(folder: Path) -> Path:
    """Copy what version control knows, so that the build leaves nothing behind."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in names.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            (folder / name).symlink_to((ROOT / name).readlink())
        elif (ROOT / name).is_file():
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def test_source_archive_has_the_stages_as_plain_files(built: Path, wheel: set[str]) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        members = archive.getmembers()
    assert all(member.isfile() or member.isdir() for member in members)
    names = {member.name.partition("/")[2] for member in members}
    assert {name for name in wheel if name.startswith("tuneproof/")} <= names


def test_wheel_claims_one_name_only(wheel: set[str]) -> None:
    assert {name.split("/")[0].partition("-")[0] for name in wheel} == {"tuneproof"}


def test_wheel_has_every_module_template_recipe_and_the_embedded_model(wheel: set[str]) -> None:
    stages = [path.name for path in (ROOT / "tuneproof").iterdir() if path.is_symlink()]
    folders = [ROOT / "tuneproof", *(ROOT / "tuneproof" / name for name in stages)]
    wanted = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in {".py", *DATA} and "__pycache__" not in path.parts
    }
    assert wanted - wheel == set()


LOADED_BY_OTHERS = {"accelerate", "bitsandbytes"}
"""What transformers imports for us: accelerate for its Trainer, bitsandbytes for 4-bit weights."""


def imported(folder: Path) -> set[str]:
    """Return the distributions that the modules below a folder import, at whatever depth."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    tops = {name.partition(".")[0] for name in names} - {"tuneproof", *sys.stdlib_module_names}
    distributions = packages_distributions()
    return {distributions.get(top, [top])[0].lower().replace("_", "-") for top in tops}


def test_dependencies_are_exactly_what_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    declared = [*project["dependencies"], *(each for extra in extras for each in extra)]
    names = {re.split("[<>=~!]", requirement)[0] for requirement in declared}
    stages = [path for path in (ROOT / "tuneproof").iterdir() if path.is_symlink()]
    used = set.union(*(imported(folder.resolve()) for folder in [ROOT / "tuneproof", *stages]))
    assert used | LOADED_BY_OTHERS == names
