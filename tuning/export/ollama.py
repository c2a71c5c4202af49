"""An Ollama Modelfile: the run's own template in Go's template language, and its stops.

Ollama does not read Jinja. What stands around each message is taken from what the chat template
renders, and the pieces are only used where they render every kind of conversation as it does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tuneproof.tuning.export.vocabulary import begins_with_bos

Turns = Sequence[tuple[str, str]]
"""(role, content) of each message."""
SYSTEM, ASKED, ANSWER, AGAIN = (
    "\u00a7sys\u00a7",
    "\u00a7ask\u00a7",
    "\u00a7ans\u00a7",
    "\u00a7two\u00a7",
)
CASES: tuple[Turns, ...] = (
    (("user", ASKED),),
    (("system", SYSTEM), ("user", ASKED)),
    (("user", ASKED), ("assistant", ANSWER), ("user", AGAIN)),
    (("system", SYSTEM), ("user", ASKED), ("assistant", ANSWER), ("user", AGAIN)),
)
"""Conversations that the pieces must render as the chat template does."""
RAW = "{{ .Prompt }}"
"""The template that passes on what it is given."""


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """What a chat template writes around messages."""

    first: str
    """At the beginning where there is no system message."""
    system: tuple[str, str]
    """Before and after a system message."""
    user: tuple[str, str]
    """Before and after a question."""
    answer: tuple[str, str]
    """Before and after an answer; before is what asks for one."""
    is_system_within: bool = False
    """Whether a system message stands within the first question."""

    def render(self, turns: Turns) -> str:
        """Return a conversation that ends where an answer is to begin."""
        has_system = turns[0][0] == "system"
        text = "" if has_system and not self.is_system_within else self.first
        for number, (role, content) in enumerate(turns):
            if role == "system":
                text += "" if self.is_system_within else content.join(self.system)
            elif role == "user":
                within = has_system and number == 1 and self.is_system_within
                said = turns[0][1].join(self.system) if within else ""
                text += self.user[0] + said + content + self.user[1]
            else:
                text += content.join(self.answer)
        return text + self.answer[0]


def pieces_of(tokenizer: Any) -> Pieces | None:
    """Return the pieces of a tokenizer's chat template, or None where it has other rules."""

    def render(turns: Turns, ends_open: bool = True) -> str:
        messages = [{"role": role, "content": content} for role, content in turns]
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=ends_open
        )
        adds_bos = begins_with_bos(tokenizer)  # the server adds it by itself
        return text.removeprefix(tokenizer.bos_token) if adds_bos else str(text)

    import jinja2

    try:
        for is_within in (False, True):
            pieces = _derived(render, is_within=is_within)
            if all(pieces.render(turns) == render(turns) for turns in CASES):
                return pieces
    except (jinja2.TemplateError, ValueError):  # roles that it refuses, or texts that it alters
        pass
    return None


def _derived(render: Callable[..., str], *, is_within: bool) -> Pieces:
    """Return pieces by what stands around marks; ValueError where a mark is not rendered."""
    begin, closed = _cut(render(CASES[0], ends_open=False), ASKED)
    opening = render(CASES[0]).removeprefix(begin + ASKED + closed)
    if render(CASES[0]) == begin + ASKED + closed:  # the template opens answers in any case
        closed, opening = "", closed
    after = _cut(render(CASES[2][:2], ends_open=False), ANSWER)[1]
    between = _cut(_cut(render(CASES[2]), ANSWER)[1], AGAIN)[0]
    before = between.removeprefix(after)
    first = begin.removesuffix(before)
    head, rest = _cut(render(CASES[1]), SYSTEM)
    joint = _cut(rest, ASKED)[0]
    system = (
        (head.removeprefix(first + before), joint)
        if is_within
        else (head, joint.removesuffix(before))
    )
    return Pieces(
        first=first,
        system=system,
        user=(before, closed),
        answer=(opening, after),
        is_system_within=is_within,
    )


def _cut(text: str, mark: str) -> tuple[str, str]:
    before, mark_seen, after = text.partition(mark)
    if not mark_seen:
        raise ValueError(f"{mark} is not rendered")
    return before, after


def go_template(pieces: Pieces) -> str:
    """Return the pieces as a Go template over Ollama's .Messages."""
    first = _go(pieces.first)
    has_system = '(eq (index .Messages 0).Role "system")'
    if first and not pieces.is_system_within:
        first = "{{ if not " + has_system + " }}" + first + "{{ end }}"
    system, within = pieces.system, ""
    said = _go(system[0]) + "{{ $m.Content }}" + _go(system[1])
    if pieces.is_system_within:
        of_first = _go(system[0]) + "{{ (index $.Messages 0).Content }}" + _go(system[1])
        within = (
            '{{ if and (eq $i 1) (eq (index $.Messages 0).Role "system") }}'
            + of_first
            + "{{ end }}"
        )
        said = ""
    user, answer = pieces.user, pieces.answer
    return (
        first
        + "{{ range $i, $m := .Messages }}"
        + '{{ if eq $m.Role "system" }}' + said
        + '{{ else if eq $m.Role "user" }}'
        + _go(user[0]) + within + "{{ $m.Content }}" + _go(user[1])
        + '{{ else if eq $m.Role "assistant" }}'
        + _go(answer[0]) + "{{ $m.Content }}" + _go(answer[1])
        + "{{ end }}{{ end }}"
        + _go(answer[0])
    )  # fmt: skip


def _go(text: str) -> str:
    """Return a text as an action that writes it; Go's string literals are JSON's."""
    return "{{ " + json.dumps(text, ensure_ascii=False) + " }}" if text else ""


def modelfile(gguf: str, tokenizer: Any, stops: Sequence[int], context: int | None) -> str:
    """Return a Modelfile.

    Args:
        gguf: Name of the GGUF file beside it.
        tokenizer: Has the chat template that the model was taught.
        stops: Tokens that end an answer.
        context: Most tokens of prompt and answer; None leaves Ollama's default.
    """
    pieces = pieces_of(tokenizer)
    lines = [f"FROM ./{gguf}"]
    if pieces is None:
        lines += [
            "# The chat template has rules that Go's template language was not derived for. The",
            "# prompt is passed on as it is: render it by the chat template in the GGUF file.",
        ]
    template = RAW if pieces is None else go_template(pieces)
    lines.append(f'TEMPLATE """{template}"""')
    lines += [f"PARAMETER stop {json.dumps(tokenizer.decode([one]))}" for one in stops]
    if context is not None:
        lines.append(f"PARAMETER num_ctx {context}")
    lines.append("PARAMETER temperature 0")
    return "\n".join(lines) + "\n"
