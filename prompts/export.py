"""What a saved model tells other programs: its chat template, and the tokens that end an answer.

Servers and pipelines ask a model in the chat template that lies beside its weights. It must be the
one that the training taught, also where the base brought another one along, or none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tuneproof.formats.template import Template
from tuneproof.models.load import end_ids
from tuneproof.prompts.fit import stop_tokens
from tuneproof.prompts.render import ASKED


def ask_as_trained(model: Any, tokenizer: Any, template: Template) -> None:
    """Set chat template and stop tokens, so that they are saved with model and tokenizer.

    Args:
        model: A causal language model, wrapped or not.
        tokenizer: Its tokenizer.
        template: What the run is trained with.
    """
    tokenizer.chat_template = chat_template(template, tokenizer)
    ends = sorted(stop_tokens(template, tokenizer) | set(end_ids(model.generation_config)))
    model.generation_config.eos_token_id = ends[0] if len(ends) == 1 else ends


def chat_template(template: Template, tokenizer: Any) -> str:
    """Return the chat template with which other programs ask as this one does.

    A chat template's variables are set in it. A form of two fields becomes a loop over the
    messages; a question is its instruction, and a system message stands before the first one.

    Args:
        template: What a run was trained with.
        tokenizer: Whether it begins texts with BOS decides whether the template has to.
    """
    if template.is_chat:
        lines = (
            "{%- set " + f"{name} = {_literal(value)}" + " %}\n"
            for name, value in template.variables.items()
        )
        return "".join(lines) + template.text
    begins = _begins_with_bos(tokenizer) and not template.render(ASKED).startswith(
        tokenizer.bos_token
    )
    return (
        ("{{ bos_token }}" if begins else "")
        + "{% set first = namespace(text='') %}"
        + "{% for message in messages %}"
        + "{% if message['role'] == 'system' %}"
        + "{% set first.text = message['content'] + '\\n\\n' %}"
        + "{% elif message['role'] == 'assistant' %}"
        + "{{ message['content'] + eos_token }}"
        + "{% else %}"
        + "{% set instruction = first.text + message['content'] %}{% set input = '' %}"
        + "{% set first.text = '' %}"
        + "{{ '' }}"
        + template.text
        + "{{ '' }}"
        + "{% endif %}{% endfor %}"
    )


def _literal(value: Any) -> str:
    """Return a value as Jinja writes it."""
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(
                f"{json.dumps(k, ensure_ascii=False)}: {_literal(v)}" for k, v in value.items()
            )
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _begins_with_bos(tokenizer: Any) -> bool:
    bos = getattr(tokenizer, "bos_token_id", None)
    return bos is not None and tokenizer("a", verbose=False)["input_ids"][:1] == [bos]
