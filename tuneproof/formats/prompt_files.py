"""Files of prompts: a JSON list of strings or objects, or any JSONL of records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import existing_file, read_json, read_jsonl
from tuneproof.numbers import is_value

TEST_PROMPTS = Path(__file__).parents[1] / "prompts/test.json"
"""The prompts that come with the project; `prepdata build` keeps them out of train."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One thing to ask every variant."""

    id: str
    """Unique within the file."""
    task: str
    """The source's name; "prompts" where the file names none."""
    prompt: str
    """The instruction."""
    input: str
    """The context; empty where there is none."""
    reference: str | None
    """The right answer, where one is known."""
    group: str
    """Items of one group are not independent of each other (questions on one page)."""
    executed: str | None = None
    """What the source's own program comes to, where it has one."""


def read_prompts(path: Path) -> list[Prompt]:
    """Read a file of prompts.

    Args:
        path: ``.json``: a list of strings or of objects with `prompt` (or `instruction`) and
            perhaps `id`, `task`, `input`, `reference` (or `output`), `group`, `executed`.
            ``.jsonl``: one such object a line.

    Raises:
        InputError: Missing, empty or of another shape; the message names the item.
    """
    existing_file(path)
    items = [_prompt(item, where, index) for index, (where, item) in enumerate(_items(path), 1)]
    if not items:
        raise InputError(f"{path}: no prompts in it")
    seen: dict[str, int] = {}
    for number, item in enumerate(items, 1):
        if seen.setdefault(item.id, number) != number:
            raise InputError(
                f"{path}: items {seen[item.id]} and {number} have the same id {item.id!r}"
            )
    return items


def _items(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".jsonl":
        for number, row in read_jsonl(path):
            yield f"{path}:{number}", row
        return
    value = read_json(path)
    if not isinstance(value, list):
        raise InputError(
            f"{path}: a list of prompts is needed, found {type(value).__name__}; "
            'for example ["What is LoRA?", {"prompt": "...", "input": "...", "reference": "..."}]'
        )
    for index, item in enumerate(value, 1):
        yield f"{path} item {index}", item


def _prompt(item: Any, where: str, index: int) -> Prompt:
    if isinstance(item, str):
        item = {"prompt": item}
    if not isinstance(item, dict):
        raise InputError(f"{where}: a string or an object is needed, found {item!r}")
    text = item.get("prompt", item.get("instruction"))
    if text is None:
        raise InputError(f"{where}: missing 'prompt'; it has {', '.join(item) or 'nothing'}")
    values = {
        "id": item.get("id", f"prompt-{index}"),
        "task": item.get("task", "prompts"),
        "prompt": text,
        "input": item.get("input"),
        "reference": item.get("reference", item.get("output")),
        "group": item.get("group"),
        "executed": item.get("executed"),
    }
    for name, value in values.items():
        if value is not None and not isinstance(value, str):
            raise InputError(f"{where}: {name!r} must be text, found {value!r}")
    if not text.strip():
        raise InputError(f"{where}: the prompt is empty")
    if values["executed"] and not is_value(values["executed"]):
        raise InputError(
            f"{where}: 'executed' must be a number, yes or no, found {values['executed']!r}"
        )
    values["id"] = values["id"] or f"prompt-{index}"
    return Prompt(
        id=values["id"],
        task=values["task"] or "prompts",
        prompt=text,
        input=values["input"] or "",
        reference=values["reference"] or None,
        group=values["group"] or values["id"],
        executed=values["executed"] or None,
    )
