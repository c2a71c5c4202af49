"""model_comparison.json: items, the variants that answered them, and their answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.files import holds_lines, read_json, read_jsonl, write_json
from tuneproof.formats.codec import decode, encode, member, shown, typed
from tuneproof.formats.example import Example, example_from
from tuneproof.labels import spellings

SCHEMA = "tuneproof/comparison@1"
FINISH_REASONS = ("eos", "length")
PLAIN_KEYS = {"base": "regular", "fine_tuned": "fine_tuned"}
"""Variant -> key of its answer in the plain list."""
TOLERANCE = 1e-3
"""How far probabilities may be from what they should be, so that a file may round them."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one variant answered to one prompt."""

    text: str | None
    """The generated text, without the prompt and the end mark; None where a variant only scores
    labels, as a baseline or a classification head does."""
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
    """The label scored as most probable; None where labels were not scored."""
    label_probabilities: Mapping[str, float] | None = None
    """Probability of every label, in the order of the label set."""

    def as_row(self) -> dict[str, Any]:
        """Return its JSON object; what is not known is left out."""
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

    @classmethod
    def of(
        cls, example: Example, answers: Mapping[str, Answer], *, truncated: bool = False
    ) -> Item:
        """Return an example with its answers."""
        known = {one.name: getattr(example, one.name) for one in fields(Example)}
        return cls(**known, truncated=truncated, answers=answers)

    def as_row(self) -> dict[str, Any]:
        """Return its JSON object."""
        executed = {"executed": self.executed} if self.executed else {}
        return {
            "id": self.id,
            "task": self.task,
            "group": self.group,
            "prompt": self.instruction,
            "input": self.input,
            "truncated": self.truncated,
            "reference": self.reference,
            **executed,
            "answers": {name: answer.as_row() for name, answer in self.answers.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How many parameters a model has."""

    trainable: float | None
    """Those that were trained."""
    total: float | None
    """All of them."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training took, its evaluations apart; None where it is not recorded."""

    flops: float | None = None
    """Floating-point operations."""
    tokens: float | None = None
    """Tokens seen, without padding."""
    seconds: float | None = None
    """Wall time of the steps."""
    epochs: float | None = None
    """Passes over the examples."""
    peak_gpu_memory_bytes: float | None = None
    """Most GPU memory."""
    curve: tuple[Mapping[str, float], ...] = ()
    """Its evaluations: step, epoch, flops, tokens, seconds, validation_loss and
    validation_accuracy, as far as they are known."""


POINT = ("step", "epoch", "flops", "tokens", "seconds", "validation_loss", "validation_accuracy")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One model that was asked.

    Other programs write such files too: a detail of another type than it should have counts as
    unknown, and whatever else there is is kept.
    """

    name: str
    """What its answers are found by; unique."""
    details: Mapping[str, Any] = field(default_factory=dict, metadata={"rest": True})
    """All else that the file says of it: `model`, `adapter`, `method`, `kind` (``base``: not tuned,
    however it was asked; ``baseline`` or ``head``), `template`, `template_variables`, `shots` (`k`,
    `by`, `seed`, `file` and `mean`: how many there was room for), `system`, `label_sentence`,
    `quantization`, `parameters`, `training`, `training_seconds`, `peak_memory_bytes`,
    `load_seconds`, `weights_bytes`, `tokens_per_second`, `merged`, and the mean cost of an answer:
    `prompt_tokens`, `answer_tokens`, `seconds_per_answer`, ..."""

    @property
    def model(self) -> str | None:
        """The base model."""
        return self._text("model")

    @property
    def adapter(self) -> str | None:
        """The folder of its adapter."""
        return self._text("adapter")

    @property
    def template(self) -> str | None:
        """The prompt template, where it has one of its own."""
        return self._text("template")

    @property
    def decoding(self) -> Mapping[str, Any]:
        """The settings of decoding, where it has its own."""
        return self._object("decoding") or {}

    @property
    def is_baseline(self) -> bool:
        """Whether it is a classical baseline and no language model."""
        return self._text("kind") == "baseline"

    @property
    def is_base(self) -> bool:
        """Whether it is the base, not tuned, in one of the ways in which it was asked."""
        return self.name == "base" or self._text("kind") == "base"

    @property
    def is_head(self) -> bool:
        """Whether it is a classification head."""
        return self._text("kind") == "head"

    @property
    def is_merged(self) -> bool:
        """Whether it is an adapter merged into its base."""
        return self.details.get("merged") is True

    @property
    def parameters(self) -> Parameters:
        """How many parameters it has."""
        row = self._object("parameters") or {}
        return Parameters(trainable=_number(row, "trainable"), total=_number(row, "total"))

    @property
    def training_seconds(self) -> float | None:
        """Wall time of its training, evaluations included."""
        return _number(self.details, "training_seconds")

    @property
    def peak_memory_bytes(self) -> float | None:
        """Most memory that its training held."""
        return _number(self.details, "peak_memory_bytes")

    @property
    def training(self) -> Training | None:
        """What its training took; None where the file says nothing of one."""
        row = self._object("training")
        if row is None:
            return None
        listed = row.get("curve")
        curve = [_point(point) for point in listed] if isinstance(listed, list) else []
        return Training(
            flops=_number(row, "flops"),
            tokens=_number(row, "tokens"),
            seconds=_number(row, "seconds"),
            epochs=_number(row, "epochs"),
            peak_gpu_memory_bytes=_number(row, "peak_gpu_memory_bytes"),
            curve=tuple(point for point in curve if point is not None),
        )

    def _text(self, key: str) -> str | None:
        value = self.details.get(key)
        return value if isinstance(value, str) else None

    def _object(self, key: str) -> Mapping[str, Any] | None:
        value = self.details.get(key)
        return value if isinstance(value, Mapping) else None


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
    def baselines(self) -> list[str]:
        """The classical baselines that the tuned variants should beat."""
        return [variant.name for variant in self.variants if variant.is_baseline]

    def as_json(self) -> dict[str, Any]:
        """Return what model_comparison.json holds."""
        items = [item.as_row() for item in self.items]
        return {"schema": SCHEMA, **encode(self), "items": items}


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write model_comparison.json, whole or not at all."""
    write_json(path, comparison.as_json())


def read_comparisons(paths: Sequence[Path]) -> Comparison:
    """Read the files and join their items.

    Raises:
        InputError: A file is not a comparison, or the files are not of the same experiment.
    """
    if not paths:
        raise InputError("no comparison file given; `infer compare` writes model_comparison.json")
    first, *others = [read_comparison(path) for path in paths]
    items = list(first.items)
    files = {item.id: first.sources[0] for item in items}
    for other in others:
        _check_same_experiment(first, other)
        for item in other.items:
            if item.id in files:
                raise InputError(
                    f"{other.sources[0]}: item {item.id!r} is in {files[item.id]} too; "
                    "every id may stand once, so give each file only once"
                )
            files[item.id] = other.sources[0]
        items += other.items
    joined = replace(first, sources=tuple(paths), items=tuple(items))
    _check_scored_alike(joined)
    return joined


def read_comparison(path: Path) -> Comparison:
    """Read and check one file; InputError names the file, the item and what is expected."""
    value = [row for _, row in read_jsonl(path)] if holds_lines(path) else read_json(path)
    document = upgrade(_clean(value), path)
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
    return decode(
        Comparison,
        document,
        where,
        sources=(path,),
        variants=tuple(variants),
        labels=labels,
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


def _from_plain_list(rows: list[Any], path: Path) -> dict[str, Any]:
    if not rows:
        raise InputError(f"{path}: the list is empty; there is nothing to score")
    items = []
    for index, row in enumerate(rows):
        where = f"{path}: item {index}"
        typed(dict, row, where)
        known = {key: row[key] for key in ("prompt", "input", "reference") if key in row}
        given = {key: "" if text is None else text for key, text in row.items()}
        answers = {n: {"text": member(given, key, str, where)} for n, key in PLAIN_KEYS.items()}
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
    label, probabilities = None, None
    if labels is not None:
        label = member(row, "label", str, where, optional=True)
        if label is not None:
            check_label(f"{where}: 'label'", label, labels)
        probabilities = member(row, "label_probabilities", dict, where, optional=True)
        if probabilities is not None:
            here = f"{where}: 'label_probabilities'"
            probabilities = check_probabilities(here, probabilities, label, labels)
    shots = member(row, "shots", list, where, optional=True)
    return Answer(
        text=member(row, "text", str, where, optional=label is not None),
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


def _check_same_experiment(first: Comparison, other: Comparison) -> None:
    here, there = other.sources[0], first.sources[0]
    if sorted(first.names) != sorted(other.names):
        raise InputError(
            f"{here} compares {', '.join(other.names)}, but {there} compares "
            f"{', '.join(first.names)}; files scored together must have the same variants"
        )
    for name in other.names:
        mine, known = (
            {key: comparison.by_name[name].details.get(key) for key in ("model", "adapter")}
            for comparison in (other, first)
        )
        if mine != known:
            raise InputError(
                f"{here}: variant {name!r} is {shown(mine)}, in {there} it is {shown(known)}; "
                "score different models apart"
            )
    if first.decoding != other.decoding:
        raise InputError(
            f"{here}: decoding is {shown(other.decoding)}, in {there} it is "
            f"{shown(first.decoding)}; answers decoded differently cannot be scored together"
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


def check_labels(where: str, labels: Sequence[Any]) -> tuple[str, ...]:
    """Return the label set, or raise InputError when generated answers could not tell it apart."""
    for label in labels:
        if not isinstance(label, str) or not label.strip():
            raise InputError(f"{where}: label {label!r} is not a text; labels are texts")
    for one, other, *_ in spellings(labels):
        raise InputError(
            f"{where}: labels {one!r} and {other!r} are the same but for case, spaces and "
            "outer punctuation; give each a name of its own"
        )
    if len(labels) < 2:
        raise InputError(f"{where}: {len(labels)} label; a label set has at least two")
    return tuple(labels)


def check_label(where: str, label: str | None, labels: Sequence[str]) -> str:
    """Return a label of the set, or raise InputError naming the nearest one."""
    if label is None:
        raise InputError(f"{where} is missing; the file has 'labels', so it must be one of them")
    if label not in labels:
        raise InputError(f"{where}: {unknown('label', label, labels)}")
    return label


def check_probabilities(
    where: str, row: Mapping[str, Any], label: str | None, labels: Sequence[str]
) -> dict[str, float]:
    """Return the probabilities in the order of the label set.

    Raises:
        InputError: They are not for exactly the label set, not probabilities, do not sum to 1, or
            the highest is not that of `label`.
    """
    for name in row:
        if name not in labels:
            raise InputError(f"{where}: {unknown('label', name, labels)}")
    for name in labels:
        value = row.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            stated = "missing" if name not in row else repr(value)
            raise InputError(f"{where}: {name!r} is {stated}; expected a probability from 0 to 1")
    total = sum(row.values())
    if abs(total - 1) > TOLERANCE:
        raise InputError(f"{where}: the probabilities sum to {total:.4g}; expected 1")
    if label is None or row[label] < max(row.values()) - TOLERANCE:
        stated = "none" if label is None else repr(label)
        raise InputError(
            f"{where}: 'label' is {stated}; expected the most probable one, "
            f"{max(row, key=row.__getitem__)!r}"
        )
    return {name: float(row[name]) for name in labels}


def _point(row: Any) -> dict[str, float] | None:
    """Return an evaluation of a training, as far as it is numbers."""
    if not isinstance(row, Mapping):
        return None
    return {name: value for name in POINT if (value := _number(row, name)) is not None}


def _number(row: Mapping[str, Any], key: str) -> float | None:
    """Return a value that is a finite number and not negative, else None."""
    value = row.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _clean(value: Any) -> Any:
    """Replace half characters (lone surrogates), which no output file can hold, in every text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_clean(part) for part in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(part) for key, part in value.items()}
    return value
