"""model_comparison.json: items, the variants that answered them, and their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.files import holds_lines, read_json, read_jsonl, write_json
from tuneproof.formats.codec import decode, encode, member, shown, typed
from tuneproof.formats.example import Example, example_from
from tuneproof.formats.label_checks import check_label, check_labels, check_probabilities
from tuneproof.formats.variant import Variant

SCHEMA = "tuneproof/comparison@1"
FINISH_REASONS = ("eos", "length")
PLAIN_KEYS = {"base": "regular", "fine_tuned": "fine_tuned"}
"""Variant -> key of its answer in the plain list."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one variant answered to one prompt."""

    text: str | None
    """The generated text, without the prompt and the end mark; None where a variant only scores
    labels, as a baseline or a classification head does, and where there is no answer."""
    error: str | None = None
    """Why there is no answer, as where a server refused the prompt; None where there is one."""
    tokens: int | None = None
    """Generated tokens; None where the file does not say."""
    finish_reason: str | None = None
    """``eos`` (the model stopped), ``length`` (the limit cut it) or None (not recorded)."""
    thinking_tokens: int | None = None
    """Those of `tokens` that the model thought before it answered; `text` leaves them out."""
    shots: tuple[str, ...] | None = None
    """Ids of the training examples that stood, answered, before the question; None where a variant
    gets none."""
    label: str | None = None
    """The label scored as most probable, or the one that the text is; empty where it is none of
    them, None where labels were not scored."""
    label_probabilities: Mapping[str, float] | None = None
    """Probability of every label, in the order of the label set."""

    def as_row(self) -> dict[str, Any]:
        """Return its JSON object, without unknown values."""
        row: dict[str, Any] = encode(self, omit_none=True)
        return row


