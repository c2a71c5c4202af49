"""Rendering to tokens within a limit: the context gives way, never the question or the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.example import Example, Message
from tuneproof.formats.template import Template
from tuneproof.prompts.render import (
    ASKED,
    Piece,
    TrainOn,
    as_text,
    asked_pieces,
    conversation_of,
    question_of,
    trained_pieces,
    traits_of,
)
from tuneproof.prompts.tokens import begun, following

IGNORED = -100
"""The label of a position that is not trained on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """One example as token ids."""

    ids: list[int]
    """Tokens of prompt and answer, shape (tokens,)."""
    labels: list[int]
    """`ids`, with -100 where nothing is trained on, shape (tokens,)."""
    is_shortened: bool = False
    """Whether part of the input was left out to keep within the limit."""
    dropped_turns: int = 0
    """Messages at the beginning of the conversation that were left out."""

    @property
    def prompt_ids(self) -> list[int]:
        """What stands before the first token that is trained on; all of it when asking."""
        return self.ids[: self._first()]

    @property
    def completion_ids(self) -> list[int]:
        """The rest: the answer and its end; empty when asking."""
        return self.ids[self._first() :]

    def _first(self) -> int:
        trained = (index for index, label in enumerate(self.labels) if label != IGNORED)
        return next(trained, len(self.ids))


def fit(
    template: Template,
    tokenizer: Any,
    example: Example,
    *,
    max_length: int,
    train_on: TrainOn = "all",
) -> Encoded | None:
    """Render and tokenise an example to train on, so that it has at most `max_length` tokens.

    Where it is longer, the end of its input is left out, at a token's boundary and as little as is
    needed; of a conversation the oldest turns. Prompts and answers are tokenised apart, so that the
    tokens a model was trained after are those it is asked with.

    Args:
        template: Renders it.
        tokenizer: A fast tokenizer. No special token is added to the prompt, except a BOS that the
            tokenizer itself begins texts with where the template is no chat template and writes
            none.
        example: Question and answer, or a conversation.
        max_length: Limit in tokens.
        train_on: Which answers of a conversation are trained on.

    Returns:
        The token ids, or None when they do not fit even without input or earlier turns.
    """

    def encode(shown: Example) -> Encoded:
        pieces = _pieces_to_train(template, tokenizer, shown, train_on)
        return _encoded(template, tokenizer, pieces)

    return _fitting(encode, tokenizer, example, max_length)


def ask(
    template: Template,
    tokenizer: Any,
    example: Example,
    *,
    max_length: int,
    shots: Sequence[Example] = (),
    system: str = "",
) -> Encoded | None:
    """Render and tokenise a question, so that it has at most `max_length` tokens.

    Args:
        template: Renders it.
        tokenizer: As for `fit`.
        example: What is asked; its answer is left out.
        max_length: Limit in tokens; leave room for the new ones.
        shots: Examples that stand before it as earlier turns, answered. Where there is too little
            room the first ones are left out.
        system: A system message that stands before all.

    Returns:
        The token ids, or None when they do not fit even without shots, input and earlier turns.
    """
    plain = not (example.messages or shots or system or template.is_chat)

    def encode(shown: Example, shots: Sequence[Example] = ()) -> Encoded:
        if plain:
            pieces = [_two_fields(template, tokenizer, shown)]
        else:
            turns = [Message(role="system", content=system)] if system else []
            question = question_of(shown)
            while question and question[0].role == "system":
                turns.append(question.pop(0))
            for shot in shots:
                turns += conversation_of(replace(shot, messages=()))
            pieces = asked_pieces(template, tokenizer, [*turns, *question])
        return _encoded(template, tokenizer, pieces)

    for first in range(len(shots)):
        encoded = encode(example, shots[first:])
        if len(encoded.ids) <= max_length:
            return replace(encoded, dropped_turns=2 * first)
    fitting = _fitting(encode, tokenizer, example, max_length)
    if fitting is None:
        return None
    return replace(fitting, dropped_turns=fitting.dropped_turns + 2 * len(shots))


def completion_ids(template: Template, tokenizer: Any, output: str) -> list[int]:
    """Return an answer's token ids with its end, as `fit` makes them.

    Raises:
        InputError: The answer must end with EOS, and the tokenizer has none.
    """
    text, end = as_text(tokenizer, output), None
    if template.is_chat:
        traits = traits_of(template, tokenizer)
        end = traits.end
        text = traits.lead + text + traits.trail + (end or "")
    asked = asked_pieces(template, tokenizer, [Message(role="user", content=ASKED)])[-1]
    return _piece_ids(
        tokenizer, Piece(text=text, is_answer=True, needs_eos=end is None), after=asked.text
    )


