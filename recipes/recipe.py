"""A recipe: which settings each of the four stages gets, and each of its trainings.

What a recipe's file says stands at the bottom; over it goes what the file says for the base model
that is used (`models`), and over that the command line. In each of these layers `tune` goes to all
trainings, over what the layers below say of single ones; then `runs` goes to one each. Only a base
model that a single one names for itself stays, whatever model the others get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.published import Published, read_published
from tuneproof.files import existing_file
from tuneproof.formats.example import FILES, TEST_PROMPTS
from tuneproof.inference.config import CompareConfig
from tuneproof.options import from_mapping
from tuneproof.prepdata.config import BuildConfig
from tuneproof.recipes.match import Match, read_match
from tuneproof.recipes.merged import merged_runs
from tuneproof.recipes.reading import CONFIGS, Layer, RecipeFile, read_recipe, typed
from tuneproof.tuning.config import TuneConfig

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of all four stages."""

    name: str
    """The file's name without its ending."""
    summary: str
    """What it does, in a few words."""
    root: Path
    """The folder under which data, runs and reports stand."""
    build: BuildConfig
    """Stage one."""
    runs: dict[str, TuneConfig]
    """Stage two: the trainings by their short names; the one of a recipe without `runs` has the
    empty name."""
    match: Match | None
    """Which of them get what the first used as their budget."""
    merged: tuple[str, ...]
    """The folders' names of those that are merged as well."""
    prompts: tuple[str, ...]
    """The files of prompts, as the recipe names them."""
    comparisons: dict[Path, CompareConfig]
    """Stage three: the settings for every file of prompts."""
    score: ReportConfig
    """Stage four."""
    published: tuple[Published, ...]
    """Figures of others that stand beside ours; `variant` is a run's short name, or ``base``."""

    @property
    def beside(self) -> tuple[Published, ...]:
        """The published figures, with their variants by the names that the report has for them."""
        return tuple(
            replace(
                figure,
                variant=self.runs[figure.variant].folder.name
                if figure.variant in self.runs
                else figure.variant,
            )
            for figure in self.published
        )

    @property
    def reports(self) -> Path:
        """The folder of the comparisons and the report."""
        return self.root / "reports" / self.name


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
        settings: ``STAGE.KEY=VALUE`` or ``runs.NAME.KEY=VALUE``; the value is read as YAML.
        root: The folder under which data/, runs/ and reports/ stand.

    Raises:
        InputError: An unknown recipe, section, run or key, or a value that cannot be.
    """
    is_path = name.endswith((".yaml", ".yml"))
    path = existing_file(Path(name)) if is_path else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise unknown("recipe", name, names())
    file = read_recipe(path)
    for listed in file.models:  # faults in the sections of other models are told as well
        _recipe(file, [file.base, file.models[listed], _with_model(Layer(), listed)], root)
    layers = _layers(file, _with_model(typed(settings), model))
    if sources:
        own = _listed(_over(layers, "prepdata").get("source", BuildConfig.source))
        layers[-1].stages["prepdata"]["source"] = _with_copies(own, sources)
    return _recipe(file, layers, root)


def training_name(recipe: str, short: str) -> str:
    """Return what a training of a recipe is called."""
    return f"{recipe}-{short}" if short else recipe


def default_out(prompts: str, reports: Path) -> Path:
    """Return where the comparison for a file of prompts goes."""
    return reports / f"{Path(prompts).stem}_comparison.json"


def _with_model(layer: Layer, model: str | None) -> Layer:
    if model is not None:
        layer.stages["tune"]["model"] = model
    return layer


def _layers(file: RecipeFile, command: Layer) -> list[Layer]:
    """Return what the file says, what it says for the model that is used, and the command line."""
    layers = [file.base]
    model = _over([file.base, command], "tune").get("model", TuneConfig.model)
    if model in file.models:
        layers.append(file.models[model])
    known = [short for short in _trainings(file, layers) if short]
    for short in command.runs:
        if short not in known:
            raise InputError(f"--set runs.{short}: {unknown('run', short, known)}")
    return [*layers, command]


def _over(layers: Sequence[Layer], stage: str) -> dict[str, Any]:
    """Return a stage's settings, those of later layers over those of earlier ones."""
    return {key: value for layer in layers for key, value in layer.stages[stage].items()}


