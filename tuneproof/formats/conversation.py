"""Conversations as people keep them: OpenAI's `messages`, ShareGPT's `conversations`, a history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tuneproof.errors import InputError

Role = Literal["system", "user", "assistant"]
SPEAKERS: dict[str, Role] = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user", "customer": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant",
    "model": "assistant", "ai": "assistant", "agent": "assistant",
}  # fmt: skip
"""Role by the name that a turn's speaker has."""
TURN_KEYS = (("role", "content"), ("from", "value"))
READ_KEYS = {key for keys in TURN_KEYS for key in keys}
NAMES: dict[Role, str] = {"system": "System", "user": "User", "assistant": "Assistant"}
AsText = Callable[[Any, str, str], str]
"""Returns a value as text, given where it stands and its field's name; InputError where it is a
list or an object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    """Who speaks: ``system``, ``user`` or ``assistant``."""
    content: str
    """What is said."""

    def as_row(self) -> dict[str, str]:
        """Return its JSON object, which is that of chat APIs and chat templates too."""
        return {"role": self.role, "content": self.content}


CALLS = ("tool_calls", "function_call")
"""What a turn says to a program instead of a reader."""


def turns_of(value: Any) -> list[Mapping[str, Any]] | None:
    """Return the turns of a conversation, or None where a value is none.

    A conversation is a list of objects with a speaker and a text, or, as `datasets` had it, an
    object with the list of speakers and the list of texts.
    """
    if isinstance(value, Mapping):
        for keys in TURN_KEYS:
            columns = [value.get(key) for key in keys]
            if all(isinstance(column, list) for column in columns):
                rows = zip(*columns, strict=False)
                value = [dict(zip(keys, row, strict=True)) for row in rows]
                break
    if not isinstance(value, list) or not value:
        return None
    is_turn = (
        isinstance(turn, Mapping) and any(turn.keys() >= {*keys} for keys in TURN_KEYS)
        for turn in value
    )
    return value if all(is_turn) else None


def messages_of(value: Any, where: str, name: str, as_text: AsText) -> list[Message] | str:
    """Return the messages of a conversation, or why it cannot be used.

    Args:
        value: A list of turns.
        where: What errors begin with.
        name: The field's name.
        as_text: Makes text of what is said.

    Raises:
        InputError: It is no list of turns.
    """
    turns = turns_of(value)
    if turns is None:
        raise InputError(
            f"{where}: {name!r} must be a list of turns with role and content (or from and value), "
            f"found {str(value)[:60]}"
        )
    messages = []
    for turn in turns:
        speaker = str(turn.get("role", turn.get("from")))
        role = SPEAKERS.get(speaker.casefold())
        if role is None:
            return f"conversation with a turn of {speaker!r}, which is not read"
        content = _content(turn.get("content", turn.get("value")), where, name, as_text)
        if content is None or any(turn.get(key) for key in CALLS):
            return "conversation with more than text"
        messages.append(Message(role=role, content=content))
    return messages


def unread_keys(value: Any, name: str) -> list[str]:
    """Return what a conversation's turns hold beside speaker and text, as ``messages.weight``."""
    return sorted({f"{name}.{key}" for turn in turns_of(value) or () for key in turn} - {
        f"{name}.{key}" for key in READ_KEYS
    })  # fmt: skip


def history_of(value: Any, where: str, name: str, as_text: AsText) -> list[Message]:
    """Return the messages of Alpaca's `history`: pairs of what was asked and answered before."""
    messages: list[Message] = []
    pairs = [] if value is None else value
    if not isinstance(pairs, Sequence) or isinstance(pairs, str):
        raise InputError(
            f"{where}: {name!r} must be a list of pairs of texts, found {str(value)[:60]}"
        )
    for pair in pairs:
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


def last_question(messages: Sequence[Message]) -> int | None:
    """Return the number of the last message of the user, or None where there is none."""
    return max((n for n, turn in enumerate(messages) if turn.role == "user"), default=None)


def transcript(messages: Sequence[Message]) -> str:
    """Return messages as text, one paragraph each, begun with who speaks."""
    return "\n\n".join(f"{NAMES[message.role]}: {message.content}" for message in messages)


def _content(value: Any, where: str, name: str, as_text: AsText) -> str | None:
    """Return a turn's text, also where it is in parts; None where a part is no text."""
    if isinstance(value, list):
        if not all(isinstance(part, Mapping) and part.get("type") == "text" for part in value):
            return None
        return "\n".join(as_text(part.get("text"), where, name) for part in value)
    return None if value is None else as_text(value, where, name)
