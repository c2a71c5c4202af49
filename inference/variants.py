"""The variants of a comparison: a base and its runs, over as few copies of the base as can be.

Adapters that share the base's weights answer in one batch with it. What has weights of its own (all
trained, merged, or over a base in 4 bits) has a model of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.formats.run import FourBit, Run
from tuneproof.formats.template import Template
from tuneproof.inference.config import EngineName
from tuneproof.inference.forms import BASE, Form, base_forms
from tuneproof.inference.resident import DeviceMemory, Resident
from tuneproof.inference.row_limit import RowLimit
from tuneproof.inference.shots import Shots
from tuneproof.inference.subject import Subject, common_base, subject_of
from tuneproof.models import load as models
from tuneproof.models.adapters import can_merge, with_adapter
from tuneproof.models.device import Dtype, choose_device, is_cuda
from tuneproof.models.four_bit import in_compute_dtype, weights_bytes
from tuneproof.models.virtual_tokens import VirtualTokens, virtual_tokens_of
from tuneproof.prompts import template as templates
from tuneproof.prompts.fit import Encoded

if TYPE_CHECKING:
    from tuneproof.inference.vllm_engine import Engine

Row = dict[str, Any]
"""A variant as the comparison file records it."""
NO_LIMIT = 2**20
"""Most tokens of a prompt where a model has no limit of its own."""


@dataclass(frozen=True, kw_only=True)
class Variants:
    """What answers over one model in memory: a base with its adapters, or one run alone."""

    forms: Mapping[str, Form]
    """How each variant is asked, by its name: the base in all its ways and the runs that share it,
    in the order given; or one run."""
    resident: Resident
    """Holds the model, which may have to be loaded again."""
    context_length: int | None
    """How many tokens the model can read at once; None where it has no such limit."""
    adapters: Mapping[str, str]
    """What each variant's adapter is called in PEFT's model; empty where it has none."""
    tokenizer: Any
    """The base's tokenizer."""
    described: list[Row]
    """One entry per variant."""
    virtual_tokens: int = 0
    """Tokens of the model's context that trained virtual tokens take."""

    limit: RowLimit = field(default_factory=RowLimit)
    """How many rows are answered together, where memory does not suffice for all."""
    engine: Engine | None = None
    """Writes the answers in the place of the model, which is only described then."""

    @property
    def model(self) -> Any:
        """PEFT's model over the base; or, where no adapter shares it, the model that answers."""
        return self.resident.model

    @property
    def names(self) -> list[str]:
        """The variants' names."""
        return list(self.forms)

    @property
    def kinds(self) -> dict[str, str | None]:
        """The kind of each variant by its name: ``base``, ``model``, or None where it was tuned."""
        return {row["name"]: row.get("kind") for row in self.described}

    @property
    def untuned(self) -> list[str]:
        """The names of those that were not tuned: the base in all its forms, or another model."""
        return [name for name, kind in self.kinds.items() if kind is not None]

    def routed(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Return what tells the model which adapter each row of a batch goes through.

        Args:
            names: The variant of every row.
        """
        if not self.adapters:
            return {}
        return {"adapter_names": [self.adapters.get(name, "__base__") for name in names]}

    def ask(
        self, name: str, example: Example, max_new_tokens: int, *, reserve: int = 0
    ) -> Encoded | None:
        """Return a question as a variant is asked it, within what it knows and the model can hold.

        Args:
            name: The variant.
            example: What is asked.
            max_new_tokens: Room to leave for the answer in the model's context.
            reserve: Room to leave for the answer in the longest example of the training.

        Returns:
            The tokens, or None where the question is too long even without its input.

        Raises:
            InputError: The model has no room for any prompt beside so many new tokens.
        """
        form = self.forms[name]
        context = self.context_length
        room = NO_LIMIT
        if context is not None:
            room = context - self.virtual_tokens - max_new_tokens
        if room < 1:
            raise InputError(
                f"max_new_tokens {max_new_tokens} leaves no room for a prompt in the model's "
                f"{room + max_new_tokens} tokens"
            )
        if form.max_length is not None:
            room = min(room, form.max_length - reserve)
        return form.ask(self.tokenizer, example, room)


def load_variants(
    runs: Sequence[Run | Subject],
    *,
    base: str | None = None,
    template: Template | None = None,
    dtype: Dtype = "auto",
    device: str | None = None,
    memory: DeviceMemory | None = None,
    merged: Sequence[Run | Subject] = (),
    has_four_bit_base: bool = False,
    shots: Shots | None = None,
    system: str = "",
    labels: tuple[str, ...] = (),
    engine: EngineName = "builtin",
    served: Mapping[str, str] | None = None,
) -> list[Variants]:
    """Load a base and what is compared with it, each with its own template.

    Args:
        runs: To be loaded as they were trained; models that stand alone are among them.
        base: The base; None takes that of the runs.
        template: How the base is asked; None takes its own chat template, or the first run's.
        dtype: Of the weights that are not in 4 bits.
        device: Where the models answer, as in `load_model`.
        memory: What else is loaded there; None where nothing is.
        merged: Those whose adapters are merged into the full-precision base, in memory.
        has_four_bit_base: Whether the base in 4 bits is to be there as well.
        shots: Examples that the base gets as `base-few-shot`; None leaves it out.
        system: What the base is told as `base-prompted`; empty leaves it out.
        labels: The label set, which models are told that were not tuned.
        engine: What writes the answers.
        served: The run that a model serves, by the model's name.

    Returns:
        First the base with the adapters that share its weights, then one for each of the others.

    Raises:
        InputError: A run that answers no prompts, runs whose base differs, a base whose weights are
            not the ones a run was trained on, or nothing that could be merged.
    """
    subjects, to_merge = ([subject_of(one) for one in group] for group in (runs, merged))
    others = [one for one in subjects if one.stands_alone]
    tuned = [one for one in subjects if not one.stands_alone]
    every = list({one.name: one for one in (*tuned, *to_merge)}.values())
    base = common_base(every, base)
    trained = _trained_forms(every, labels)
    tokenizer = models.load_tokenizer(base)
    forms = base_forms(
        template or _own_template(tokenizer, trained),
        trained,
        shots=shots,
        system=system,
        labels=labels,
    )
    for name in trained:
        if name in forms:
            raise InputError(f"{name!r} is a name that the base has here; rename the run's folder")
    if has_four_bit_base and models.stored_four_bit(base):
        raise InputError(f"the base {base!r} is in 4 bits already; leave out --quantized base")
    sharing = [one for one in tuned if one.shares_base]
    load = partial(_loaded, dtype=dtype, device=choose_device(device))
    apart = [*_alone_of([one for one in tuned if one not in sharing], to_merge, trained, load)]
    if has_four_bit_base:
        apart.append(_four_bit_base(base, every, forms[BASE], load))
    apart += _standing_alone(others, trained, labels, served or {}, load)
    shared = _Shared(base=base, subjects=sharing, trained=trained, forms=forms, tokenizer=tokenizer)
    if engine == "vllm":
        _check_for_engine([one.row["name"] for one in apart], base)
        return [_by_engine(shared, dtype)]
    memory = memory or DeviceMemory()
    together = _together(shared, partial(load, base), memory)
    return [together, *(one.loaded(tokenizer, memory) for one in apart)]


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """A base in all its ways, and what answers in one batch with it."""

    base: str
    """The model."""
    subjects: Sequence[Subject]
    """What shares it."""
    trained: Mapping[str, Form]
    """How those are asked, by name."""
    forms: Mapping[str, Form]
    """How the base is."""
    tokenizer: Any
    """The base's."""

    @property
    def asked(self) -> dict[str, Form]:
        """How each is asked."""
        return {**self.forms, **{one.name: self.trained[one.name] for one in self.subjects}}

    def rows(self, costs: Sequence[Row]) -> list[Row]:
        """Return them as the comparison file records them.

        Args:
            costs: What else is said of the base, and of each of the others.
        """
        stored = models.stored_four_bit(self.base)
        rows: list[Row] = [
            {"name": name, "kind": "base", "model": self.base, "adapter": None}
            | ({"quantization": asdict(stored)} if stored else {})
            | form.recorded()
            | costs[0]
            for name, form in self.forms.items()
        ]
        for one, own in zip(self.subjects, costs[1:], strict=True):
            rows.append(one.row() | self.trained[one.name].recorded() | own)
        return rows


@dataclass(frozen=True, kw_only=True)
class _Alone:
    """A variant with a model of its own, before that is loaded."""

    row: Row
    """As the comparison file records it."""
    form: Form
    """How it is asked."""
    load: Callable[[], Any]
    """Loads its model."""
    tokenizer: Any = None
    """Its tokenizer; None where it is the base's."""

    def callable_model(self) -> Any:
        """Load the model, with its virtual tokens where it has some."""
        model = self.load()
        return VirtualTokens(model) if virtual_tokens_of(model) else model

    def loaded(self, tokenizer: Any, memory: DeviceMemory) -> Variants:
        """Return it with its model.

        Args:
            tokenizer: The base's.
            memory: What else is loaded on the device.
        """
        model, cost = memory.load(partial(_timed, self.callable_model))
        virtual_tokens = model.count if isinstance(model, VirtualTokens) else 0
        return Variants(
            forms={self.row["name"]: self.form},
            resident=memory.add(model, self.callable_model),
            context_length=models.context_length(model),
            adapters={},
            tokenizer=tokenizer if self.tokenizer is None else self.tokenizer,
            described=[self.row | self.form.recorded() | cost],
            virtual_tokens=virtual_tokens,
        )


def _alone_of(
    apart: Sequence[Subject],
    to_merge: Sequence[Subject],
    trained: Mapping[str, Form],
    load: Callable[..., Any],
) -> Iterator[_Alone]:
    """Yield what was trained from the base and shares no weights with it, then what is merged."""
    for one in apart:
        yield _Alone(row=one.row(), form=trained[one.name], load=partial(_own, one, load))
    for one in to_merge:
        row = one.row(f"{one.name}-merged") | {"quantization": None, "merged": True}
        yield _Alone(row=row, form=trained[one.name], load=partial(_merged, one, load))


def _four_bit_base(
    base: str, subjects: Sequence[Subject], form: Form, load: Callable[..., Any]
) -> _Alone:
    """Return the base in 4 bits, as the first run that has one was trained on it."""
    four_bit = next((one.quantization for one in subjects if one.quantization), FourBit())
    row: Row = {"name": "base-4bit", "kind": "model", "model": base, "adapter": None}
    row |= {"quantization": asdict(four_bit)}
    return _Alone(row=row, form=form, load=partial(load, base, four_bit))


def _standing_alone(
    others: Sequence[Subject],
    trained: Mapping[str, Form],
    labels: tuple[str, ...],
    served: Mapping[str, str],
    load: Callable[..., Any],
) -> Iterator[_Alone]:
    """Yield models that were not trained from the base, each with a tokenizer of its own."""
    for one in others:
        form = Form(template=one.template, labels=labels)
        if served.get(one.name) in trained:  # asked as that, in its file's own template
            form = replace(trained[served[one.name]], template=one.template)
        own = models.load_tokenizer(one.model)
        yield _Alone(row=one.row(), form=form, load=partial(load, one.model), tokenizer=own)


def _own_template(tokenizer: Any, trained: Mapping[str, Form]) -> Template | None:
    """Return the base's own chat template; without one that of the first run, else the default."""
    chat = models.chat_text(tokenizer.chat_template)
    if chat is not None:
        return templates.own(chat)
    return None if trained else templates.load()


def _trained_forms(subjects: Sequence[Subject], labels: tuple[str, ...]) -> dict[str, Form]:
    """Return how each is asked: in its template, within the longest of all their limits."""
    longest = max((one.max_length for one in subjects if one.max_length), default=None)
    return {
        one.name: Form(
            template=one.template,
            max_length=longest,
            labels=labels if one.names_labels else (),
        )
        for one in subjects
    }


def _together(shared: _Shared, load: Callable[[], Any], memory: DeviceMemory) -> Variants:
    """Return the base in all its forms, with adapters `v1`, `v2`, ... beside it.

    Each says what it costs to load alone.
    """

    def load_all() -> tuple[Any, list[Row]]:
        model, cost = _timed(load)
        costs = [cost]
        for name, one in zip(adapters.values(), shared.subjects, strict=True):
            before = weights_bytes(model)
            assert one.adapter is not None  # it shares the base
            model, more = _timed(partial(with_adapter, model, one.adapter, name))
            more["weights_bytes"] -= before
            costs.append({key: round(costs[0][key] + more[key], 3) for key in more})
        return model.eval(), costs

    adapters = {one.name: f"v{index}" for index, one in enumerate(shared.subjects, 1)}
    model, costs = memory.load(load_all)
    return Variants(
        forms=shared.asked,
        resident=memory.add(model, lambda: load_all()[0]),
        context_length=models.context_length(model),
        adapters=adapters,
        tokenizer=shared.tokenizer,
        described=shared.rows(costs),
    )


def _check_for_engine(apart: Sequence[str], base: str) -> None:
    """Raise InputError where vLLM cannot answer in the place of the built-in loop."""
    if models.stored_four_bit(base):
        raise InputError(f"the base {base!r} is in 4 bits; leave --engine out")
    if apart:
        raise InputError(
            "--engine vllm answers by a base and plain LoRA adapters over it, and "
            f"{apart[0]!r} is neither; leave --engine out"
        )


def _by_engine(shared: _Shared, dtype: Dtype) -> Variants:
    """Return the base in all its forms, and adapters, as vLLM answers."""
    from tuneproof.inference.vllm_engine import Engine

    adapters = {one.name: one.adapter for one in shared.subjects if one.adapter is not None}
    engine = Engine(shared.base, adapters, dtype)
    told: Row = {"engine": f"vllm {engine.version}"}
    return Variants(
        forms=shared.asked,
        resident=DeviceMemory().add(engine.model, lambda: engine.model),
        context_length=models.context_length(engine.model),
        adapters={},
        tokenizer=shared.tokenizer,
        described=shared.rows([told] * (1 + len(shared.subjects))),
        engine=engine,
    )


def _own(one: Subject, load: Callable[..., Any]) -> Any:
    """Return its own model, over the base as it was trained on."""
    if one.whole is not None:
        return load(one.whole)
    assert one.adapter is not None
    return with_adapter(load(one.model, one.quantization), one.adapter).eval()


def _merged(one: Subject, load: Callable[..., Any]) -> Any:
    """Return an adapter merged into its full-precision base; InputError where nothing can be."""
    if one.adapter is None or not can_merge(one.adapter):
        raise InputError(f"run {one.name!r} has no adapter that can be merged")
    return with_adapter(load(one.model), one.adapter).merge_and_unload().eval()


def _timed(load: Callable[[], Any]) -> tuple[Any, Row]:
    """Return a model, with the time its loading took and the memory its weights take."""
    began = time.perf_counter()
    model = load()
    seconds = round(time.perf_counter() - began, 3)
    return model, {"load_seconds": seconds, "weights_bytes": weights_bytes(model)}


def _loaded(model: str, four_bit: FourBit | None = None, *, dtype: Dtype, device: str) -> Any:
    """Return a model without what its files say about decoding, its stop tokens apart.

    `generate` would fill in a repetition penalty, say, that the comparison does not record.
    """
    from transformers import GenerationConfig

    loaded = models.load_model(model, dtype=dtype, device=device, four_bit=four_bit)
    if is_cuda(device) and dtype != "float32":
        in_compute_dtype(loaded)
    stops = loaded.generation_config.eos_token_id
    loaded.generation_config = GenerationConfig(eos_token_id=stops)
    return loaded.eval()
