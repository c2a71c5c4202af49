"""The answers of a comparison that is under way, kept so that an interruption costs a batch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tuneproof.files import write_text


class Progress:
    """The answers so far, in a file beside the result."""

    def __init__(self, out: Path, key: str) -> None:
        """Name the file.

        Args:
            out: The result's path.
            key: What decides the answers; an earlier try with another key is thrown away.
        """
        self._path = out.with_name(f".{out.name}.partial.jsonl")
        self._key = key
        self.done: dict[str, dict[str, Any]] = {}
        """The answers by prompt and variant."""

    def __enter__(self) -> Progress:
        """Open the file, keeping the whole lines of an earlier try."""
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        first = json.dumps(self._key) + "\n"
        if not whole or whole[0] != first:
            whole = [first]
        self.done = {}
        for line in whole[1:]:
            name, answers = json.loads(line)
            self.done[name] = self.done.get(name, {}) | answers
        write_text(self._path, "".join(whole))
        self._handle = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._handle.close()

    def has(self, name: str, variants: Iterable[str]) -> bool:
        """Return whether the variants have answered a prompt."""
        return self.done.get(name, {}).keys() >= set(variants)

    def add(self, name: str, answers: dict[str, Any]) -> None:
        """Remember answers to one prompt."""
        self.done[name] = self.done.get(name, {}) | answers
        self._handle.write(json.dumps([name, answers]) + "\n")
        self._handle.flush()

    def finish(self) -> None:
        """Remove the file; the result is written."""
        self._handle.close()
        self._path.unlink()
