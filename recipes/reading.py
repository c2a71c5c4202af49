"""Reading a recipe's file and what the command line changes, with every name in them checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tuneproof.errors import InputError, unknown
from tuneproof.eval.config import ReportConfig
from tuneproof.inference.config import CompareConfig
from tuneproof.options import read_yaml
from tuneproof.prepdata.config import BuildConfig
from tuneproof.tuning.config import TuneConfig

CONFIGS: dict[str, type[Any]] = {
    "prepdata": BuildConfig,
    "tune": TuneConfig,
    "compare": CompareConfig,
    "score": ReportConfig,
}
"""The stages, and the settings of each."""
SECTIONS = (*CONFIGS, "runs")
"""What settings stand under: the stages, and `runs` with what single trainings change of `tune`."""
PLAIN = ("match", "published")
"""What stands beside them: by what the runs are matched, and the figures that others published."""
MODELS = ("tiny", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2")
"""The base models whose names have no slash; all others are a folder or a Hub id."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Settings that go over those of the layers below it."""

    stages: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {stage: {} for stage in CONFIGS}
    )
    """The settings of every stage, by field name."""
    runs: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    """By a run's short name: its settings over those of `tune`; None leaves the run out."""
    plain: dict[str, Any] = field(default_factory=dict)
    """What is said of the whole recipe, by the names in `PLAIN`."""


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


def read_recipe(path: Path) -> RecipeFile:
    """Read a recipe's file.

    Raises:
        InputError: The file is no YAML mapping, or a name in it is not known.
    """
    content = read_yaml(path)
    summary = str(content.pop("summary", ""))
    models = _mapping(content.pop("models", None), f"{path}: models")
    known = ("summary", "models", *PLAIN, *SECTIONS)
    base = _layer(content, str(path), known)
    for short, own in base.runs.items():
        base.runs[short] = own or {}  # `lora:` alone is a run as well
    return RecipeFile(
        path=path,
        summary=summary,
        base=base,
        models={name: _model_layer(name, found, path) for name, found in models.items()},
    )


def typed(settings: Iterable[str]) -> Layer:
    """Return what ``STAGE.KEY=VALUE`` and ``runs.NAME.KEY=VALUE`` on the command line change.

    ``runs.NAME=null`` leaves the run out; ``match=flops`` matches the runs.

    Raises:
        InputError: A text of another form, or with a name that is not known.
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
        try:
            value = yaml.safe_load(written)
        except yaml.YAMLError as error:
            raise InputError(f"{where}: the value is not valid YAML") from error
        if name == "match":
            layer.plain[name] = value
        elif section == "match":
            raise InputError(f"{where}: match=VALUE is needed, as in match=flops")
        elif section == "runs":
            _set_run(layer, key, value, where)
        else:
            layer.stages[section] |= _settings(section, {key: value}, where)
    return layer


def _set_run(layer: Layer, key: str, value: Any, where: str) -> None:
    short, dot, field_name = key.rpartition(".")
    if dot:
        own = _settings("tune", {field_name: value}, where)
        layer.runs[short] = (layer.runs.get(short) or {}) | own
    elif value is None:
        layer.runs[key] = None
    else:
        raise InputError(f"{where}: runs.NAME.KEY=VALUE is needed, as in runs.head.lora_r=8")


def _model_layer(name: str, found: Any, path: Path) -> Layer:
    where = f"{path}: models"
    if "/" not in name and name not in MODELS:
        raise InputError(f"{where}: {unknown('model', name, MODELS)}")
    known = (*PLAIN, *SECTIONS)
    layer = _layer(_mapping(found, f"{where}.{name}"), f"{where}.{name}", known)
    if any("model" in (own or {}) for own in (layer.stages["tune"], *layer.runs.values())):
        raise InputError(f"{where}.{name}: these settings are for {name!r}; leave 'model' out")
    return layer


def _layer(content: Mapping[str, Any], where: str, known: Iterable[str]) -> Layer:
    layer = Layer()
    for section, found in content.items():
        if section in PLAIN:
            layer.plain[section] = found
            continue
        if section not in SECTIONS:
            raise InputError(f"{where}: {unknown('section', section, known)}")
        place = f"{where}: {section}"
        if section != "runs":
            layer.stages[section] |= _settings(section, found, place)
            continue
        for short, own in _mapping(found, place).items():
            settings = None if own is None else _settings("tune", own, f"{place}.{short}")
            layer.runs[short] = settings
    return layer


def _settings(stage: str, found: Any, where: str) -> dict[str, Any]:
    """Return a stage's settings by field name, whichever of its names a setting goes by."""
    names = {"prompts": "prompts"} if stage == "compare" else {}
    for item in dataclasses.fields(CONFIGS[stage]):
        for name in (item.name, *item.metadata.get("aliases", ())):
            names[_plain(name)] = item.name
    values = {}
    for key, value in _mapping(found, where).items():
        if _plain(key) not in names:
            raise InputError(f"{where}: {unknown('setting', key, names)}")
        values[names[_plain(key)]] = value
    return values


def _plain(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")


def _mapping(found: Any, where: str) -> dict[str, Any]:
    if not isinstance({} if found is None else found, dict):
        raise InputError(f"{where}: settings (key: value) are needed, found {found!r}")
    return {str(key): value for key, value in (found or {}).items()}
