"""Reading a recipe: which settings each of the four stages gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import InputError, unknown
from core.options import from_mapping, read_yaml
from eval.config import ReportConfig
from inference.config import CompareConfig
from prepdata.config import BuildConfig
from prepdata.records import FILES
from prompts.prompt_files import TEST_PROMPTS
from tuning.config import TuneConfig

FOLDER = Path(__file__).parent
STAGES = ("prepdata", "tune", "compare", "score")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of all four stages."""

    name: str
    """The file's name without its ending."""
    summary: str
    """What it does, in a few words."""
    build: BuildConfig
    """Stage one."""
    tune: TuneConfig
    """Stage two."""
    comparisons: dict[Path, CompareConfig]
    """Stage three: the settings for every file of prompts."""
    score: ReportConfig
    """Stage four."""
    reports: Path
    """The folder of the comparisons and the report."""


def names() -> list[str]:
    """Return the recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(
    name: str,
    *,
    model: str | None = None,
    sources: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
    root: Path = Path(),
) -> Recipe:
    """Read a recipe and apply what the command line changes.

    Args:
        name: Of a recipe that comes with the package, or the path of a YAML file.
        model: Base model to use instead of the recipe's.
        sources: ``NAME=PATH`` to read a source of the recipe from a local copy.
        settings: ``STAGE.KEY=VALUE``; the value is read as YAML.
        root: The folder under which data/, runs/ and reports/ stand.

    Raises:
        InputError: An unknown recipe, stage or key, or a value that cannot be.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise unknown("recipe", name, names())
    stages = read_yaml(path)
    for key in stages:
        if key not in (*STAGES, "summary"):
            raise InputError(f"{path}: {unknown('stage', key, STAGES)}")
    for stage in STAGES:
        stages[stage] = dict(stages.get(stage) or {})
    for text in settings:
        stage, key, value = _setting(text)
        stages[stage][key] = value
    if model is not None:
        stages["tune"]["model"] = model
    stages["prepdata"]["source"] = _with_copies(stages["prepdata"].get("source", ()), sources)
    return _recipe(path, stages, root)


def _recipe(path: Path, stages: dict[str, Any], root: Path) -> Recipe:
    name = path.stem
    files = stages["compare"].pop("prompts", ["test"])
    build = _config(BuildConfig, path, {"out": str(root / "data" / name), **stages["prepdata"]})
    tune = _config(
        TuneConfig,
        path,
        {"data": str(build.out), "runs": str(root / "runs"), "name": name, **stages["tune"]},
    )
    reports = root / "reports" / name
    shared = {"run": [tune.folder.name], "runs": str(tune.runs), **stages["compare"]}
    comparisons = {
        _prompt_file(file, build.out): _config(
            CompareConfig,
            path,
            {"out": str(reports / f"{Path(file).stem}_comparison.json"), **shared},
        )
        for file in ([files] if isinstance(files, str) else files)
    }
    return Recipe(
        name=name,
        summary=str(stages.get("summary", "")),
        build=build,
        tune=tune,
        comparisons=comparisons,
        score=_config(ReportConfig, path, stages["score"]),
        reports=reports,
    )


def _config(config: Any, path: Path, values: dict[str, Any]) -> Any:
    return from_mapping(config, values, str(path))


def _prompt_file(name: str, data: Path) -> Path:
    """Return the file that a recipe means by ``test``, ``validation``, ``prompts`` or a path."""
    if name in FILES:
        return data / FILES[name]
    return TEST_PROMPTS if name == "prompts" else Path(name)


def _setting(text: str) -> tuple[str, str, Any]:
    """Split ``tune.learning_rate=1e-3`` into stage, key and value."""
    key, equals, value = text.partition("=")
    stage, dot, field = key.partition(".")
    if not equals or not dot or not field:
        raise InputError(
            f"--set {text!r}: STAGE.KEY=VALUE is needed, as in tune.learning_rate=1e-3"
        )
    if stage not in STAGES:
        raise InputError(f"--set {text!r}: {unknown('stage', stage, STAGES)}")
    try:
        return stage, field.replace("-", "_"), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"--set {text!r}: the value is not valid YAML") from error


def _with_copies(listed: Any, copies: tuple[str, ...]) -> list[str]:
    """Return the recipe's sources, with paths where the command line gives local copies."""
    sources = [listed] if isinstance(listed, str) else list(listed)
    names = [str(source).partition("=")[0] for source in sources]
    for copy in copies:
        name = copy.partition("=")[0]
        if name not in names:
            raise InputError(f"--source {copy}: {unknown('source of this recipe', name, names)}")
        sources[names.index(name)] = copy
    return sources