def stop_tokens(template: Template, tokenizer: Any) -> set[int]:
    """Return the tokens that end an answer: EOS, and the template's end of turn."""
    ends = {tokenizer.eos_token_id} - {None}
    if template.is_chat and (end := traits_of(template, tokenizer).end):
        ends.add(tokenizer.convert_tokens_to_ids(end))
    return ends


def lengths(template: Template, tokenizer: Any, examples: Sequence[Example]) -> list[int]:
    """Return how many tokens each example has, where nothing is cut off."""
    return [
        len(_encoded(template, tokenizer, _pieces_to_train(template, tokenizer, row, "all")).ids)
        for row in examples
    ]


def _pieces_to_train(
    template: Template, tokenizer: Any, example: Example, train_on: TrainOn
) -> list[Piece]:
    if example.messages or template.is_chat:
        answered = example.conversation()
        if answered[-1].role != "assistant":
            answered = (*answered, Message(role="assistant", content=example.output))
        return trained_pieces(template, tokenizer, answered, train_on)
    answer = as_text(tokenizer, example.output)
    return [
        _two_fields(template, tokenizer, example),
        Piece(text=answer, is_answer=True, needs_eos=True),
    ]


def _two_fields(template: Template, tokenizer: Any, example: Example) -> Piece:
    fields = (as_text(tokenizer, text) for text in (example.instruction, example.input))
    return Piece(text=template.render(*fields))


def _encoded(template: Template, tokenizer: Any, pieces: Sequence[Piece]) -> Encoded:
    """Return the tokens of pieces, each tokenised apart."""
    ids: list[int] = []
    labels: list[int] = []
    before = ""
    for number, piece in enumerate(pieces):
        begins = number == 0 and not template.is_chat
        new = begun(tokenizer, piece.text) if begins else _piece_ids(tokenizer, piece, before)
        ids += new
        labels += new if piece.is_answer else [IGNORED] * len(new)
        before = piece.text
    return Encoded(ids=ids, labels=labels)


def _piece_ids(tokenizer: Any, piece: Piece, after: str) -> list[int]:
    """Return the tokens of a piece, with EOS where it needs one.

    Args:
        tokenizer: A fast tokenizer.
        piece: What is tokenised.
        after: The piece before it; empty where it begins the text.
    """
    ids = following(tokenizer, piece.text, after)
    if not piece.needs_eos:
        return ids
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"the tokenizer {tokenizer.name_or_path!r} has no EOS token to end answers"
        )
    return [*ids, int(tokenizer.eos_token_id)]


def _fitting(
    encode: Callable[[Example], Encoded], tokenizer: Any, example: Example, max_length: int
) -> Encoded | None:
    """Return an example within the limit, with as much of its context as fits; None if none does.

    Args:
        encode: Renders and tokenises an example.
        tokenizer: Knows where tokens end.
        example: The example.
        max_length: Limit in tokens.
    """
    encoded = encode(example)
    excess = len(encoded.ids) - max_length
    if excess <= 0:
        return encoded
    if example.messages:
        return _without_oldest(encode, example, max_length)
    bare = encode(replace(example, input=""))
    if len(bare.ids) > max_length:
        return None
    best = _longest_input(encode, tokenizer, example, max_length, excess) or bare
    return replace(best, is_shortened=True)


def _without_oldest(
    encode: Callable[[Example], Encoded], example: Example, max_length: int
) -> Encoded | None:
    """Return a conversation without as many of its first rounds as is needed, never the system."""
    system = [message for message in example.messages if message.role == "system"]
    turns = [message for message in example.messages if message.role != "system"]
    rounds = [index for index, message in enumerate(turns) if message.role == "user"]
    for start in filter(None, rounds):
        kept = replace(example, messages=(*system, *turns[start:]))
        encoded = encode(kept)
        if len(encoded.ids) <= max_length:
            return replace(encoded, dropped_turns=start)
    return None


def _longest_input(
    encode: Callable[[Example], Encoded],
    tokenizer: Any,
    example: Example,
    max_length: int,
    excess: int,
) -> Encoded | None:
    """Return the example with the longest beginning of its input that fits, or None if none does.

    Args:
        encode: As for `_fitting`.
        tokenizer: Likewise.
        example: Likewise.
        max_length: Likewise.
        excess: By how many tokens it is too long.
    """
    text = example.input
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ends = [end for _, end in spans["offset_mapping"]]

    def with_tokens(keep: int) -> Encoded:
        return encode(replace(example, input=text[: ends[keep - 1]].rstrip()))

    keep = max(0, len(ends) - excess)
    best = None
    while keep > 0 and best is None:  # a cut can change how its neighbours tokenise
        encoded = with_tokens(keep)
        if len(encoded.ids) <= max_length:
            best = encoded
        else:
            keep -= len(encoded.ids) - max_length
    while keep < len(ends) and len((encoded := with_tokens(keep + 1)).ids) <= max_length:
        best, keep = encoded, keep + 1
    return best
