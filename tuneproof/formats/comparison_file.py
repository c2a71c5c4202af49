"""Read model_comparison.json, or the plain list simpler scripts write, and check every part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.files import read_json
from tuneproof.formats.comparison import Answer, Comparison, Item, Variant
from tuneproof.formats.label_checks import check_label, check_labels, check_probabilities
from tuneproof.numbers import is_value

SCHEMA = "tuneproof/comparison@1"
FINISH_REASONS = ("eos", "length")
PLAIN_KEYS = {"base": "regular", "fine_tuned": "fine_tuned"}
"""Variant -> key of its answer in the plain list."""


def read_comparisons(paths: Sequence[Path]) -> Comparison:
    """Read the files and join their items.

    Raises:
        InputError: A file is not a comparison, or the files are not of the same experiment.
    """
    if not paths:
        raise InputError("no comparison file given; `infer compare` writes model_comparison.json")
    first, *others = [read_comparison(path) for path in paths]
    items = list(first.items)
    places = {item.id: first.sources[0] for item in items}
    for other in others:
        _check_same_experiment(first, other)
        for item in other.items:
            if item.id in places:
                raise InputError(
                    f"{other.sources[0]}: item {item.id!r} is in {places[item.id]} too; "
                    "every id may stand once, so give each file only once"
                )
            places[item.id] = other.sources[0]
        items += other.items
    joined = replace(first, sources=tuple(paths), items=tuple(items))
    _check_scored_alike(joined)
    return joined


def read_comparison(path: Path) -> Comparison:
    """Read and check one file; InputError names the file, the item and what is expected."""
    document = _clean(read_json(path))
    if isinstance(document, list):
        return _plain_list(path, document)
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a comparison object or a list, found {_show(document)}")
    schema = document.get("schema")
    if schema != SCHEMA:
        found = "no schema" if schema is None else f"schema {_show(schema)}"
        raise InputError(f"{path}: {found}; a comparison says {SCHEMA!r} (`infer compare` does)")
    where = str(path)
    variants = _variants(where, _get(where, document, "variants", list))
    rows = _get(where, document, "items", list)
    if not rows:
        raise InputError(f"{path}: 'items' is empty; there is nothing to score")
    names = [variant.name for variant in variants]
    labels = _get(where, document, "labels", list, optional=True)
    if labels is not None:
        labels = check_labels(f"{where}: 'labels'", labels)
    items = [_item(path, index, row, names, labels) for index, row in enumerate(rows)]
    return Comparison(
        sources=(path,),
        variants=tuple(variants),
        items=tuple(_unique(path, items)),
        decoding=_get(where, document, "decoding", dict, optional=True),
        template=_get(where, document, "template", str, optional=True),
        labels=labels,
    )


def _plain_list(path: Path, rows: list[Any]) -> Comparison:
    """Turn ``[{"prompt", "fine_tuned", "regular"}, ...]`` into a comparison."""
    if not rows:
        raise InputError(f"{path}: the list is empty; there is nothing to score")
    items = []
    for index, row in enumerate(rows):
        where = f"{path}: item {index}"
        _expect(where, row, dict)
        answers = {
            name: Answer(text=_get(where, row, key, str)) for name, key in PLAIN_KEYS.items()
        }
        items.append(
            Item(
                id=f"{path.stem}-{index}",
                task=_get(where, row, "task", str, optional=True) or path.stem,
                prompt=_get(where, row, "prompt", str),
                input=_get(where, row, "input", str, optional=True) or "",
                reference=_reference(where, row),
                answers=answers,
            )
        )
    variants = tuple(Variant(name=name) for name in PLAIN_KEYS)
    return Comparison(sources=(path,), variants=variants, items=tuple(items))


def _variants(where: str, rows: list[Any]) -> list[Variant]:
    if not rows:
        raise InputError(f"{where}: 'variants' is empty; at least one model must have answered")
    variants: list[Variant] = []
    for index, row in enumerate(rows):
        place = f"{where}: variants[{index}]"
        _expect(place, row, dict)
        name = _get(place, row, "name", str)
        if not name.strip() or name in [variant.name for variant in variants]:
            raise InputError(f"{place}: name {name!r} is empty or already taken; names are unique")
        details = {key: value for key, value in row.items() if key != "name"}
        variants.append(Variant(name=name, details=details))
    return variants


def _item(
    path: Path, index: int, row: Any, names: list[str], labels: tuple[str, ...] | None
) -> Item:
    where = f"{path}: item {index}"
    _expect(where, row, dict)
    identity = _get(where, row, "id", str)
    where = f"{path}: item {index} (id {_show(identity)})"
    answers = _get(where, row, "answers", dict)
    for name in answers:
        if name not in names:
            raise InputError(f"{where}: {unknown('variant', name, names)}")
    reference = _reference(where, row)
    if labels is not None:
        check_label(f"{where}: 'reference'", reference, labels)
    return Item(
        id=identity,
        task=_get(where, row, "task", str),
        prompt=_get(where, row, "prompt", str),
        input=_get(where, row, "input", str, optional=True) or "",
        reference=reference,
        executed=_executed(where, row),
        group=_get(where, row, "group", str, optional=True),
        truncated=_get(where, row, "truncated", bool, optional=True) or False,
        answers={
            name: _answer(f"{where}: answers[{name!r}]", _get(where, answers, name, dict), labels)
            for name in names
        },
    )


def _answer(where: str, row: dict[str, Any], labels: tuple[str, ...] | None) -> Answer:
    tokens = _get(where, row, "tokens", int, optional=True)
    if tokens is not None and tokens < 0:
        raise InputError(f"{where}: tokens is {tokens}; expected 0 or more")
    reason = _get(where, row, "finish_reason", str, optional=True)
    if reason is not None and reason not in FINISH_REASONS:
        raise InputError(
            f"{where}: finish_reason is {_show(reason)}; expected 'eos' (the model ended its "
            "answer) or 'length' (the limit cut it)"
        )
    scored = {} if labels is None else _scored(where, row, labels)
    text = _get(where, row, "text", str, optional=scored.get("label") is not None)
    return Answer(text=text, tokens=tokens, finish_reason=reason, **scored)


def _scored(where: str, row: dict[str, Any], labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the scored label and the probabilities, as far as the answer has them."""
    label = _get(where, row, "label", str, optional=True)
    if label is not None:
        check_label(f"{where}: 'label'", label, labels)
    found = _get(where, row, "label_probabilities", dict, optional=True)
    if found is not None:
        found = check_probabilities(f"{where}: 'label_probabilities'", found, label, labels)
    return {"label": label, "label_probabilities": found}


