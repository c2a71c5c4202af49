"""What the page starts: the arguments of `recipe run` and `tune run`, checked beforehand."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.options import KINDS, build
from tuneproof.recipes import recipe as recipes
from tuneproof.tuning.config import TuneConfig
from tuneproof.ui.shelf import check_links, inside, is_inside, is_shown

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
NO_PATHS = ("instruction", "where", "runs")
"""Settings of a recipe that are texts, and the folder of the runs: theirs are looked at singly."""


def recipe_names(root: Path) -> list[str]:
    """Return the recipes that come with the package, and the YAML files in the folder."""
    own = [path.name for path in root.glob("*.yaml") if is_shown(path.name)]
    return [*recipes.names(), *sorted(name for name in own if is_inside(root, name))]


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
    if local := (source or "").partition("=")[2]:
        _check_inside(root, local, "source")
    path = str(root / name) if name.endswith(".yaml") else name
    sources = (source,) if source else ()
    recipe = recipes.load(path, model=model, sources=sources, settings=settings, root=root)
    _check_recipe(root, recipe)
    options = {"model": model, "source": source, "set": "".join(settings)}
    typed = f"./{name}" if name.endswith(".yaml") else name  # which could begin with a dash
    return ["recipe", "run", typed, *(f"--{key}={text}" for key, text in options.items() if text)]


def tune_arguments(root: Path, form: Mapping[str, str]) -> list[str]:
    """Return the arguments of `tune run`.

    Raises:
        InputError: A setting cannot be, or something named is not in the folder.
    """
    given = {name: form[name].strip() for name in FIELDS if form.get(name, "").strip()}
    config = build(TuneConfig, {name: _typed(name, text) for name, text in given.items()})
    _check_inside(root, str(config.data), "data")
    _check_model(root, config.model)
    _check_path(root, str(config.folder), "run")
    options = (f"--{name.replace('_', '-')}={text}" for name, text in given.items())
    return ["tune", "run", *options]


def _check_recipe(root: Path, recipe: recipes.Recipe) -> None:
    """Raise InputError where a recipe reads or writes outside the folder, or runs code of its own.

    Its file may be somebody else's: every text in it that could be a path is taken for one.
    """
    compared = tuple(recipe.comparisons.values())
    if any(config.endpoint for config in compared):
        raise InputError("compare: the recipe asks an endpoint; start it in a terminal")
    if any(".py:" in text for text in (*recipe.score.metric, recipe.score.primary or "")):
        raise InputError("score: the recipe runs a Python file; start it in a terminal")
    for run in recipe.runs.values():
        if set(run.report_to) - {"tensorboard"}:
            raise InputError("tune: the recipe reports to a tracker; start it in a terminal")
        _check_path(root, str(run.folder), "tune")
    _check_path(root, str(recipe.reports), "reports")
    for one in compared:
        for name in (*one.run, *one.merged):
            _check_path(root, str(one.runs / name), "compare.runs")
    sections = {"prepdata": (recipe.build,), "tune": recipe.runs.values(), "compare": compared}
    for section, configs in {**sections, "score": (recipe.score,)}.items():
        for config in configs:
            for field, text in _texts(config):
                _check_path(root, text, f"{section}.{field}")
    for text in recipe.prompts:
        _check_path(root, text, "compare.prompts")


def _texts(config: Any) -> Iterator[tuple[str, str]]:
    """Yield the settings that could be paths, and what stands behind a = or : in them."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        for one in value if isinstance(value, tuple) else (value,):
            if field.name in NO_PATHS or not isinstance(one, str | Path):
                continue
            text = str(one)
            ends = [text[match.end() :] for match in re.finditer("[=:]", text)]
            yield from ((field.name, end.strip()) for end in (text, *ends) if end.strip())


def _check_path(root: Path, name: str, what: str) -> None:
    """Raise InputError where a path, which need not be there, or a link in it leads out."""
    try:
        path = (root / name).resolve()
        if path.is_relative_to(root) and not name.startswith("~"):
            return check_links(root, path)
    except ValueError:  # a NUL character is in no path
        return None
    except (FileNotFoundError, RuntimeError):  # a link that leads out, or in a circle
        pass
    raise InputError(f"{what}: {name!r} leads out of the folder")


def _typed(name: str, text: str) -> Any:
    kind = FIELDS[name]
    try:
        return kind(text)
    except ValueError as error:
        raise InputError(f"{name}: expected {KINDS[kind]}, found {text!r}") from error


def _check_model(root: Path, model: str) -> None:
    """Raise InputError where a model is a path out of the folder; a Hub id is none."""
    if model in MODELS or (HUB_ID.fullmatch(model) and not os.path.lexists(root / model)):
        return
    _check_inside(root, model, "model")


def _check_inside(root: Path, name: str, what: str) -> None:
    with suppress(FileNotFoundError):
        if not name.startswith("~"):
            return check_links(root, inside(root, name))
    raise InputError(f"{what}: there is no {name!r} in the folder")