def _trainings(file: RecipeFile, layers: Sequence[Layer]) -> dict[str, dict[str, Any]]:
    """Return the settings of every training by its short name."""
    common: dict[str, Any] = {}
    found: dict[str, dict[str, Any]] = {}
    models: dict[str, dict[str, Any]] = {}
    for layer in layers:
        common |= layer.stages["tune"]
        for short, settings in found.items():
            settings |= layer.stages["tune"] | models.get(short, {})
        for short, own in layer.runs.items():
            if own is not None:
                if "model" in own:
                    models[short] = {"model": own["model"]}
                found[short] = found.get(short, common) | own
            elif found.pop(short, None) is None:
                raise InputError(f"{file.path}: null for {unknown('run', short, found)}")
    if not found and any(layer.runs for layer in layers):
        raise InputError(f"{file.path}: every run is left out")
    return found or {"": common}


def _recipe(file: RecipeFile, layers: Sequence[Layer], root: Path) -> Recipe:
    name, path = file.path.stem, file.path
    build: BuildConfig = _config(
        "prepdata", path, {"out": str(root / "data" / name), **_over(layers, "prepdata")}
    )
    places = {"data": str(build.out), "runs": str(root / "runs")}
    runs: dict[str, TuneConfig] = {
        short: _config(
            "tune", path, {**places, "name": training_name(name, short), **settings}, short
        )
        for short, settings in _trainings(file, layers).items()
    }
    named = {short for layer in layers for short in layer.runs}
    plain = {key: value for layer in layers for key, value in layer.plain.items()}
    match = read_match(plain.get("match"), runs, named, str(path))
    published = read_published(plain.get("published"), f"{path}: published")
    for figure in published:
        if figure.variant not in named | {"base"}:
            raise InputError(
                f"{path}: published: {unknown('run', figure.variant, [*runs, 'base'])}"
            )
    titles = [config.folder.name for config in runs.values()]
    if len(set(titles)) < len(titles) or len({config.runs for config in runs.values()}) > 1:
        raise InputError(f"{path}: runs need names of their own, in one folder; found {titles}")
    shared = _over(layers, "compare")
    prompts = tuple(_listed(shared.pop("prompts", ["test"])))
    merged = merged_runs(_listed(shared.pop("merged", None) or []), runs, named, str(path))
    shared = {
        "run": titles, "merged": list(merged), "runs": str(next(iter(runs.values())).runs), **shared
    }  # fmt: skip
    reports = root / "reports" / name
    comparisons: dict[Path, CompareConfig] = {
        _prompt_file(file_name, build.out): _config(
            "compare", path, {"out": str(default_out(file_name, reports)), **shared}
        )
        for file_name in prompts
    }
    outs = {config.out for config in comparisons.values()}
    if not prompts or len(outs) < len(prompts):
        raise InputError(
            f"{path}: compare: prompts must be files of different names, found {list(prompts)}"
        )
    return Recipe(
        name=name, summary=file.summary, root=root, build=build, runs=runs, match=match,
        merged=merged, prompts=prompts, comparisons=comparisons,
        score=_config("score", path, _over(layers, "score")), published=published,
    )  # fmt: skip


def _config(stage: str, path: Path, values: dict[str, Any], short: str = "") -> Any:
    """Return a stage's settings; errors say in which part of the recipe they are."""
    return from_mapping(CONFIGS[stage], values, f"{path}: " + (f"runs.{short}" if short else stage))


def _prompt_file(name: str, data: Path) -> Path:
    """Return the file that a recipe means by ``test``, ``validation``, ``prompts`` or a path."""
    if name in FILES:
        return data / FILES[name]
    return TEST_PROMPTS if name == "prompts" else Path(name)


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
