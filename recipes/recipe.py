"""Reading a recipe: which settings each of the four stages gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import InputError, unknown
from core.files import existing_file
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
    is_path = name.endswith((".yaml", ".yml"))
    path = existing_file(Path(name)) if is_path else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise unknown("recipe", name, names())
    stages, summary = _stages(path)
    for text in settings:
        stage, key, value = _setting(text)
        stages[stage][key] = value
    if model is not None:
        stages["tune"].pop("model", None)  # put at the end: it wins over its aliases
        stages["tune"]["model"] = model
    if sources:
        listed = _listed(stages["prepdata"].get("source", BuildConfig.source))
        stages["prepdata"]["source"] = _with_copies(listed, sources)
    return _recipe(path, stages, summary, root)


def _stages(path: Path) -> tuple[dict[str, dict[str, Any]], str]:
    """Return the settings of each stage as the file has them, and its summary."""
    content = read_yaml(path)
    summary = str(content.pop("summary", ""))
    stages: dict[str, dict[str, Any]] = {stage: {} for stage in STAGES}
    for stage, values in content.items():
        if stage not in stages:
            raise InputError(f"{path}: {unknown('stage', stage, STAGES)}")
        if not isinstance(values or {}, dict):
            raise InputError(f"{path}: {stage}: settings (key: value) are needed, found {values!r}")
        stages[stage] = {str(key).replace("-", "_"): value for key, value in (values or {}).items()}
    return stages, summary


def _recipe(path: Path, stages: dict[str, dict[str, Any]], summary: str, root: Path) -> Recipe:
    name = path.stem
    files = _listed(stages["compare"].pop("prompts", ["test"]))
    build = _config(BuildConfig, path, {"out": str(root / "data" / name), **stages["prepdata"]})
    tune = _config(
        TuneConfig,
        path,
        {"data": str(build.out), "runs": str(root / "runs"), "name": name, **stages["tune"]},
    )
    reports = root / "reports" / name
    shared = {"run": [tune.folder.name], "runs": str(tune.runs), **stages["compare"]}
    comparisons: dict[Path, CompareConfig] = {}
    for file in files:
        out = str(reports / f"{Path(file).stem}_comparison.json")
        comparisons[_prompt_file(file, build.out)] = _config(
            CompareConfig, path, {"out": out, **shared}
        )
    outs = {str(config.out) for config in comparisons.values()}
    if not files or len(outs) < len(files):
        raise InputError(
            f"{path}: compare: prompts must be files of different names, found {files}"
        )
    return Recipe(
        name=name,
        summary=summary,
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


def _listed(value: Any) -> list[str]:
    """Return one text or several as a list."""
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def _with_copies(sources: list[str], copies: tuple[str, ...]) -> list[str]:
    """Return the recipe's sources, with paths where the command line gives local copies."""
    names = [source.partition("=")[0] for source in sources]
    for copy in copies:
        name = copy.partition("=")[0]
        if name not in names:
            raise InputError(f"--source {copy}: {unknown('source of this recipe', name, names)}")
        sources[names.index(name)] = copy
    return sources
