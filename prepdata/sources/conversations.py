"""Conversations as people keep them: OpenAI's `messages`, ShareGPT's `conversations`, a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.example import Message, Role
from tuneproof.prepdata.sources.rows import as_text

SPEAKERS: dict[str, Role] = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user", "customer": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant",
    "model": "assistant", "ai": "assistant", "agent": "assistant",
}  # fmt: skip
"""Role by the name that a turn's speaker has."""
TURN_KEYS = ({"role", "content"}, {"from", "value"})
READ_KEYS = {"role", "content", "from", "value"}
NAMES: dict[Role, str] = {"system": "System", "user": "User", "assistant": "Assistant"}


def is_conversation(value: Any) -> bool:
    """Return whether a value is a list of turns, each with a speaker and a text."""
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(
        isinstance(turn, Mapping) and any(turn.keys() >= keys for keys in TURN_KEYS)
        for turn in value
    )


def messages_of(turns: Any, where: str, name: str) -> list[Message] | str:
    """Return the messages of a list of turns, or why it cannot be used.

    Raises:
        InputError: It is no list of turns.
    """
    if not is_conversation(turns):
        raise InputError(
            f"{where}: {name!r} must be a list of turns with role and content (or from and value), "
            f"found {str(turns)[:60]}"
        )
    messages = []
    for turn in turns:
        speaker = str(turn.get("role", turn.get("from")))
        role = SPEAKERS.get(speaker.casefold())
        if role is None:
            return f"conversation with a turn of {speaker!r}, which is not read"
        content = _content(turn.get("content", turn.get("value")), where, name)
        if content is None:
            return "conversation with more than text"
        messages.append(Message(role=role, content=content))
    return messages


def history_of(value: Any, where: str, name: str) -> list[Message]:
    """Return the messages of Alpaca's `history`: pairs of what was asked and answered before."""
    messages: list[Message] = []
    for pair in value or ():
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise InputError(
                f"{where}: {name!r} must be a list of pairs of texts, found {str(pair)[:60]}"
            )
        asked, answer = (as_text(part, where, name) for part in pair)
        messages += [Message(role="user", content=asked), Message(role="assistant", content=answer)]
    return messages


def up_to_last_answer(messages: Sequence[Message]) -> list[Message]:
    """Return the messages up to the last one of the assistant; none where there is none."""
    answers = [number for number, message in enumerate(messages) if message.role == "assistant"]
    return list(messages[: answers[-1] + 1]) if answers else []


def transcript(messages: Sequence[Message]) -> str:
    """Return messages as text, one paragraph each, begun with who speaks."""
    return "\n\n".join(f"{NAMES[message.role]}: {message.content}" for message in messages)


def _content(value: Any, where: str, name: str) -> str | None:
    """Return a turn's text, also where it is in parts; None where a part is no text."""
    if isinstance(value, list):
        if not all(isinstance(part, Mapping) and part.get("type") == "text" for part in value):
            return None
        return "\n".join(as_text(part.get("text"), where, name) for part in value)
    return None if value is None else as_text(value, where, name)
