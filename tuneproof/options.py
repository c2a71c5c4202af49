"""Command options made from a settings dataclass: one truth for names, defaults and help."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import textwrap
import types
import typing
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from tuneproof.errors import InputError, unknown
from tuneproof.text import one_line
from tuneproof.yaml_text import read_yaml

Config = TypeVar("Config")
Command = TypeVar("Command", bound=Callable[..., Any])

Advise = Callable[[str], str | None]
"""Returns one line on a name that is none of ours, or None where it knows nothing of it."""

KINDS = {
    bool: "true or false",
    float: "a number",
    int: "a whole number",
    Path: "a path",
    str: "text (in quotes where it looks like something else)",
}
"""What the types are called when a value is not of them."""


def options_from(
    config: type[Any], *, without: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Decorate a command with one option per field of the settings dataclass.

    The option is the field's name with dashes, its help the line of text under the field, its
    default the field's. An option that is not typed arrives as None, so that a YAML file can
    stand between the defaults and the command line (see `resolve`).

    Args:
        config: The dataclass.
        without: Fields that are no option of this command.
    """
    docs = field_docs(config)
    hints = typing.get_type_hints(config)

    def decorate(command: Command) -> Command:
        for field in reversed(dataclasses.fields(config)):
            if field.name in without:
                continue
            default = _shown_default(field)
            text = docs.get(field.name, "") + (f"  [default: {default}]" if default else "")
            settings = _option_type(hints[field.name])
            names = _names(field)
            if settings.pop("flag", False):
                bare = names[0].removeprefix("--")
                names[0] += (
                    f"/--{bare.removeprefix('no-')}" if bare[:3] == "no-" else f"/--no-{bare}"
                )
            command = click.option(*names, field.name, default=None, help=text, **settings)(command)
        return command

    return decorate


def resolve(
    config: type[Config],
    typed: Mapping[str, Any],
    yaml_file: Path | None = None,
    advice_on: Advise | None = None,
) -> Config:
    """Build the settings: the class's defaults, under the YAML file, under what was typed.

    Args:
        config: The dataclass.
        typed: The options by field name; None where one was not typed.
        yaml_file: Holds further ones.
        advice_on: Returns what to say of a key that is none of ours.

    Raises:
        InputError: An unknown key in the file, a value of the wrong type, or one the class rejects.
    """
    values = {}
    if yaml_file is not None:
        values = field_values(config, read_yaml(yaml_file), str(yaml_file), advice_on)
    values |= {name: value for name, value in typed.items() if value is not None and value != ()}
    for name in _missing(config, values):
        raise InputError(f"--{name.replace('_', '-')} is needed")
    return build(config, values)


def from_mapping(config: type[Config], value: Any, where: str) -> Config:
    """Build the settings from what a YAML mapping holds.

    Args:
        config: The dataclass.
        value: What the YAML parser returned.
        where: File and key; every error begins with it, once.

    Raises:
        InputError: No mapping, an unknown or missing key, a value of the wrong type, or one the
            class rejects.
    """
    values = field_values(config, value, where)
    if missing := _missing(config, values):
        raise InputError(f"{where}: {', '.join(missing)} missing")
    return build(config, values, where)


def field_values(
    config: type[Any], value: Any, where: str, advice_on: Advise | None = None
) -> dict[str, Any]:
    """Return a YAML mapping's values by field name, of the fields' types.

    Keys may be a field's name or an alias, with dashes or underscores.

    Raises:
        InputError: No mapping, an unknown key, or a value of the wrong type; the message begins
            with `where`.
    """
    hints = typing.get_type_hints(config)
    values = {}
    for key, item in mapping(value, where).items():
        name = field_name(config, key, where, advice_on)
        values[name] = checked(f"{where}: {name}", item, hints[name])
    return values


def build(config: type[Config], values: Mapping[str, Any], where: str = "") -> Config:
    """Build the settings from values of the fields' types.

    Raises:
        InputError: A value is NaN or infinite, or the class rejects it; the message begins with
            `where`.
    """
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            fault = f"{name} must be a finite number, got {value}"
            raise InputError(f"{where}: {fault}" if where else fault)
    try:
        return config(**values)
    except ValueError as error:
        raise InputError(f"{where}: {error}" if where else str(error)) from error


