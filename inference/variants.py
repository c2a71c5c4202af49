"""The variants of a comparison: a base and its adapters, over one copy of the base weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError
from inference import models
from inference.finished import described, is_classifier, read_facts
from prompts.fit import Encoded, fit
from prompts.templates import Template

BASE = "base"
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, kw_only=True)
class Variants:
    """A loaded base with its adapters."""

    names: list[str]
    """``base``, then the runs in the order given."""
    model: Any
    """PEFT's model over the base; adapter number i is called ``vi``."""
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
        room = self.max_length if context is None else context - max_new_tokens
        if room < 1:
            raise InputError(
                f"max_new_tokens {max_new_tokens} leaves no room for a prompt in the model's "
                f"{context} tokens"
            )
        limit = min(room, self.max_length - reserve)
        return fit(self.template, self.tokenizer, instruction, input, max_length=limit)


def load_variants(runs: Path, names: Sequence[str], *, dtype: models.Dtype = "auto") -> Variants:
    """Load runs that share a base and a template.

    Raises:
        InputError: An unknown or unfinished run, runs that do not share base or template, or a
            base whose weights are not the ones a run was trained on.
    """
    facts = {name: _facts(runs, name) for name in names}
    base = _shared(facts, "base model", lambda fact: fact["base"]["model"])
    template = _shared(
        facts,
        "prompt template",
        lambda fact: fact["template"]["text"],
        shown=lambda fact: fact["template"]["name"],
    )
    trained_on = _shared(facts, "base weights", lambda fact: fact["base"]["weights_sha256"])
    tokenizer = models.load_tokenizer(base)
    model = models.load_model(base, dtype=dtype)
    if models.weights_hash(base) != trained_on:
        raise InputError(
            f"the weights of {base!r} are not those that {', '.join(names)} was trained on; "
            "an adapter means nothing on other weights"
        )
    _forget_decoding(model)
    first = next(iter(facts.values()))
    return Variants(
        names=[BASE, *names],
        model=_with_adapters(model, [runs / name / "adapter" for name in names]),
        tokenizer=tokenizer,
        template=Template(name=first["template"]["name"], text=template),
        described=[
            {"name": BASE, "model": base, "adapter": None},
            *(described(name, facts[name], runs / name / "adapter") for name in names),
        ],
        max_length=max(fact["config"]["max_length"] for fact in facts.values()),
    )


def _forget_decoding(model: Any) -> None:
    """Drop what the model's files say about decoding, its stop tokens apart.

    `generate` would fill in a repetition penalty, say, that the comparison does not record.
    """
    from transformers import GenerationConfig

    stops = model.generation_config.eos_token_id
    model.generation_config = GenerationConfig(eos_token_id=stops)


def _with_adapters(model: Any, adapters: Sequence[Path]) -> Any:
    from peft import PeftModel
    from safetensors import SafetensorError

    for index, adapter in enumerate(adapters, 1):
        try:
            if index == 1:
                model = PeftModel.from_pretrained(model, str(adapter), adapter_name="v1")
            else:
                model.load_adapter(str(adapter), adapter_name=f"v{index}")
        except (SafetensorError, RuntimeError, ValueError) as error:
            reason = str(error).strip().split("\n")[0]
            raise InputError(f"cannot load the adapter in {adapter}: {reason}") from error
    return model.eval()


def _facts(runs: Path, name: str) -> dict[str, Any]:
    facts = read_facts(runs, name)
    if is_classifier(facts):
        raise InputError(f"run {name!r} trained a classification head; it answers no prompts")
    adapter = runs / name / "adapter"
    if not (adapter / WEIGHTS).is_file():  # PEFT would ask the Hub for it
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
