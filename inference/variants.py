"""The variants of a comparison: a base and its runs, over as few copies of the base as can be.

Adapters that share the base's weights answer in one batch with it. What has weights of its own (all
trained, merged, or over a base in 4 bits) has a model of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.formats.run import FourBit, Run
from tuneproof.formats.template import Template
from tuneproof.formats.variant import described
from tuneproof.models import load as models
from tuneproof.models.adapters import can_merge, check_base, check_files, shares_base, with_adapter
from tuneproof.models.four_bit import weights_bytes
from tuneproof.models.virtual_tokens import VirtualTokens, virtual_tokens_of
from tuneproof.prompts.fit import Encoded, ask

BASE = "base"
Row = dict[str, Any]
"""A variant as the comparison file records it."""


@dataclass(frozen=True, kw_only=True)
class Variants:
    """What answers over one model in memory: a base with its adapters, or one run alone."""

    names: list[str]
    """``base`` and the runs that share it, in the order given; or one run."""
    model: Any
    """PEFT's model over the base, where adapter number i is called ``vi``; or, where there is one
    variant only, the model that answers for it."""
    tokenizer: Any
    """The base's tokenizer."""
    template: Template
    """The prompt template that all the runs were trained with."""
    described: list[Row]
    """One entry per variant."""
    max_length: int
    """Most tokens a training example had."""
    virtual_tokens: int = 0
    """Tokens of the model's context that trained virtual tokens take."""

    def routed(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Return what tells the model which adapter each row of a batch goes through.

        Args:
            names: The variant of every row.
        """
        if len(self.names) == 1:
            return {}
        known = {name: f"v{index}" for index, name in enumerate(self.names)}
        return {"adapter_names": ["__base__" if name == BASE else known[name] for name in names]}

    def ask(
        self,
        instruction: str,
        input: str,  # noqa: A002
        max_new_tokens: int,
        *,
        reserve: int = 0,
    ) -> Encoded | None:
        """Return a question as tokens, shortened to what the runs know and the model can hold.

        Args:
            instruction: What is asked.
            input: The context.
            max_new_tokens: Room to leave for the answer in the model's context.
            reserve: Room to leave for the answer in the longest example of the training.

        Returns:
            The tokens, or None where the question is too long even without its input.

        Raises:
            InputError: The model has no room for any prompt beside so many new tokens.
        """
        context = models.context_length(self.model)
        if context is not None:
            context -= self.virtual_tokens
        room = self.max_length if context is None else context - max_new_tokens
        if room < 1:
            raise InputError(
                f"max_new_tokens {max_new_tokens} leaves no room for a prompt in the model's "
                f"{context} tokens"
            )
        limit = min(room, self.max_length - reserve)
        example = Example(id="", task="", instruction=instruction, input=input, group="")
        return ask(self.template, self.tokenizer, example, max_length=limit)


def load_variants(
    runs: Sequence[Run],
    *,
    dtype: models.Dtype = "auto",
    merged: Sequence[Run] = (),
    has_four_bit_base: bool = False,
) -> list[Variants]:
    """Load finished runs of one base and one template.

    Args:
        runs: To be loaded as they were trained.
        dtype: Of the weights that are not in 4 bits.
        merged: Runs whose adapters are merged into the full-precision base, in memory.
        has_four_bit_base: Whether the base in 4 bits is to be there as well.

    Returns:
        First the base with the adapters that share its weights, then one for each of the others.

    Raises:
        InputError: A run that answers no prompts, runs whose base or template differs, a base whose
            weights are not the ones a run was trained on, or nothing that could be merged.
    """
    every = list({run.name: run for run in (*runs, *merged)}.values())
    base, template = _common(every)
    common = {
        "tokenizer": models.load_tokenizer(base),
        "template": template,
        "max_length": max(run.max_length for run in every),
    }
    load = partial(_loaded, dtype=dtype)

    def alone(row: Row, loaded: Callable[[], Any]) -> Variants:
        model, cost = _timed(loaded)
        virtual_tokens = virtual_tokens_of(model)
        if virtual_tokens:
            model = VirtualTokens(model)
        return Variants(
            names=[row["name"]],
            model=model,
            described=[row | cost],
            virtual_tokens=virtual_tokens,
            **common,
        )

    stored = models.stored_four_bit(base)
    if stored and has_four_bit_base:
        raise InputError(f"the base {base!r} is in 4 bits already; leave out --quantized base")
    sharing = [run for run in runs if shares_base(run)]
    model, costs = _together(partial(load, base), sharing)
    first: Row = {"name": BASE, "model": base, "adapter": None}
    if stored:
        first["quantization"] = asdict(stored)
    rows = [first, *map(described, sharing)]
    loaded = [
        Variants(
            names=[BASE, *(run.name for run in sharing)],
            model=model,
            described=[row | cost for row, cost in zip(rows, costs, strict=True)],
            **common,
        )
    ]
    loaded += [
        alone(described(run), partial(_own, run, load)) for run in runs if run not in sharing
    ]
    for run in merged:
        row = described(run, f"{run.name}-merged") | {"quantization": None, "merged": True}
        loaded.append(alone(row, partial(_merged, run, load)))
    if has_four_bit_base:
        four_bit = next((run.quantization for run in every if run.quantization), FourBit())
        row = {"name": "base-4bit", "model": base, "adapter": None}
        row |= {"quantization": asdict(four_bit)}
        loaded.append(alone(row, partial(load, base, four_bit)))
    return loaded


def _common(runs: Sequence[Run]) -> tuple[str, Template]:
    """Return the base and the template of all runs; InputError where they differ."""
    templates = {}
    for run in runs:
        if run.template is None:
            raise InputError(
                f"run {run.name!r} trained a classification head; it answers no prompts"
            )
        if not run.is_whole:
            check_files(run.adapter)
        templates[run.name] = run.template
    models_of = {run.name: run.base.model for run in runs}
    weights = {run.name: run.base.weights_sha256 for run in runs}
    _check_same("base model", models_of, models_of)
    _check_same(
        "prompt template",
        {name: template.text for name, template in templates.items()},
        {name: template.name for name, template in templates.items()},
    )
    _check_same("base weights", weights, weights)
    check_base(runs[0])
    return runs[0].base.model, templates[runs[0].name]


def _check_same(what: str, values: dict[str, str], shown: dict[str, str]) -> None:
    """Raise InputError where runs differ in something; the message has what is shown of it."""
    if len(set(values.values())) > 1:
        listed = ", ".join(f"{name}: {value[:60]!r}" for name, value in shown.items())
        raise InputError(f"the runs differ in their {what} ({listed}); compare them one by one")


def _together(load: Callable[[], Any], runs: Sequence[Run]) -> tuple[Any, list[Row]]:
    """Return a base with adapters `v1`, `v2`, ..., and what it costs alone and with each."""
    model, cost = _timed(load)
    costs = [cost]
    for index, run in enumerate(runs, 1):
        before = weights_bytes(model)
        model, more = _timed(partial(with_adapter, model, run.adapter, f"v{index}"))
        costs.append(
            {
                "load_seconds": round(cost["load_seconds"] + more["load_seconds"], 3),
                "weights_bytes": cost["weights_bytes"] + more["weights_bytes"] - before,
            }
        )
    return model.eval(), costs


def _own(run: Run, load: Callable[..., Any]) -> Any:
    """Return a run's own model, over the base as it was trained on."""
    if run.is_whole:
        return load(str(run.saved))
    return with_adapter(load(run.base.model, run.quantization), run.adapter).eval()


def _merged(run: Run, load: Callable[..., Any]) -> Any:
    """Return a run merged into its full-precision base; InputError where nothing can be."""
    if not can_merge(run):
        raise InputError(f"run {run.name!r} has no adapter that can be merged")
    return with_adapter(load(run.base.model), run.adapter).merge_and_unload().eval()


def _timed(load: Callable[[], Any]) -> tuple[Any, Row]:
    """Return a model, with the time its loading took and the memory its weights take."""
    began = time.perf_counter()
    model = load()
    seconds = round(time.perf_counter() - began, 3)
    return model, {"load_seconds": seconds, "weights_bytes": weights_bytes(model)}


def _loaded(model: str, four_bit: FourBit | None = None, *, dtype: models.Dtype) -> Any:
    """Return a model without what its files say about decoding, its stop tokens apart.

    `generate` would fill in a repetition penalty, say, that the comparison does not record.
    """
    from transformers import GenerationConfig

    loaded = models.load_model(model, dtype=dtype, four_bit=four_bit)
    stops = loaded.generation_config.eos_token_id
    loaded.generation_config = GenerationConfig(eos_token_id=stops)
    return loaded.eval()
