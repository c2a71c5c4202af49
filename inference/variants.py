"""The variants of a comparison: a base and its adapters, over one copy of the base weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError, unknown
from core.files import read_json
from inference import models
from prompts.templates import Template

BASE = "base"


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

    def adapter_names(self, names: Sequence[str]) -> list[str]:
        """Return PEFT's adapter name for each variant's name."""
        known = {name: f"v{index}" for index, name in enumerate(self.names)}
        return ["__base__" if name == BASE else known[name] for name in names]


def load_variants(runs: Path, names: Sequence[str], *, dtype: models.Dtype = "auto") -> Variants:
    """Load runs that share a base and a template.

    Raises:
        InputError: An unknown or unfinished run, runs that do not share base or template, or a
            base whose weights are not the ones a run was trained on.
    """
    facts = {name: _facts(runs, name) for name in names}
    base = _shared(facts, "base model", lambda fact: fact["base"]["model"])
    template = _shared(facts, "prompt template", lambda fact: fact["template"]["text"])
    trained_on = _shared(facts, "base weights", lambda fact: fact["base"]["weights_sha256"])
    tokenizer = models.load_tokenizer(base)
    model = models.load_model(base, dtype=dtype)
    if models.weights_hash(base) != trained_on:
        raise InputError(
            f"the weights of {base!r} are not those that {', '.join(names)} was trained on; "
            "an adapter means nothing on other weights"
        )
    first = next(iter(facts.values()))
    return Variants(
        names=[BASE, *names],
        model=_with_adapters(model, [runs / name / "adapter" for name in names]),
        tokenizer=tokenizer,
        template=Template(name=first["template"]["name"], text=template),
        described=[
            {"name": BASE, "model": base, "adapter": None},
            *(_described(runs, name, facts[name]) for name in names),
        ],
        max_length=max(fact["config"]["max_length"] for fact in facts.values()),
    )


def _with_adapters(model: Any, adapters: Sequence[Path]) -> Any:
    from peft import PeftModel

    for index, adapter in enumerate(adapters, 1):
        if index == 1:
            model = PeftModel.from_pretrained(model, str(adapter), adapter_name="v1")
        else:
            model.load_adapter(str(adapter), adapter_name=f"v{index}")
    return model.eval()


def _facts(runs: Path, name: str) -> dict[str, Any]:
    file = runs / name / "run.json"
    if not file.is_file():
        raise unknown("run", name, [path.parent.name for path in runs.glob("*/run.json")])
    facts = read_json(file)
    if facts.get("state") != "finished":
        raise InputError(f"run {name!r} is {facts.get('state')}; finish it with `tune run`")
    return dict(facts)


def _shared(facts: dict[str, dict[str, Any]], what: str, value_of: Any) -> str:
    values = {name: value_of(fact) for name, fact in facts.items()}
    if len(set(values.values())) > 1:
        listed = ", ".join(f"{name}: {str(value)[:40]!r}" for name, value in values.items())
        raise InputError(f"the runs differ in their {what} ({listed}); compare them one by one")
    return str(next(iter(values.values())))


def _described(runs: Path, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "model": facts["base"]["model"],
        "adapter": str(runs / name / "adapter"),
        "method": facts["config"]["method"],
        "parameters": facts["parameters"],
        "training_seconds": facts["result"]["wall_seconds"],
        "peak_memory_bytes": facts["result"]["peak_memory_bytes"],
    }