def _reference(where: str, row: dict[str, Any]) -> str | None:
    text: str | None = _get(where, row, "reference", str, optional=True)
    return text if text and text.strip() else None


def _executed(where: str, row: dict[str, Any]) -> str | None:
    text: str | None = _get(where, row, "executed", str, optional=True)
    if text and not is_value(text):
        raise InputError(f"{where}: 'executed' is {_show(text)}; expected a number, yes or no")
    return text or None


def _unique(path: Path, items: list[Item]) -> Iterator[Item]:
    places: dict[str, int] = {}
    for index, item in enumerate(items):
        if item.id in places:
            raise InputError(
                f"{path}: items {places[item.id]} and {index} have the same id {_show(item.id)}; "
                "every id may stand once"
            )
        places[item.id] = index
        yield item


def _check_same_experiment(first: Comparison, other: Comparison) -> None:
    here, there = other.sources[0], first.sources[0]
    if sorted(first.names) != sorted(other.names):
        raise InputError(
            f"{here} compares {', '.join(other.names)}, but {there} compares "
            f"{', '.join(first.names)}; files scored together must have the same variants"
        )
    for name in other.names:
        mine, known = (
            {key: variant.details.get(key) for key in ("model", "adapter")}
            for comparison in (other, first)
            for variant in comparison.variants
            if variant.name == name
        )
        if mine != known:
            raise InputError(
                f"{here}: variant {name!r} is {_show(mine)}, in {there} it is {_show(known)}; "
                "score different models apart"
            )
    if first.decoding != other.decoding:
        raise InputError(
            f"{here}: decoding is {_show(other.decoding)}, in {there} it is "
            f"{_show(first.decoding)}; answers decoded differently cannot be scored together"
        )
    if first.labels != other.labels:
        raise InputError(f"{here} and {there} have different label sets; score them apart")
    if first.template != other.template:
        raise InputError(
            f"{here} and {there} were asked with different prompt templates; score them apart"
        )


def _check_scored_alike(comparison: Comparison) -> None:
    """Labels are scored for all items of a variant or for none, else nothing could be paired."""
    first = comparison.items[0]
    for item in comparison.items:
        for name, answer in item.answers.items():
            for key in ("label", "label_probabilities"):
                here, there = (getattr(a, key) is None for a in (answer, first.answers[name]))
                if here != there:
                    raise InputError(
                        f"{comparison.sources[0]}: variant {name!r} has {key!r} in item "
                        f"{(first if here else item).id!r} but not in item "
                        f"{(item if here else first).id!r}; score all items or none"
                    )


_NAMES = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}


def _get(
    where: str, row: Mapping[str, Any], key: str, kind: type, *, optional: bool = False
) -> Any:
    """Return ``row[key]``, checked; a missing or null optional key gives None."""
    if key not in row:
        if optional:
            return None
        raise InputError(f"{where}: missing key {key!r}; it has {', '.join(map(repr, row))}")
    if row[key] is None and optional:
        return None
    return _expect(f"{where}: {key!r}", row[key], kind)


def _expect(where: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"{where}: expected {_NAMES.get(kind, 'an object')}, found {_show(value)}")
    return value


def _clean(value: Any) -> Any:
    """Replace half characters (lone surrogates), which no output file can hold, in every text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_clean(part) for part in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(part) for key, part in value.items()}
    return value


def _show(value: Any) -> str:
    """Return a short form of what was found, for a message."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
