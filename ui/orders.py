"""What the page starts: the arguments of `recipe run` and `tune run`, checked beforehand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.options import KINDS, build
from tuneproof.recipes import recipe as recipes
from tuneproof.tuning.config import TuneConfig
from tuneproof.ui.shelf import is_inside

MODELS = ("tiny", "smollm2")
HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
FIELDS: dict[str, type] = {
    "data": Path,
    "model": str,
    "name": str,
    "method": str,
    "num_train_epochs": float,
    "max_steps": int,
    "learning_rate": float,
    "lora_r": int,
    "max_length": int,
}
"""The settings of `tune run` that the page asks for."""


def recipe_names(root: Path) -> list[str]:
    """Return the recipes that come with the package, and the YAML files in the folder."""
    own = [path.name for path in root.glob("*.yaml") if is_inside(root, path.name)]
    return [*recipes.names(), *sorted(own)]


def recipe_arguments(root: Path, form: Mapping[str, str]) -> list[str]:
    """Return the arguments of `recipe run`.

    Raises:
        InputError: The recipe cannot be run so, or something named is not in the folder.
    """
    given = {name: text.strip() for name, text in form.items() if text.strip()}
    name, model, source = (given.get(key) for key in ("name", "model", "source"))
    if name not in recipe_names(root):
        raise InputError(f"no recipe {name!r} here")
    settings = (f"tune.max_steps={given['max_steps']}",) if "max_steps" in given else ()
    if model is not None:
        _check_model(root, model)
    if source is not None:
        _check_inside(root, source.partition("=")[2], "source")
    path = str(root / name) if name.endswith(".yaml") else name
    sources = (source,) if source else ()
    recipes.load(path, model=model, sources=sources, settings=settings, root=root)
    options = {"model": model, "source": source, "set": "".join(settings)}
    return ["recipe", "run", name, *(f"--{key}={text}" for key, text in options.items() if text)]


def tune_arguments(root: Path, form: Mapping[str, str]) -> list[str]:
    """Return the arguments of `tune run`.

    Raises:
        InputError: A setting cannot be, or something named is not in the folder.
    """
    given = {name: form[name].strip() for name in FIELDS if form.get(name, "").strip()}
    config = build(TuneConfig, {name: _typed(name, text) for name, text in given.items()})
    _check_inside(root, str(config.data), "data")
    _check_model(root, config.model)
    if not (root / config.folder).resolve().is_relative_to(root):
        raise InputError(f"{config.folder} leads out of the folder")
    options = (f"--{name.replace('_', '-')}={text}" for name, text in given.items())
    return ["tune", "run", *options]


def _typed(name: str, text: str) -> Any:
    kind = FIELDS[name]
    try:
        return kind(text)
    except ValueError as error:
        raise InputError(f"{name}: expected {KINDS[kind]}, found {text!r}") from error


def _check_model(root: Path, model: str) -> None:
    """Raise InputError where a model is a path out of the folder; a Hub id is none."""
    if model in MODELS or (HUB_ID.fullmatch(model) and not (root / model).exists()):
        return
    _check_inside(root, model, "model")


def _check_inside(root: Path, name: str, what: str) -> None:
    if not is_inside(root, name):
        raise InputError(f"{what}: there is no {name!r} in the folder")
