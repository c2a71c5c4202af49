"""The variants of a comparison: a base and its adapters, over one copy of the base weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.run import described, is_classifier, read_facts
from tuneproof.inference.loading import Loading, shares_base
from tuneproof.models import load as models
from tuneproof.models.four_bit import FourBit, four_bit_of
from tuneproof.prompts.fit import Encoded, fit
from tuneproof.prompts.template import Template

BASE = "base"
WEIGHTS = "adapter_model.safetensors"


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
    described: list[dict[str, Any]]
    """One entry per variant, as the comparison file records it."""
    max_length: int
    """Most tokens a training example had."""

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
            context -= getattr(self.model, "virtual_tokens", 0)
        room = self.max_length if context is None else context - max_new_tokens
        if room < 1:
            raise InputError(
                f"max_new_tokens {max_new_tokens} leaves no room for a prompt in the model's "
                f"{context} tokens"
            )
        limit = min(room, self.max_length - reserve)
        return fit(self.template, self.tokenizer, instruction, input, max_length=limit)


def load_variants(
    runs: Path,
    names: Sequence[str],
    *,
    dtype: models.Dtype = "auto",
    merged: Sequence[str] = (),
    has_four_bit_base: bool = False,
) -> list[Variants]:
    """Load runs of one base and one template.

    Args:
        runs: The folder of runs.
        names: Runs to load as they were trained.
        dtype: Of the weights.
        merged: Runs whose adapters are merged into the full-precision base.
        has_four_bit_base: Whether the base in 4 bits is to be there as well.

    Returns:
        First the base with the adapters that share its weights, then everything that cannot: what
        has weights of its own, or a base in 4 bits, has a model of its own.

    Raises:
        InputError: An unknown or unfinished run, runs whose base or template differs, or a base
            whose weights are not the ones a run was trained on.
    """
    facts = {name: _facts(runs, name) for name in (*names, *merged)}
    base, common = _common(facts)
    sharing = [name for name in names if shares_base(runs / name, facts[name])]
    adapters = {name: runs / name / "adapter" for name in sharing}
    load = Loading(dtype=dtype)
    rows = [{"name": BASE, "model": base, "adapter": None}]
    rows += [described(runs / name, facts[name], each) for name, each in adapters.items()]
    model, costs = load.together(base, list(adapters.values()))
    together = Variants(
        names=[BASE, *sharing],
        model=model,
        described=[row | cost for row, cost in zip(rows, costs, strict=True)],
        **common,
    )
    alone = [load.run(runs / name, facts[name]) for name in names if name not in sharing]
    alone += [load.merged(runs / name, facts[name]) for name in merged]
    if has_four_bit_base:
        held = filter(None, map(four_bit_of, facts.values()))
        alone.append(load.four_bit(base, next(held, FourBit())))
    return [
        together,
        *(
            Variants(names=[row["name"]], model=model, described=[row], **common)
            for model, row in alone
        ),
    ]


def _common(facts: dict[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Return the base of all runs, and what all variants have in common; InputError if nothing."""
    base = _shared(facts, "base model", lambda fact: fact["base"]["model"])
    template = _shared(
        facts,
        "prompt template",
        lambda fact: fact["template"]["text"],
        shown=lambda fact: fact["template"]["name"],
    )
    trained_on = _shared(facts, "base weights", lambda fact: fact["base"]["weights_sha256"])
    if models.weights_hash(base) != trained_on:
        raise InputError(
            f"the weights of {base!r} are not those that {', '.join(facts)} was trained on; "
            "an adapter means nothing on other weights"
        )
    return base, {
        "tokenizer": models.load_tokenizer(base),
        "template": Template(name=next(iter(facts.values()))["template"]["name"], text=template),
        "max_length": max(fact["config"]["max_length"] for fact in facts.values()),
    }


def _facts(runs: Path, name: str) -> dict[str, Any]:
    facts = read_facts(runs, name)
    if is_classifier(facts):
        raise InputError(f"run {name!r} trained a classification head; it answers no prompts")
    adapter = runs / name / "adapter"
    is_whole = (runs / name / "model").is_dir()
    if not is_whole and not (adapter / WEIGHTS).is_file():  # PEFT would ask the Hub for it
        raise InputError(f"{adapter} holds no {WEIGHTS}")
    return facts


def _shared(
    facts: dict[str, dict[str, Any]],
    what: str,
    value_of: Callable[[Any], str],
    shown: Callable[[Any], str] | None = None,
) -> str:
    values = {name: value_of(fact) for name, fact in facts.items()}
    if len(set(values.values())) > 1:
        listed = ", ".join(
            f"{name}: {(shown or value_of)(fact)[:60]!r}" for name, fact in facts.items()
        )
        raise InputError(f"the runs differ in their {what} ({listed}); compare them one by one")
    return next(iter(values.values()))
