"""A recipe: the settings that each of the four stages, and each run, gets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tuneproof.errors import InputError, unknown
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.published import read_published
from tuneproof.files import existing_file
from tuneproof.formats.data_folder import FILES
from tuneproof.formats.example import TEST_PROMPTS
from tuneproof.formats.regressions import FILE
from tuneproof.formats.report import Published
from tuneproof.formats.run_names import seed_name
from tuneproof.inference.config import CompareConfig, RegressionsConfig
from tuneproof.options import build
from tuneproof.prepdata.config import BuildConfig
from tuneproof.recipes.layers import CompareSection, Layer, RecipeFile, command_line, read_recipe
from tuneproof.recipes.match import Match, read_match
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS
from tuneproof.tuning.seeds import repeats_of, with_seeds

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of all four stages."""

    name: str
    """The file's name without its ending."""
    summary: str
    """What it does, in a few words."""
    root: Path
    """The folder of data, runs and reports."""
    build: BuildConfig
    """Stage one."""
    runs: dict[str, TuneConfig]
    """Stage two: the trainings by their short names; the one of a recipe without `runs` has the
    empty name."""
    match: Match | None
    """Which of the runs have the compute of the first as their budget."""
    merged: tuple[str, ...]
    """Folder names of the runs that are merged as well."""
    prompts: tuple[str, ...]
    """The files of prompts, as the recipe names them."""
    comparisons: dict[Path, CompareConfig]
    """Stage three: the settings for every file of prompts."""
    score: ReportConfig
    """Stage four."""
    regressions: RegressionsConfig | None = None
    """How general items are asked; None where they are not."""
    published: tuple[Published, ...]
    """Figures that others published, to show with ours; `variant` is a run's short name, or
    ``base``."""

    @property
    def published_by_variant(self) -> tuple[Published, ...]:
        """The published figures, by the variants' names in the report: a run's own, its seeds'."""
        return tuple(
            replace(figure, variant=name)
            for figure in self.published
            for name in self._folders(figure.variant) or (figure.variant,)
        )

    def _folders(self, short: str) -> list[str]:
        """Return the folders' names of a run and of its repeats with other seeds."""
        return [self.runs[own].folder.name for own in repeats_of(short, self.runs)]

    @property
    def reports(self) -> Path:
        """The folder of the comparisons and the report."""
        return self.root / "reports" / self.name


def with_regressions(recipe: Recipe, must_work: Path | None = None) -> Recipe:
    """Return a recipe that asks its runs that write answers general items as well.

    Raises:
        InputError: None of its runs writes answers, or there is no such file.
    """
    compared = next(iter(recipe.comparisons.values()))
    writing = [config for config in recipe.runs.values() if config.objective == "generate"]
    if not writing:
        raise InputError("--regressions asks runs that write answers, and this recipe has none")
    if must_work is not None:
        existing_file(must_work)
    config = RegressionsConfig(
        run=tuple(config.folder.name for config in writing),
        runs=compared.runs,
        dtype=compared.dtype,
        device=compared.device,
        batch_size=compared.batch_size,
        seed=compared.seed,
        out=recipe.reports / FILE,
        must_work=must_work,
    )
    return replace(recipe, regressions=config)


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
    for listed in file.models:  # report faults in the sections of other models as well
        _recipe(file, command_line((), listed), root)
    return _recipe(file, command_line(settings, model), root, sources)


def run_name(recipe: str, short: str) -> str:
    """Return the folder's name of a recipe's run."""
    return f"{recipe}-{short}" if short else recipe


def default_out(prompts: str, reports: Path) -> Path:
    """Return where the comparison for a file of prompts goes."""
    return reports / f"{Path(prompts).stem}_comparison.json"


