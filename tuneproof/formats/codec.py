"""Encode dataclasses as JSON objects, and decode them again by their type hints.

The keys are the fields' names, in their order. Where a file differs, a field's metadata says so:

- ``key``: the field's key in the file, where that is not its name;
- ``in_file``: False where the file does not hold the field, so that its reader supplies it;
- ``omit``: True where the file leaves the field out while it has its default;
- ``rest``: True for a mapping of all keys of the object that no other field has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tuneproof.errors import InputError

T = TypeVar("T")
NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
"""What the plain types are called in a message."""
LARGEST = 10**30
"""No number in a file is larger: a training of the largest models takes 10**26 operations."""


def encode(value: Any, *, omit_none: bool = False) -> Any:
    """Return a value as JSON holds it: dataclasses as objects, tuples as lists.

    Args:
        value: A dataclass, or anything that holds some.
        omit_none: Whether a field whose default is None is left out while it is None.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict | Mapping):
        return {key: encode(item, omit_none=omit_none) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item, omit_none=omit_none) for item in value]
    if not is_dataclass(value):
        return value
    encoded: dict[str, Any] = {}
    for field in fields(value):
        item = getattr(value, field.name)
        is_omitted = field.metadata.get("omit") or (omit_none and field.default is None)
        if not is_in_file(field) or (is_omitted and item == _default(field)):
            continue
        plain = encode(item, omit_none=omit_none)
        encoded |= plain if field.metadata.get("rest") else {key_of(field): plain}
    return encoded


def decode(kind: type[T], value: Any, where: str, **supplied: Any) -> T:
    """Return a JSON object as a dataclass.

    Keys that a dataclass does not know are left out, unless it has a field for the rest.

    Args:
        kind: A dataclass, whose fields are plain types, literals, mappings, lists, tuples, other
            dataclasses, or unions of one of them with None or a text.
        value: What the JSON reader returned.
        where: What errors begin with, such as the file.
        supplied: Fields that are not to be read from the value.

    Raises:
        InputError: A key is missing or has a value of another type; the message says which, by the
            keys that lead to it, and the value.
    """
    row: dict[str, Any] = typed(dict, value, where)
    declared, hints = _declared(kind)  # type: ignore[arg-type] # classes are hashable
    known = {key_of(field) for field in declared}
    for field in declared:
        key = key_of(field)
        if field.name in supplied or not is_in_file(field):
            continue
        if field.metadata.get("rest"):
            supplied[field.name] = {k: row[k] for k in row if k == key or k not in known}
        elif key in row or not _has_default(field):
            supplied[field.name] = member(row, key, hints[field.name], where)
    return kind(**supplied)


def has_schema(document: Any, schema: str) -> bool:
    """Return whether a JSON document says that it is of a schema."""
    return isinstance(document, dict) and document.get("schema") == schema


def member(
    row: Mapping[str, Any], key: str, kind: Any, where: str, *, optional: bool = False
) -> Any:
    """Return the value of a key as a type; None for an optional one that is missing or null.

    Raises:
        InputError: It is missing, or of another type; the message begins with `where`.
    """
    if optional and row.get(key) is None:
        return None
    if key not in row:
        listed = ", ".join(map(repr, row)) or "nothing"
        raise InputError(f"{where}: missing key {key!r}; it has {listed}")
    return typed(kind, row[key], f"{where}: {key!r}")


def typed(kind: Any, value: Any, where: str) -> Any:
    """Return a JSON value as a type, as `decode` does for the values of an object.

    Raises:
        InputError: It is of another type; the message begins with `where`.
    """
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in parts:
            return None
        kinds = [part for part in parts if part is not NoneType]
        is_object = isinstance(value, dict)
        fitting = (part for part in kinds if is_dataclass(part) == is_object)
        return typed(next(fitting, kinds[0]), value, where)
    if isinstance(kind, type) and is_dataclass(kind):
        return decode(kind, value, where)
    inner = Any if not parts else parts[1] if origin in (Mapping, dict) else parts[0]
    if origin in (Mapping, dict):
        expected = "an object"
        if isinstance(value, dict):
            if inner is Any:
                return value
            return {key: typed(inner, item, f"{where}: {key!r}") for key, item in value.items()}
    elif origin in (tuple, Sequence, list):
        expected = "a list"
        if isinstance(value, list):
            items = [typed(inner, item, f"{where}[{i}]") for i, item in enumerate(value)]
            return tuple(items) if origin is tuple else items
    elif origin is Literal:
        expected = f"one of {', '.join(map(repr, parts))}"
        if value in parts:
            return value
    elif _is_a(kind, value):
        return value
    else:
        expected = NAMES[kind]
    is_none = isinstance(value, float) and not math.isfinite(value)
    fault = ", which is no number" if is_none else ""
    raise InputError(f"{where}: expected {expected}, found {shown(value)}{fault}")


def shown(value: Any) -> str:
    """Return a short form of a value, for a message."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def unknown_keys(values: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a document, at any depth, that are not in `known`."""
    more = {}
    for key, value in values.items():
        if key not in known:
            more[key] = value
        elif isinstance(value, dict) and (inner := unknown_keys(value, known[key] or {})):
            more[key] = inner
    return more


def with_unknown_keys(known: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with further keys, at any depth; where both have a key, `known` wins."""
    added = {
        key: with_unknown_keys(known[key], value) if isinstance(known.get(key), dict) else value
        for key, value in more.items()
        if key not in known or (isinstance(known[key], dict) and isinstance(value, dict))
    }
    return {**known, **added}


def key_of(field: Field[Any]) -> str:
    """Return the key that a field has in the file."""
    return str(field.metadata.get("key", field.name))


def is_in_file(field: Field[Any]) -> bool:
    """Return whether the file holds the field."""
    return bool(field.metadata.get("in_file", True))


@cache
def _declared(kind: Any) -> tuple[tuple[Field[Any], ...], dict[str, Any]]:
    """Return a dataclass's fields and their types."""
    return fields(kind), get_type_hints(kind)


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _is_a(kind: Any, value: Any) -> bool:
    """Return whether a value is of a plain type; JSON's 3.0 is a whole number too."""
    if kind is Any or isinstance(value, bool):
        return kind in (Any, bool)
    if isinstance(value, float):
        return (kind is float and math.isfinite(value)) or (kind is int and value.is_integer())
    if isinstance(value, int) and abs(value) > LARGEST:  # no count, and beyond a float
        return False
    return isinstance(value, int if kind is float else kind)