@dataclass(frozen=True, kw_only=True, slots=True)
class Item(Example):
    """An example with every variant's answer."""

    instruction: str = field(metadata={"key": "prompt"})
    """What is asked."""
    output: str = field(default="", metadata={"key": "reference"})
    """The right answer, with labels one of them; blank or null where none is known."""
    truncated: bool = False
    """Whether the input was shortened to fit the model."""
    answers: Mapping[str, Answer]
    """By variant."""

    @property
    def is_failed(self) -> bool:
        """Whether one variant or several gave no answer."""
        return any(answer.error is not None for answer in self.answers.values())

    @classmethod
    def of(
        cls, example: Example, answers: Mapping[str, Answer], *, truncated: bool = False
    ) -> Item:
        """Return an example with its answers."""
        known = {one.name: getattr(example, one.name) for one in fields(Example)}
        return cls(**known, truncated=truncated, answers=answers)

    def as_row(self) -> dict[str, Any]:
        """Return its JSON object."""
        return {
            "id": self.id,
            "task": self.task,
            "group": self.group,
            "prompt": self.instruction,
            "input": self.input,
            "truncated": self.truncated,
            "reference": self.reference,
            **self.what_there_is(),
            "answers": {name: answer.as_row() for name, answer in self.answers.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Every variant's answer to every item."""

    sources: tuple[Path, ...] = field(default=(), metadata={"in_file": False})
    """The files it was read from."""
    identity: str | None = None
    """Hash of all that decides the answers."""
    decoding: Mapping[str, Any] | None = None
    """The settings of decoding, the same for every variant."""
    template: str | None = None
    """The text that every variant was asked with; None where they differ, which each says of
    itself, and for heads alone."""
    calibrate: str | None = field(default=None, metadata={"omit": True})
    """How label probabilities were calibrated; None where no labels were scored."""
    prompts: Mapping[str, str] | None = None
    """`file` and `sha256` of the prompts."""
    labels: tuple[str, ...] | None = None
    """The label set of a classification; then every reference is one of them."""
    left_out: tuple[str, ...] = ()
    """Ids of the prompts that were too long to be asked, for all or some of the variants."""
    too_long_for: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict, metadata={"omit": True}
    )
    """For which variants each of them was too long."""
    failed: tuple[Item, ...] = field(default=(), metadata={"in_file": False})
    """Prompts that one variant or several gave no answer to; they are scored for none."""
    variants: tuple[Variant, ...]
    """The models that were asked."""
    items: tuple[Item, ...] = field(metadata={"in_file": False})
    """What they were asked, with their answers."""

    @property
    def has_programs(self) -> bool:
        """Whether any item has the executed answer of a program."""
        return any(item.executed for item in self.items)

    @property
    def base(self) -> str:
        """The variant the others are measured against: `base`, otherwise the first model.

        Where there are only trained classification heads, it is the majority class: no head is of
        use before it is trained.
        """
        heads = {variant.name for variant in self.variants if variant.is_head}
        if "majority" in self.baselines and set(self.names) == heads | set(self.baselines):
            return "majority"
        names = self.names
        return next((n for n in names if n == "base" or n not in self.baselines), names[0])

    @property
    def names(self) -> list[str]:
        """The variants in reading order: the base first, the others as in the file."""
        listed = [variant.name for variant in self.variants]
        return sorted(listed, key=lambda name: name != "base")

    @property
    def by_name(self) -> dict[str, Variant]:
        """The variants by name, in reading order."""
        known = {variant.name: variant for variant in self.variants}
        return {name: known[name] for name in self.names}

    @property
    def tuned(self) -> list[str]:
        """The variants that are measured against the base."""
        others = {variant.name for variant in self.variants if variant.is_base}
        return [name for name in self.names if name not in (self.base, *self.baselines, *others)]

    @property
    def models(self) -> list[str]:
        """The variants that write their answers; baselines repeat those of the training data."""
        return [name for name in self.names if name not in self.baselines]

    @property
    def baselines(self) -> list[str]:
        """The classical baselines that the tuned variants should beat."""
        return [variant.name for variant in self.variants if variant.is_baseline]

    def as_json(self) -> dict[str, Any]:
        """Return what model_comparison.json holds."""
        items = [item.as_row() for item in self.items]
        failed = {"failed": [item.as_row() for item in self.failed]} if self.failed else {}
        return {"schema": SCHEMA, **encode(self), "items": items, **failed}

    @property
    def faults(self) -> dict[str, list[str]]:
        """Why there are no answers, each reason as often as it was given, by variant."""
        reasons: dict[str, list[str]] = {}
        for item in self.failed:
            for name, answer in item.answers.items():
                if answer.error is not None:
                    reasons.setdefault(name, []).append(answer.error)
        return reasons


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write model_comparison.json, whole or not at all."""
    write_json(path, comparison.as_json())


def read_comparison(path: Path) -> Comparison:
    """Read and check one file; InputError names the file, the item and what is expected."""
    value = [row for _, row in read_jsonl(path)] if holds_lines(path) else read_json(path)
    document = upgrade(value, path)
    where = str(path)
    variants = _variants(where, member(document, "variants", list, where))
    rows = member(document, "items", list, where)
    if not rows:
        raise InputError(f"{path}: 'items' is empty; there is nothing to score")
    names = [variant.name for variant in variants]
    labels = member(document, "labels", list, where, optional=True)
    if labels is not None:
        labels = check_labels(f"{where}: 'labels'", labels)
    items = [_item(path, index, row, names, labels) for index, row in enumerate(rows)]
    rows = member(document, "failed", list, where, optional=True) or []
    failed = [_item(path, index, row, names, labels) for index, row in enumerate(rows)]
    failed += [item for item in items if item.is_failed]
    if not (items := [item for item in items if not item.is_failed]):
        raise InputError(f"{path}: no prompt was answered by all variants, so none is scored")
    return decode(
        Comparison,
        document,
        where,
        sources=(path,),
        variants=tuple(variants),
        labels=labels,
        failed=tuple(failed),
        items=tuple(_unique(path, items)),
    )


def upgrade(document: Any, path: Path) -> dict[str, Any]:
    """Return a document as this version would have written it.

    ``[{"prompt", "fine_tuned", "regular"}, ...]``, which simpler scripts write, becomes one too.
    """
    if isinstance(document, list):
        return _from_plain_list(document, path)
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a comparison object or a list, found {shown(document)}")
    schema = document.get("schema")
    if schema != SCHEMA:
        stated = "no schema" if schema is None else f"schema {shown(schema)}"
        raise InputError(f"{path}: {stated}; a comparison says {SCHEMA!r} (`infer compare` does)")
    return document


PLAIN_ITEM = ("prompt", "input", "reference", "references", "group", "messages", "executed")
"""Keys of an item that a plain list may have, too."""


def _from_plain_list(rows: list[Any], path: Path) -> dict[str, Any]:
    if not rows:
        raise InputError(f"{path}: the list is empty; there is nothing to score")
    items = []
    for index, row in enumerate(rows):
        where = f"{path}: item {index}"
        typed(dict, row, where)
        known = {key: row[key] for key in PLAIN_ITEM if key in row}
        texts = {key: "" if text is None else text for key, text in row.items()}
        answers = {n: {"text": member(texts, key, str, where)} for n, key in PLAIN_KEYS.items()}
        task = row.get("task") or path.stem
        items.append({"id": f"{path.stem}-{index}", "task": task, **known, "answers": answers})
    return {"variants": [{"name": name} for name in PLAIN_KEYS], "items": items}


def _variants(where: str, rows: list[Any]) -> list[Variant]:
    if not rows:
        raise InputError(f"{where}: 'variants' is empty; at least one model must have answered")
    variants: list[Variant] = []
    for index, row in enumerate(rows):
        variant = decode(Variant, row, f"{where}: variants[{index}]")
        name = variant.name
        if not name.strip() or name in [other.name for other in variants]:
            raise InputError(
                f"{where}: variants[{index}]: name {name!r} is empty or already taken; "
                "names are unique"
            )
        variants.append(variant)
    return variants


def _item(
    path: Path, index: int, row: Any, names: list[str], labels: tuple[str, ...] | None
) -> Item:
    where = f"{path}: item {index}"
    typed(dict, row, where)
    identity = member(row, "id", str, where)
    where = f"{path}: item {index} (id {shown(identity)})"
    member(row, "task", str, where)
    answers = member(row, "answers", dict, where)
    for name in answers:
        if name not in names:
            raise InputError(f"{where}: {unknown('variant', name, names)}")
    example = example_from(row, where, default_id=identity, is_prompt=True)
    if not example.output.strip():
        example = replace(example, output="")
    if labels is not None:
        check_label(f"{where}: 'reference'", example.reference, labels)
    return Item.of(
        example,
        {
            name: _answer(f"{where}: answers[{name!r}]", member(answers, name, dict, where), labels)
            for name in names
        },
        truncated=member(row, "truncated", bool, where, optional=True) or False,
    )


def _answer(where: str, row: dict[str, Any], labels: tuple[str, ...] | None) -> Answer:
    tokens = member(row, "tokens", int, where, optional=True)
    if tokens is not None and tokens < 0:
        raise InputError(f"{where}: tokens is {tokens}; expected 0 or more")
    reason = member(row, "finish_reason", str, where, optional=True)
    if reason is not None and reason not in FINISH_REASONS:
        raise InputError(
            f"{where}: finish_reason is {shown(reason)}; expected 'eos' (the model ended its "
            "answer) or 'length' (the limit cut it)"
        )
    error = member(row, "error", str, where, optional=True)
    label, probabilities = None, None
    if labels is not None and error is None:
        label = member(row, "label", str, where, optional=True)
        if label:
            check_label(f"{where}: 'label'", label, labels)
        probabilities = member(row, "label_probabilities", dict, where, optional=True)
        if probabilities is not None:
            here = f"{where}: 'label_probabilities'"
            probabilities = check_probabilities(here, probabilities, label, labels)
    shots = member(row, "shots", list, where, optional=True)
    return Answer(
        text=member(row, "text", str, where, optional=label is not None or error is not None),
        error=error,
        tokens=tokens,
        finish_reason=reason,
        thinking_tokens=member(row, "thinking_tokens", int, where, optional=True),
        shots=None if shots is None else tuple(map(str, shots)),
        label=label,
        label_probabilities=probabilities,
    )


def _unique(path: Path, items: list[Item]) -> Iterator[Item]:
    numbers: dict[str, int] = {}
    for index, item in enumerate(items):
        if item.id in numbers:
            raise InputError(
                f"{path}: items {numbers[item.id]} and {index} have the same id {shown(item.id)}; "
                "every id may stand once"
            )
        numbers[item.id] = index
        yield item