def _recipe(file: RecipeFile, command: Layer, root: Path, copies: Iterable[str] = ()) -> Recipe:
    """Merge the layers, and build the settings of every stage from what comes out."""
    settings, where, name = file.settings(command), str(file.path), file.path.stem
    stages, values = settings.stages, settings.values
    if copies:
        sources = stages["prepdata"].get("source", BuildConfig.source)
        stages["prepdata"]["source"] = _with_copies(sources, copies)
    data = build(
        BuildConfig, {"out": root / "data" / name, **stages["prepdata"]}, f"{where}: prepdata"
    )
    runs = _runs(settings, {"data": data.out, "runs": root / "runs"}, name, where)
    score = build(ReportConfig, stages["score"], f"{where}: score")
    published = read_published(values.get("published"), f"{where}: published", score.metric)
    for figure in published:
        if figure.variant not in {*settings.runs, "base"}:
            variant = unknown("run", figure.variant, [*runs, "base"])
            raise InputError(f"{where}: published: {variant}")
    compare = f"{where}: compare"
    prompts = stages["compare"].pop("prompts", CompareSection.prompts)
    merged = _merged(stages["compare"].pop("merged", None) or (), runs, settings.runs, compare)
    shared = {
        "run": tuple(config.folder.name for config in runs.values()),
        "runs": next(iter(runs.values())).runs,
        **stages["compare"],
        "merged": merged,
    }
    outs = {item: default_out(item, root / "reports" / name) for item in prompts}
    comparisons = {
        _prompt_file(item, data.out): build(CompareConfig, {"out": out, **shared}, compare)
        for item, out in outs.items()
    }
    if not prompts or len({config.out for config in comparisons.values()}) < len(prompts):
        raise InputError(
            f"{compare}: prompts must be files of different names, found {list(prompts)}"
        )
    return Recipe(
        name=name,
        summary=file.summary,
        root=root,
        build=data,
        runs=runs,
        match=read_match(values.get("match"), runs, settings.runs, f"{where}: match"),
        merged=merged,
        prompts=prompts,
        comparisons=comparisons,
        score=score,
        published=published,
    )


def _runs(
    settings: Layer, paths: Mapping[str, Path], name: str, where: str
) -> dict[str, TuneConfig]:
    """Return the settings of every run; the one of a recipe without `runs` has the empty name."""
    runs = {}
    for short, own in (settings.kept or {"": {}}).items():
        section = f"{where}: runs.{short}" if short else f"{where}: tune"
        values = {**paths, "name": run_name(name, short), **settings.stages["tune"], **own}
        seeds = values.pop("seeds", None)
        config = build(TuneConfig, values, section)
        if seeds is None:
            runs[short] = config
            continue
        for one in with_seeds(config, tuple(seeds)):
            runs[seed_name(short, one.seed).lstrip("-")] = one
    folders = [config.folder.name for config in runs.values()]
    if len(set(folders)) < len(folders) or len({config.runs for config in runs.values()}) > 1:
        raise InputError(f"{where}: runs need names of their own, in one folder; found {folders}")
    return runs


def _merged(
    names: Iterable[str], runs: Mapping[str, TuneConfig], named: Collection[str], where: str
) -> tuple[str, ...]:
    """Return the folders' names of the runs that are to be merged as well.

    Args:
        names: Short names of runs, which mean all their seeds, or the names of their folders.
        runs: The settings of the recipe's runs, by short name.
        named: All runs that the recipe names; those that are left out are not merged either.
        where: File and key, for errors.

    Raises:
        InputError: No such run, or one whose weights have nothing to be merged into them.
    """
    shorts = {config.folder.name: short for short, config in runs.items()}
    merged = []
    for name in names:
        short = shorts.get(name, name)
        found = repeats_of(short, runs)
        if not found and short not in named:
            raise InputError(f"{where}: merged: {unknown('run', name, runs)}")
        for config in map(runs.__getitem__, found):
            method = METHODS[config.method]
            if config.objective != "generate" or not method.is_adapter or method.has_virtual_tokens:
                raise InputError(
                    f"{where}: merged: run {name!r} (method {config.method}, to "
                    f"{config.objective}) has no adapter that can be merged to answer prompts"
                )
            merged.append(config.folder.name)
    return tuple(dict.fromkeys(merged))


def _prompt_file(name: str, data: Path) -> Path:
    """Return the file that a recipe means by ``test``, ``validation``, ``prompts`` or a path."""
    if name in FILES:
        return data / FILES[name]
    return TEST_PROMPTS if name == "prompts" else Path(name)


def _with_copies(sources: Iterable[str], copies: Iterable[str]) -> tuple[str, ...]:
    """Return the recipe's sources, with paths where the command line gives local copies."""
    sources = [*sources]
    names = [source.partition("=")[0] for source in sources]
    for copy in copies:
        name = copy.partition("=")[0]
        if name not in names:
            raise InputError(f"--source {copy}: {unknown('source of this recipe', name, names)}")
        sources[names.index(name)] = copy
    return tuple(sources)
