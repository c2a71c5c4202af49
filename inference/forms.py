"""How variants are asked: in which template, after which examples, with what said beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tuneproof.formats.example import Example
from tuneproof.formats.template import Template
from tuneproof.inference.shots import Shots
from tuneproof.prompts.fit import Encoded, ask
from tuneproof.prompts.labels import label_sentence, with_labels

BASE = "base"
AS_TUNED, FEW_SHOT, PROMPTED = "base-as-tuned", "base-few-shot", "base-prompted"


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a variant is asked."""

    template: Template
    """Renders the prompt."""
    max_length: int | None = None
    """Most tokens of prompt and answer together; None: as many as the model can read."""
    shots: Shots | None = None
    """Answered examples that stand before the question."""
    system: str = ""
    """A system message that stands before all."""
    labels: tuple[str, ...] = ()
    """The labels that the question names: a model that was not trained does not know them, and one
    may be trained to be told them."""

    def ask(self, tokenizer: Any, example: Example, max_length: int) -> Encoded | None:
        """Return a question as tokens; None where it is too long even without its input.

        Args:
            tokenizer: The model's.
            example: What is asked.
            max_length: Most tokens; what is too long loses examples first, then its input.
        """
        return ask(
            self.template,
            tokenizer,
            with_labels(example, self.labels),
            max_length=max_length,
            shots=self._shots(example),
            system=self.system,
        )

    def is_cut(self, example: Example, encoded: Encoded) -> bool:
        """Return whether a question lost part of its input, or earlier turns of its own."""
        own = encoded.dropped_turns - 2 * len(self._shots(example))
        return encoded.is_shortened or own > 0

    def shown(self, example: Example, encoded: Encoded) -> list[str] | None:
        """Return the ids of the examples before a question, or None where there are never any."""
        if self.shots is None:
            return None
        shots = self._shots(example)
        left_out = min(len(shots), encoded.dropped_turns // 2)
        return [shot.id for shot in shots[left_out:]]

    @property
    def label_sentence(self) -> str:
        """What tells a model the labels; empty where nothing does."""
        return label_sentence(self.labels)

    def recorded(self) -> dict[str, Any]:
        """Return what the comparison file says of it."""
        row: dict[str, Any] = {"template": self.template.text}
        if self.template.variables:
            row["template_variables"] = dict(self.template.variables)
        if self.shots is not None:
            row["shots"] = self.shots.recorded()
        if self.system:
            row["system"] = self.system
        if self.labels:
            row["label_sentence"] = self.label_sentence
        return row

    def _shots(self, example: Example) -> tuple[Example, ...]:
        return self.shots.chosen.get(example.id, ()) if self.shots else ()


def base_forms(
    own: Template | None,
    trained: Mapping[str, Form],
    *,
    shots: Shots | None = None,
    system: str = "",
    labels: tuple[str, ...] = (),
) -> dict[str, Form]:
    """Return the ways in which the base is asked, by the variant's name.

    Args:
        own: The model's own chat template; None where it has none, so that it is asked as the
            first run.
        trained: How each run is asked; where that is another template than the base's, the base
            is asked so too.
        shots: Examples for `base-few-shot`; None leaves it out.
        system: The system message of `base-prompted`; empty leaves it out.
        labels: The label set, to be named; empty where answers are texts.
    """
    template = own or next(iter(trained.values())).template
    base = Form(template=template, labels=labels)
    forms = {BASE: base}
    others: dict[str, Form] = {}
    for name, form in trained.items():
        if not any(is_same(form.template, known.template) for known in others.values()):
            others[name] = form
    for name, form in others.items():
        if not is_same(form.template, template):
            forms[AS_TUNED if len(others) == 1 else f"base-as-{name}"] = form
    if shots is not None:
        forms[FEW_SHOT] = replace(base, shots=shots, labels=())  # they show what labels there are
    if system:
        forms[PROMPTED] = replace(base, system=system)
    return forms


def is_same(one: Template, other: Template) -> bool:
    """Return whether two templates render the same, whatever they are called."""
    return (one.text, dict(one.variables)) == (other.text, dict(other.variables))
