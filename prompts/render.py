"""Rendering a conversation: pieces of text, and which of them the model is to write.

A chat template is cut where an answer begins: the prompt that asks for it must be the beginning of
the conversation that holds it. An answer ends with the template's end of turn, or with EOS where
the template has none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from tuneproof.errors import InputError
from tuneproof.formats.example import Example, Message
from tuneproof.formats.template import SECONDS, EndlessTemplate, Template, template_faults

TrainOn = Literal["all", "last"]
"""Which answers of a conversation are trained on."""
GAP = "\ue0ff"
"""Breaks up the name of a control token in what people wrote, so that it stays text; taken out
again before the text becomes tokens."""
NO_THOUGHT = re.compile(r"<think>\s*</think>")
"""What thinking models write where they do not think."""
THOUGHTS = ("<think>", "</think>")
"""Tokens that answers hold, so that they are none of the template's alone."""
ASKED, ANSWERED = "What is it?", "It is that."
"""A question and an answer, to see what a template makes of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of a rendered conversation."""

    text: str
    """Template and contents; control tokens that are contents are broken up by `GAP`."""
    is_answer: bool = False
    """Whether the model is to write it."""
    needs_eos: bool = False
    """Whether EOS is to follow, since the template does not end the answer itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """What a chat template does with a conversation."""

    takes_system: bool
    """Whether it renders a system message, and in the same place when more turns follow."""
    has_opening: bool
    """Whether its prompt ends with what begins an answer, so that only the answer is written."""
    is_cuttable: bool
    """Whether the prompt is the beginning of the conversation with the answer."""
    is_stable: bool
    """Whether an answer that was given is rendered as it is trained, its end included."""
    lead: str
    """What stands between prompt and answer, such as a space."""
    trail: str
    """What stands between an answer and its end, likewise."""
    end: str | None
    """The control token that ends an answer; None where EOS must."""

    def faults(self) -> list[str]:
        """Return what is wrong with the template, and what to do about it, in words."""
        listed = []
        if not self.is_cuttable:
            listed.append(
                "a question is rendered otherwise when its answer follows, so that no answer can "
                "be cut off; give another --template"
            )
        elif not self.has_opening:
            listed.append(
                "the prompt does not say that the answer begins (no generation prompt), so that "
                f"the model must write {self.lead!r} first; give another --template"
            )
        if not self.takes_system:
            listed.append(
                "a system message is refused, ignored or moved; it is put before the first question"
            )
        if not self.is_stable:
            listed.append(
                "earlier answers are rendered otherwise than they are asked for; of a "
                "conversation only the last answer is trained on"
            )
        return listed


def conversation_of(example: Example) -> list[Message]:
    """Return an example as messages, the answer at the end where there is one."""
    return list(example.conversation())


def question_of(example: Example) -> list[Message]:
    """Return an example as messages up to its last question."""
    messages = conversation_of(example)
    while messages and messages[-1].role == "assistant":
        messages.pop()
    return messages


def asked_pieces(template: Template, tokenizer: Any, messages: Sequence[Message]) -> list[Piece]:
    """Return the prompt that asks for the next answer.

    Args:
        template: A chat template, or a form of two fields.
        tokenizer: Knows the control tokens.
        messages: The last one is a question.

    Raises:
        InputError: The template refuses the conversation.
    """
    if template.is_chat:
        return [Piece(text=_rendered(template, tokenizer, messages, asks=True))]
    return [replace(piece, is_answer=False) for piece in _rounds(template, tokenizer, messages)]


def trained_pieces(
    template: Template, tokenizer: Any, messages: Sequence[Message], train_on: TrainOn = "all"
) -> list[Piece]:
    """Return a conversation to be trained on; it ends with the last answer's end.

    Args:
        template: A chat template, or a form of two fields.
        tokenizer: Knows the control tokens.
        messages: The last one is an answer.
        train_on: Which answers are trained on.

    Raises:
        InputError: The template refuses the conversation, or cannot be cut at an answer.
    """
    if not template.is_chat:
        pieces = _rounds(template, tokenizer, messages)
    else:
        pieces = _cut(template, tokenizer, messages, train_on)
    if train_on == "last":
        *earlier, last = pieces
        pieces = [*(replace(piece, is_answer=False) for piece in earlier), last]
    return pieces


def traits_of(template: Template, tokenizer: Any) -> Traits:
    """Return what a chat template does, by trying it on a short conversation."""
    return _traits(template.text, json.dumps(dict(template.variables), sort_keys=True), tokenizer)


def control_tokens(tokenizer: Any) -> re.Pattern[str] | None:
    """Return the pattern of the tokenizer's control tokens; None where it has none.

    They are its special tokens, and the added ones that its chat template writes: some models'
    marks of roles are not called special.
    """
    return _control_pattern(tokenizer)


def as_text(tokenizer: Any, content: str) -> str:
    """Return what people wrote, with the names of control tokens broken up: they stay text."""
    pattern = control_tokens(tokenizer)
    if pattern is None or not pattern.search(content):
        return content
    return pattern.sub(lambda match: match[0][:1] + GAP + match[0][1:], content)


def _rounds(template: Template, tokenizer: Any, messages: Sequence[Message]) -> list[Piece]:
    """Return questions in the form of two fields, each with its answer, one after the other."""
    pieces = []
    for message in _folded(messages):
        text = as_text(tokenizer, message.content)
        if message.role == "assistant":
            pieces.append(Piece(text=text, is_answer=True, needs_eos=True))
        else:
            pieces.append(Piece(text=template.render(text)))
    return pieces


def _cut(
    template: Template, tokenizer: Any, messages: Sequence[Message], train_on: TrainOn
) -> list[Piece]:
    """Return a conversation in a chat template, cut where answers begin and end."""
    traits = traits_of(template, tokenizer)
    whole = _rendered(template, tokenizer, messages, asks=False)
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    if train_on == "last" or not traits.is_stable:
        answers = answers[-1:]
    pieces, at = [], 0
    for index in answers:
        prompt = _rendered(template, tokenizer, messages[:index], asks=True)
        if not whole.startswith(prompt) or not traits.is_cuttable:
            raise InputError(
                f"template {template.name!r} cannot be cut at the answer: "
                f"{traits.faults()[0] if traits.faults() else 'this conversation changes it'}"
            )
        stop = _end_of_answer(
            whole, len(prompt), as_text(tokenizer, messages[index].content), traits
        )
        pieces.append(Piece(text=whole[at : len(prompt)]))
        text = whole[len(prompt) : stop]
        pieces.append(Piece(text=text, is_answer=True, needs_eos=traits.end is None))
        at = stop
    return pieces


def _end_of_answer(whole: str, start: int, content: str, traits: Traits) -> int:
    """Return where an answer that begins at `start` is over, its end included.

    Nothing in an answer reads as a control token, so that the first one of the end's name is the
    end, also where the template leaves out part of the answer, such as a thought.

    Raises:
        InputError: The template renders the answer without its end, or otherwise than it is.
    """
    mark = traits.end or content.strip()
    at = whole.find(mark, start)
    if at < 0:
        raise InputError(
            f"the template renders an answer {'without its end' if traits.end else 'changed'}: "
            f"{content[:60]!r}"
        )
    return at + len(mark)


def _rendered(
    template: Template, tokenizer: Any, messages: Sequence[Message], *, asks: bool
) -> str:
    """Return a conversation in a chat template, control tokens in its contents broken up."""
    traits = traits_of(template, tokenizer)
    if not traits.takes_system and any(message.role == "system" for message in messages):
        messages = _folded(messages)
    rows = [
        {"role": message.role, "content": as_text(tokenizer, message.content)}
        for message in messages
    ]
    return _apply(template.text, template.variables, template.name, tokenizer, rows, asks=asks)


def _apply(
    text: str,
    variables: Mapping[str, Any],
    name: str,
    tokenizer: Any,
    rows: Sequence[Mapping[str, str]],
    *,
    asks: bool,
    seconds: float | None = None,
) -> str:
    with template_faults(name, seconds=seconds):
        rendered: str = tokenizer.apply_chat_template(
            list(rows),
            chat_template=text,
            tokenize=False,
            add_generation_prompt=asks,
            **variables,
        )
    return rendered


def _folded(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with what the system says put before the next question."""
    folded: list[Message] = []
    system = ""
    for message in messages:
        if message.role == "system":
            system += f"{message.content}\n\n"
        elif message.role == "user" and system:
            folded.append(replace(message, content=system + message.content))
            system = ""
        else:
            folded.append(message)
    return folded


