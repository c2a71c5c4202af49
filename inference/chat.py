"""Trying models by hand: each answers in its own template, with the history of its own answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tuneproof.errors import InputError
from tuneproof.formats.conversation import transcript
from tuneproof.formats.example import Example, Message
from tuneproof.inference.config import Decoding, ModelsConfig
from tuneproof.inference.decode import can_decode
from tuneproof.inference.endpoint import Endpoint
from tuneproof.inference.forms import BASE
from tuneproof.inference.generate import answer_one, cleaned
from tuneproof.inference.sources import lineup
from tuneproof.inference.variants import Variants, load_variants

OnPiece = Callable[[str], None]
"""Called with every new piece of an answer."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What was answered."""

    text: str
    """The answer."""
    finish_reason: str | None
    """Why it ended, as in `formats.comparison.Answer`."""
    dropped_turns: int = 0
    """Messages at the beginning of the conversation that no longer fitted."""


class Speaker(Protocol):
    """What answers a conversation."""

    @property
    def name(self) -> str:
        """The variant's name."""

    @property
    def streams(self) -> bool:
        """Whether an answer comes piece by piece."""

    def reply(self, messages: list[Message], seed: int, on_piece: OnPiece) -> Reply | None:
        """Answer a conversation that ends with a question; None where it is too long."""


@dataclass(frozen=True)
class Loaded:
    """A model in memory."""

    name: str
    """The variant's name."""
    variants: Variants
    """The loaded variants that it is one of."""
    decoding: Decoding
    """How tokens are chosen."""

    @property
    def streams(self) -> bool:
        """Whether an answer comes piece by piece."""
        return can_decode(self.variants.model)

    def reply(self, messages: list[Message], seed: int, on_piece: OnPiece) -> Reply | None:
        """Answer a conversation that ends with a question; None where it is too long."""
        *before, asked = messages
        example = Example(
            id="line",
            task="chat",
            instruction=asked.content,
            input=transcript(before),
            group="chat",
            messages=tuple(messages) if before else (),
        )
        encoded = self.variants.ask(self.name, example, self.decoding.max_new_tokens)
        if encoded is None:
            return None
        shown = ""

        def show(text: str) -> None:
            nonlocal shown
            if text.startswith(shown) and not text.endswith("\N{REPLACEMENT CHARACTER}"):
                on_piece(text[len(shown) :])
                shown = text

        answer = answer_one(self.variants, self.name, encoded.prompt_ids, self.decoding, seed, show)
        on_piece(answer.text.removeprefix(shown))
        return Reply(
            text=answer.text,
            finish_reason=answer.finish_reason,
            dropped_turns=encoded.dropped_turns,
        )


@dataclass(frozen=True)
class Served:
    """A model behind a server."""

    endpoint: Endpoint
    """The server."""
    decoding: Decoding
    """How tokens are chosen."""

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.endpoint.name

    @property
    def streams(self) -> bool:
        """Whether an answer comes piece by piece."""
        return False

    def reply(self, messages: list[Message], seed: int, on_piece: OnPiece) -> Reply | None:
        """Answer a conversation that ends with a question."""
        (answer,) = self.endpoint.answer([messages], self.decoding, seed)
        text = cleaned(answer.text)
        on_piece(text)
        return Reply(text=text, finish_reason=answer.finish_reason)


class Talk:
    """A conversation with one speaker."""

    def __init__(self, speaker: Speaker) -> None:
        """Begin."""
        self.speaker = speaker
        self.history: list[Message] = []
        """What was said so far, its own answers among it."""

    def ask(self, line: str, seed: int, on_piece: OnPiece) -> Reply | None:
        """Return the answer to a line; None where it is too long, so that it counts as unsaid.

        Args:
            line: What is asked.
            seed: For sampling.
            on_piece: Is given the answer as it comes.
        """
        messages = [*self.history, Message(role="user", content=line)]
        reply = self.speaker.reply(messages, seed, on_piece)
        if reply is not None:
            self.history = [*messages, Message(role="assistant", content=reply.text)]
        return reply

    def reset(self) -> None:
        """Forget what was said."""
        self.history = []


def talks_of(config: ModelsConfig) -> list[Talk]:
    """Return a conversation with each model that the options name: the base first.

    Raises:
        InputError: Something cannot be had, or answers no questions.
    """
    named = lineup(config)
    if named.heads:
        raise InputError(
            f"run {named.heads[0].name!r} trained a classification head; it answers no prompts"
        )
    speakers: list[Speaker] = []
    if named.base is not None:
        loaded = load_variants(
            named.subjects,
            base=named.base,
            template=named.template,
            dtype=config.dtype,
            device=config.device,
        )
        speakers += [
            Loaded(name, variants, config)
            for variants in loaded
            for name, kind in variants.kinds.items()
            if name == BASE or kind != BASE
        ]
    speakers += [Served(endpoint, config) for endpoint in named.endpoints]
    return [Talk(speaker) for speaker in speakers]
