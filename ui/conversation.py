"""A run and its base, loaded and asked by turns, each with the history of its own answers."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof.errors import InputError
from tuneproof.formats.run import read_run
from tuneproof.inference.config import ModelsConfig
from tuneproof.ui.config import UiConfig
from tuneproof.ui.shelf import run_inside

if TYPE_CHECKING:
    from tuneproof.inference.chat import Talk

Event = dict[str, Any]
"""What happened while a question is answered, as the page reads it."""
Tell = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer."""

    text: str
    """What was answered; empty where it could not be asked."""
    notes: tuple[str, ...]
    """What there is to say of it."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A question with its answers."""

    line: str
    """What was asked."""
    answers: dict[str, Said] = field(default_factory=dict)
    """By variant."""


class Conversation:
    """One run at a time, one question at a time."""

    def __init__(self, root: Path, config: UiConfig) -> None:
        """Load nothing yet."""
        self._root, self._config = root, config
        self._busy = threading.Lock()
        self._talks: list[Talk] = []
        self.run: str | None = None
        """The run that is loaded, by its path below the folder."""
        self._weights: Mapping[str, str] | None = None
        self.turns: list[Turn] = []
        """What it was asked."""

    def ask(self, run: str, line: str) -> Iterator[Event]:
        """Yield what happens until all have answered a line; another run begins anew.

        So does one that was trained again.
        """
        events: queue.Queue[Event | None] = queue.Queue()

        def work() -> None:
            try:
                self._alone(lambda: self._answer(run, line, events.put))
            except InputError as error:
                events.put({"error": str(error)})
            except FileNotFoundError as error:
                events.put({"error": f"there is no {error} in this folder"})
            except Exception as error:  # the page must hear of it, and the terminal more of it
                traceback.print_exc()
                events.put({"error": f"{type(error).__name__}: {error}"})
            finally:
                events.put(None)

        threading.Thread(target=work, daemon=True).start()
        yield from iter(events.get, None)

    def reset(self) -> None:
        """Forget what was said."""
        self._alone(self._forget)

    def _forget(self) -> None:
        self.turns = []
        for talk in self._talks:
            talk.reset()

    def _alone(self, work: Callable[[], None]) -> None:
        if not self._busy.acquire(blocking=False):
            raise InputError("another question is being answered; wait for it")
        try:
            work()
        finally:
            self._busy.release()

    def _answer(self, run: str, line: str, tell: Tell) -> None:
        weights = read_run(run_inside(self._root, run)).weights_sha256
        if (self.run, self._weights) != (run, weights):  # it may have been trained again
            tell({"status": f"loading {run} and its base"})
            self._load(run)
            self._weights = weights
        turn = Turn(line=line)
        for talk in self._talks:
            self._ask(talk, turn, tell)
        self.turns.append(turn)

    def _ask(self, talk: Talk, turn: Turn, tell: Tell) -> None:
        """Have one of them answer, and tell the answer as it comes."""
        name = talk.speaker.name
        tell({"status": f"{name} is answering", "name": name})
        reply = talk.ask(
            turn.line,
            ModelsConfig.seed + len(self.turns),
            lambda piece: tell({"name": name, "piece": piece}),
        )
        notes = []
        if reply is None:
            notes = ["that is longer than it can be asked"]
        elif reply.finish_reason == "length":
            notes = ["did not stop"]
        if reply is not None and reply.dropped_turns:
            notes.append(f"the first {reply.dropped_turns} messages did not fit any more")
        for note in notes:
            tell({"name": name, "note": note})
        turn.answers[name] = Said(text="" if reply is None else reply.text, notes=tuple(notes))

    def _load(self, run: str) -> None:
        """Load a run and its base in place of what was loaded."""
        folder = run_inside(self._root, run)
        from tuneproof.inference.chat import talks_of  # torch and all: the page is there before

        self.run, self._talks, self.turns = None, [], []
        self._talks = talks_of(
            ModelsConfig(
                run=(folder.name,),
                runs=folder.parent,
                device=self._config.device,
                max_new_tokens=self._config.max_new_tokens,
            )
        )
        self.run = run