@lru_cache(maxsize=16)
def _traits(text: str, variables: str, tokenizer: Any) -> Traits:
    def rendered(*turns: tuple[str, str], asks: bool) -> str | None:
        rows = [{"role": role, "content": content} for role, content in turns]
        try:
            known = json.loads(variables)
            return _apply(text, known, "chat", tokenizer, rows, asks=asks, seconds=SECONDS)
        except EndlessTemplate:
            raise
        except InputError:
            return None

    asked, answered = ("user", ASKED), ("assistant", ANSWERED)
    prompt, whole = rendered(asked, asks=True) or "", rendered(asked, answered, asks=False) or ""
    is_cuttable = ANSWERED in whole and bool(prompt) and whole.startswith(prompt)
    lead = whole[len(prompt) : whole.find(ANSWERED)] if is_cuttable else ""
    tail = whole[whole.rfind(ANSWERED) + len(ANSWERED) :]
    pattern = control_tokens(tokenizer)
    mark = pattern.search(tail) if pattern else None
    end = mark[0] if mark and not tail[: mark.start()].strip() else None
    trail = tail[: mark.start()] if end and mark else ""
    given = whole[: len(whole) - len(tail)] + (tail[: mark.end()] if end and mark else "")
    again = rendered(asked, answered, asked, asks=True) or ""
    is_stable = end is not None and again.startswith(given)
    with_system = rendered(system := ("system", "Be brief."), asked, asks=True) or ""
    later = [asked, answered] if is_stable else []
    long = rendered(system, asked, answered, *later, asks=False) or ""
    return Traits(
        takes_system="Be brief." in with_system and long.startswith(with_system),
        has_opening=not NO_THOUGHT.sub("", lead).strip(),
        is_cuttable=is_cuttable,
        is_stable=is_stable,
        lead=lead,
        trail=trail,
        end=end,
    )


@lru_cache(maxsize=16)
def _control_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    template = str(getattr(tokenizer, "chat_template", None) or "")
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    names = {
        str(token.content)
        for token in added
        if token.special or (str(token.content) in template and token.content not in THOUGHTS)
    }
    names |= set(getattr(tokenizer, "all_special_tokens", ()))
    listed = "|".join(map(re.escape, sorted(names - {""}, key=len, reverse=True)))
    return re.compile(listed) if listed else None
