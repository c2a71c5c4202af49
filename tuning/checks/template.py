"""A run's prompt template beside the model's own, and beside what is saved for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuneproof.errors import InputError
from tuneproof.finding import Finding, finding, quoted
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.example import Example
from tuneproof.formats.run import Run
from tuneproof.models import load as models
from tuneproof.prompts import template as templates
from tuneproof.prompts.export import chat_template
from tuneproof.prompts.fit import ask
from tuneproof.prompts.render import ASKED, traits_of
from tuneproof.tuning.checks.advice import RUN

SAVED = "chat_template.jinja"
"""The file that servers and pipelines take the template from."""


def check_template(run: Run, tokenizer: Any) -> Iterator[Finding]:
    """Yield where a run's template is not the model's own, is saved otherwise, or is faulty.

    Args:
        run: A run; one that trained a classification head has no template.
        tokenizer: The tokenizer of its base.
    """
    template = run.template
    if template is None:
        return
    own = _own_text(run.base.model)
    if own is not None and own != template.text:
        yield finding(
            RUN,
            "template-not-the-models",
            f"{run.name} was trained with template {template.name!r}, "
            f"{quoted(template.text)}; its base has a chat template",
            run=run.name,
            model=run.base.model,
        )
    saved = run.saved / SAVED
    if saved.is_file() and saved.read_text(encoding="utf-8") != chat_template(template, tokenizer):
        yield finding(
            RUN, "export-template-differs", f"{saved} is not what {run.name} was trained with"
        )
    encoded = ask(template, tokenizer, _question(), max_length=10**6)
    bos = tokenizer.bos_token_id
    if encoded is not None and bos is not None and encoded.ids[:2] == [bos, bos]:
        yield finding(
            RUN,
            "double-bos",
            f"{run.name}: a prompt begins with {quoted(tokenizer.decode(encoded.ids[:2]))}",
        )
    if template.is_chat:
        for fault in traits_of(template, tokenizer).faults():
            yield finding(RUN, "template-limits", f"{run.name}: template {template.name}: {fault}")


def check_base(comparison: Comparison) -> Iterator[Finding]:
    """Yield where the base has a chat template and no variant asked it in that form.

    Nothing is said of a base whose files are not on this machine.
    """
    base = comparison.by_name.get("base")
    own = None if base is None or base.model is None else _own_text(base.model)
    if base is None or own is None:
        return
    asked = [
        variant.template or comparison.template
        for variant in comparison.variants
        if variant.model == base.model and variant.adapter is None and not variant.is_merged
    ]
    if own not in asked:
        yield finding(
            RUN,
            "base-unfair",
            f"base was asked in {quoted(asked[0] or 'no template')}, and {base.model} has a chat "
            "template of its own",
        )


def _own_text(model: str) -> str | None:
    """Return the text of a model's own chat template; None where it has none, or is not here."""
    try:
        own = models.chat_template(model)
    except (InputError, OSError):
        return None
    return None if own is None else templates.own(own).text


def _question() -> Example:
    return Example(id="", task="", instruction=ASKED, group="")
