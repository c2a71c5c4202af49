"""The layers of a recipe's settings: its file, the file's section for a model, the command line.

The settings of a layer replace those of the layers below it. Those under `tune` go to all runs,
even where a lower layer has others for one of them; those under `runs` go to one run each. Only a
base model that a run names for itself stays, whatever model the others get.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.eval.config import ReportConfig
from tuneproof.inference.config import CompareConfig
from tuneproof.options import field_values, mapping
from tuneproof.prepdata.config import BuildConfig
from tuneproof.tuning.config import TuneConfig
from tuneproof.yaml_text import parse_yaml, read_yaml


@dataclass(frozen=True, kw_only=True)
class CompareSection(CompareConfig):
    """What a recipe's `compare` may say."""

    prompts: tuple[str, ...] = ("test",)
    """Files of prompts: ``test`` or ``validation`` of the data, ``prompts`` (those that come with
    the package), or a path."""
    merged: tuple[str, ...] | None = None  # type: ignore[assignment]
    """Runs to compare merged as well, by short name or folder."""


@dataclass(frozen=True, kw_only=True)
class TuneSection(TuneConfig):
    """What a recipe's `tune`, and each of its runs, may say."""

    seeds: tuple[int, ...] | None = None
    """Train the run once with each of these seeds, and judge the settings over all of them."""


STAGES: dict[str, type[Any]] = {
    "prepdata": BuildConfig,
    "tune": TuneSection,
    "compare": CompareSection,
    "score": ReportConfig,
}
"""The stages, and the settings of each."""
SECTIONS = (*STAGES, "runs")
"""What settings stand under: the stages, and `runs` with what single runs change of `tune`."""
VALUES = ("match", "published")
"""Keys of the whole recipe: by what runs are matched, and the figures that others published."""
MODELS = ("tiny", "smollm2", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2")
"""The base models whose names have no slash; all others are a folder or a Hub id."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Settings that go over those of the layers below."""

    stages: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {stage: {} for stage in STAGES}
    )
    """The settings of every stage, by field name."""
    runs: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    """By a run's short name: its settings over those of `tune`; None leaves the run out."""
    values: dict[str, Any] = field(default_factory=dict)
    """The values of the whole recipe's keys, by the names in `VALUES`."""

    @property
    def kept(self) -> dict[str, dict[str, Any]]:
        """The runs that are not left out."""
        return {short: own for short, own in self.runs.items() if own is not None}

    def under(self, upper: Layer, where: str) -> Layer:
        """Return these settings with those of an upper layer over them.

        Raises:
            InputError: The upper layer leaves out a run that there is not.
        """
        stages = {stage: own | upper.stages[stage] for stage, own in self.stages.items()}
        replaced = upper.stages["tune"].keys() - {"model"}
        runs = {
            short: own and {name: own[name] for name in own if name not in replaced}
            for short, own in self.runs.items()
        }
        for short, own in upper.runs.items():
            if own is None and short not in self.kept:
                raise InputError(f"{where}: null for {unknown('run', short, self.kept)}")
            runs[short] = None if own is None else (runs.get(short) or {}) | own
        return Layer(stages=stages, runs=runs, values=self.values | upper.values)


@dataclass(frozen=True, kw_only=True)
class RecipeFile:
    """What a recipe's file holds."""

    path: Path
    """The file."""
    summary: str
    """What the recipe does, in a few words."""
    base: Layer
    """Its settings."""
    models: dict[str, Layer]
    """By a base model's name: what changes for that model."""

    def settings(self, command: Layer) -> Layer:
        """Return the settings of all layers, the command line's over the others.

        Raises:
            InputError: A run is changed or left out that there is not, or all are left out.
        """
        own = (layer.stages["tune"].get("model") for layer in (command, self.base))
        model = next(filter(None, own), TuneConfig.model)
        below = self.base.under(self.models.get(model, Layer()), str(self.path))
        for short in command.runs:
            if short not in below.kept:
                raise InputError(f"--set runs.{short}: {unknown('run', short, below.kept)}")
        settings = below.under(command, str(self.path))
        if settings.runs and not settings.kept:
            raise InputError(f"{self.path}: every run is left out")
        return settings


def read_recipe(path: Path) -> RecipeFile:
    """Read a recipe's file.

    Raises:
        InputError: The file is no YAML mapping, a name in it is unknown, or a value not of its
            setting's type.
    """
    content = read_yaml(path)
    summary = str(content.pop("summary", ""))
    models = mapping(content.pop("models", None), f"{path}: models")
    base = _layer(content, str(path), ("summary", "models", *VALUES, *SECTIONS))
    base.runs.update({short: own or {} for short, own in base.runs.items()})  # `lora:` is a run
    return RecipeFile(
        path=path,
        summary=summary,
        base=base,
        models={name: _model_layer(name, value, path) for name, value in models.items()},
    )


def command_line(settings: Iterable[str], model: str | None = None) -> Layer:
    """Return what the command line changes.

    Args:
        settings: ``STAGE.KEY=VALUE`` and ``runs.RUN.KEY=VALUE``; ``runs.RUN=null`` leaves the run
            out; ``match=flops`` matches the runs.
        model: The base model, over that of the settings.

    Raises:
        InputError: A text of another form, or with a name or value that cannot be.
    """
    layer = Layer()
    for text in settings:
        where = f"--set {text!r}"
        name, equals, written = text.partition("=")
        section, dot, key = name.partition(".")
        if not equals or (name != "match" and (not dot or not key)):
            raise InputError(f"{where}: STAGE.KEY=VALUE is needed, as in tune.learning_rate=1e-3")
        if section not in ("match", *SECTIONS):
            raise InputError(f"{where}: {unknown('section', section, SECTIONS)}")
        value = parse_yaml(written, where)
        if name == "match":
            layer.values[name] = value
        elif section == "match":
            raise InputError(f"{where}: match=VALUE is needed, as in match=flops")
        elif section != "runs":
            layer.stages[section] |= field_values(STAGES[section], {key: value}, where)
        elif "." in key:
            short, _, key = key.rpartition(".")
            own = field_values(TuneSection, {key: value}, where)
            layer.runs[short] = (layer.runs.get(short) or {}) | own
        elif value is None:
            layer.runs[key] = None
        else:
            raise InputError(f"{where}: runs.NAME.KEY=VALUE is needed, as in runs.head.lora_r=8")
    if model is not None:
        layer.stages["tune"]["model"] = model
    return layer


def _model_layer(name: str, value: Any, path: Path) -> Layer:
    where = f"{path}: models"
    if "/" not in name and name not in MODELS:
        raise InputError(f"{where}: {unknown('model', name, MODELS)}")
    where += f".{name}"
    layer = _layer(mapping(value, where), where, (*VALUES, *SECTIONS))
    if any("model" in (own or {}) for own in (layer.stages["tune"], *layer.runs.values())):
        raise InputError(f"{where}: these settings are for {name!r}; leave 'model' out")
    return layer


def _layer(content: dict[str, Any], where: str, known: Iterable[str]) -> Layer:
    layer = Layer()
    for section, value in content.items():
        inside = f"{where}: {section}"
        if section in VALUES:
            layer.values[section] = value
        elif section in STAGES:
            layer.stages[section] |= field_values(STAGES[section], value, inside)
        elif section == "runs":
            for short, own in mapping(value, inside).items():
                settings = field_values(TuneSection, own, f"{inside}.{short}")
                layer.runs[short] = None if own is None else settings
        else:
            raise InputError(f"{where}: {unknown('section', section, known)}")
    return layer