def changed(config: Any, default: Any, always: Collection[str] = ()) -> dict[str, Any]:
    """Return the settings that differ from the default ones, as YAML holds them.

    Args:
        config: A settings dataclass.
        default: Another of its class.
        always: Settings that are returned in any case.
    """
    return {
        field.name: _plain(getattr(config, field.name))
        for field in dataclasses.fields(config)
        if field.name in always or getattr(config, field.name) != getattr(default, field.name)
    }


def field_name(config: type[Any], key: str, where: str, advice_on: Advise | None = None) -> str:
    """Return the field that a key means, whichever of its names it is.

    Raises:
        InputError: There is no such field; the message begins with `where`.
    """
    fields = dataclasses.fields(config)
    names = {underscored(name): field.name for field in fields for name in _names(field)}
    if underscored(key) not in names:
        advice = None if advice_on is None else advice_on(key)
        raise InputError(f"{where}: {advice or unknown('setting', key, names)}")
    return names[underscored(key)]


def underscored(key: str) -> str:
    """Return a key as Python spells it: ``--lora-r`` and ``lora-r`` are ``lora_r``."""
    return key.removeprefix("--").replace("-", "_")


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Return a YAML mapping with its keys as text; nothing (``tune:``) is an empty one.

    Raises:
        InputError: It is something else; the message begins with `where`.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        shown = one_line(repr(value), 80)
        raise InputError(f"{where}: settings (key: value) are needed, found {shown}")
    return {str(key): item for key, item in value.items()}


def field_docs(config: type[Any]) -> dict[str, str]:
    """Return the text standing under each field of a dataclass and its parents, by field name."""
    docs: dict[str, str] = {}
    for part in filter(dataclasses.is_dataclass, reversed(config.__mro__)):
        body = ast.parse(textwrap.dedent(inspect.getsource(part))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, body.body[1:], strict=False):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
                text = str(after.value.value)  # type: ignore[attr-defined]
                docs[field.target.id] = " ".join(text.split())
    return docs


def without_none(hint: Any) -> Any:
    """Return a field's type without the None that stands for "not set"."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(arg for arg in typing.get_args(hint) if arg is not type(None))
    return hint


def checked(where: str, value: Any, hint: Any) -> Any:
    """Return a YAML value as a field's type; InputError, which begins with `where`, otherwise."""
    if value is None and without_none(hint) is not hint:
        return None
    plain = without_none(hint)
    origin = typing.get_origin(plain)
    if origin is tuple:
        items = value if isinstance(value, list) else [value]
        return tuple(checked(where, item, typing.get_args(plain)[0]) for item in items)
    if origin is typing.Literal:
        if value not in typing.get_args(plain):
            known = map(str, typing.get_args(plain))
            raise InputError(f"{where}: {unknown('value', str(value), known)}")
        return value
    if plain is float and isinstance(value, int | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            return float(value)  # YAML reads 5e-4 as text
    if plain is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool):
        shown = one_line(repr(value), 80)
        raise InputError(f"{where}: expected {KINDS.get(plain, plain.__name__)}, found {shown}")
    return value


def check_least_one(settings: Any, *names: str) -> None:
    """Raise ValueError where one of these settings is a number under 1; None is no number."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def _names(field: dataclasses.Field[Any]) -> list[str]:
    """Return the option's name and its aliases (``field(metadata={"aliases": ("--other",)})``)."""
    return [f"--{field.name.replace('_', '-')}", *field.metadata.get("aliases", ())]


def _plain(value: Any) -> Any:
    """Return a setting as YAML holds it."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _shown_default(field: dataclasses.Field[Any]) -> str:
    value = None if field.default is dataclasses.MISSING else field.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _option_type(hint: Any) -> dict[str, Any]:
    """Return click's settings for a field's type; a tuple becomes a repeatable option."""
    plain = without_none(hint)
    origin = typing.get_origin(plain)
    if origin is typing.Literal:
        return {"type": _Verbatim(typing.get_args(plain))}
    if origin is tuple:
        return {"multiple": True, "type": typing.get_args(plain)[0]}
    if plain is Path:
        return {"type": click.Path(path_type=Path)}
    if plain is bool:
        return {"flag": True}
    return {"type": plain}


def _missing(config: type[Any], values: Mapping[str, Any]) -> list[str]:
    """Return the fields that have no default and no value."""
    return [
        field.name
        for field in dataclasses.fields(config)
        if field.default is field.default_factory is dataclasses.MISSING
        and field.name not in values
    ]


class _Verbatim(click.Choice[str]):
    """Values that keep their underscores, where those of an option's name are dashes."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        """Return the value as it is."""
        return str(choice)
