"""Command options made from a settings dataclass: one truth for names, defaults and help."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from core.errors import InputError, unknown

Config = TypeVar("Config")
Command = TypeVar("Command", bound=Callable[..., Any])


def options_from(config: type[Any]) -> Callable[[Command], Command]:
    """Decorate a command with one option per field of the settings dataclass.

    The option is the field's name with dashes, its help the line of text under the field, its
    default the field's. An option that is not typed arrives as None, so that a YAML file can
    stand between the defaults and the command line (see `resolve`).
    """
    docs = field_docs(config)
    hints = typing.get_type_hints(config)

    def decorate(command: Command) -> Command:
        for field in reversed(dataclasses.fields(config)):
            default = _shown_default(field)
            text = docs.get(field.name, "") + (f"  [default: {default}]" if default else "")
            settings = _option_type(hints[field.name])
            names = [f"--{field.name.replace('_', '-')}", *field.metadata.get("aliases", ())]
            if settings.pop("flag", False):
                names[0] += f"/--no-{field.name.replace('_', '-')}"
            command = click.option(*names, field.name, default=None, help=text, **settings)(command)
        return command

    return decorate


def resolve(
    config: type[Config], typed: Mapping[str, Any], yaml_file: Path | None = None
) -> Config:
    """Build the settings: the class's defaults, under the YAML file, under what was typed.

    Raises:
        InputError: An unknown key in the file, a value of the wrong type, or one the class rejects.
    """
    fields = {field.name for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    if yaml_file is not None:
        hints = typing.get_type_hints(config)
        for key, value in read_yaml(yaml_file).items():
            name = key.replace("-", "_")
            if name not in fields:
                raise InputError(f"{yaml_file}: {unknown('setting', key, fields)}")
            values[name] = _checked(f"{yaml_file}: {name}", value, hints[name])
    values |= {name: value for name, value in typed.items() if value is not None and value != ()}
    try:
        return config(**values)
    except ValueError as error:
        raise InputError(str(error)) from error
    except TypeError as error:
        raise InputError(f"{config.__name__}: {error}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping; InputError names file and line otherwise."""
    import yaml

    if not path.is_file():
        raise InputError(f"no such file: {path}")
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path}{line}: not valid YAML: {error.problem}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: a mapping (key: value) is needed, found {value!r}")
    return value


def field_docs(config: type[Any]) -> dict[str, str]:
    """Return the text standing under each field of a dataclass, by field name."""
    body = ast.parse(textwrap.dedent(inspect.getsource(config))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            docs[field.target.id] = " ".join(str(after.value.value).split())  # type: ignore[attr-defined]
    return docs


def _shown_default(field: dataclasses.Field[Any]) -> str:
    value = None if field.default is dataclasses.MISSING else field.default
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _option_type(hint: Any) -> dict[str, Any]:
    """Return click's settings for a field's type; a tuple becomes a repeatable option."""
    plain = _without_none(hint)
    origin = typing.get_origin(plain)
    if origin is typing.Literal:
        return {"type": click.Choice(typing.get_args(plain))}
    if origin is tuple:
        return {"multiple": True, "type": typing.get_args(plain)[0]}
    if plain is Path:
        return {"type": click.Path(path_type=Path)}
    if plain is bool:
        return {"flag": True}
    return {"type": plain}


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(arg for arg in typing.get_args(hint) if arg is not type(None))
    return hint


def _checked(where: str, value: Any, hint: Any) -> Any:
    """Return a YAML value as the field's type, or raise InputError."""
    if value is None:
        return None
    plain = _without_none(hint)
    origin = typing.get_origin(plain)
    if origin is tuple:
        return tuple(value) if isinstance(value, list) else (value,)
    if origin is typing.Literal:
        if value not in typing.get_args(plain):
            raise InputError(f"{where}: {unknown('value', str(value), typing.get_args(plain))}")
        return value
    if plain is float and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return float(value)  # YAML reads 5e-4 as text
        except ValueError:
            pass
    if plain is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool):
        raise InputError(f"{where}: expected {plain.__name__}, found {value!r}")
    return value
