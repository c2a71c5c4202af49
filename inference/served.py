"""Served forms of a run: whether merged models, GGUF files and servers see the run's own tokens."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.formats.example import Message
from tuneproof.inference.endpoint import Endpoint
from tuneproof.inference.generate import stop_ids
from tuneproof.inference.panel import Panel
from tuneproof.inference.variants import Variants

log = logging.getLogger(__name__)
SHOWN = 6
"""Tokens that are shown where prompts begin to differ."""
PROBES = 16
"""Prompts that a server is asked to show as tokens."""


def note_served(
    loaded: Sequence[Variants], panels: Sequence[Panel], served: Mapping[str, str]
) -> None:
    """Record in each served variant whether it is asked as its run, token by token.

    Args:
        loaded: The models.
        panels: Their panels, in the same order.
        served: The run by the variant that serves it.
    """
    loaded_at = {name: position for position, one in enumerate(loaded) for name in one.names}
    for name, run in served.items():
        if name not in loaded_at or run not in loaded_at:
            continue
        ours, theirs = loaded_at[run], loaded_at[name]
        row = _compared(name, run, _ids(panels[ours], run), _ids(panels[theirs], name))
        stops = stop_ids(loaded[ours]) - stop_ids(loaded[theirs])
        if stops:
            row["stops_missing"] = [loaded[ours].tokenizer.decode([stop]) for stop in sorted(stops)]
        described = next(variant for variant in panels[theirs].variants if variant["name"] == name)
        described["serves"] = row


def note_server(
    endpoint: Endpoint,
    described: dict[str, Any],
    run: str,
    panels: Sequence[Panel],
    questions: Mapping[str, Sequence[Message]],
) -> None:
    """Record the same of a server, where it shows the tokens that it makes of a conversation.

    Args:
        endpoint: The server.
        described: What the comparison file says of it.
        run: The run that it serves.
        panels: Those of the models.
        questions: What it is asked, by item; the first few are tried.
    """
    panel = next((one for one in panels if run in one.names), None)
    ours = {} if panel is None else _ids(panel, run)
    cut = panel.asked.shortened if panel is not None and panel.asked is not None else frozenset()
    theirs: dict[str, list[int]] = {}
    for item in [item for item in questions if item in ours][:PROBES]:
        ids = endpoint.prompt_ids(questions[item])
        if ids is None:
            break
        theirs[item] = ids
    row = _compared(endpoint.name, run, ours, theirs, cut) if theirs else {"run": run}
    described["serves"] = row


def _compared(
    name: str,
    run: str,
    ours: Mapping[str, list[int]],
    theirs: Mapping[str, list[int]],
    cut: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return how many prompts are the same tokens, and where the first of the others differs.

    Args:
        name: What serves the run.
        run: The run.
        ours: The run's prompts, by item.
        theirs: The others.
        cut: Items whose input is shortened for the run, and not for the other.
    """
    shared = [item for item in ours if item in theirs]
    differing = [item for item in shared if ours[item] != theirs[item]]
    row: dict[str, Any] = {
        "run": run,
        "prompts": len(shared),
        "same_prompts": len(shared) - len(differing),
    }
    if differing:
        item = differing[0]
        row["first_difference"] = _difference(item, ours[item], theirs[item])
        if item in cut:
            row["first_difference"] += ", shortened to the length of its training"
        log.warning(
            f"{name} is asked by other tokens than {run} in {len(differing)} of {len(shared)} "
            f"prompts; the first: {row['first_difference']}"
        )
    return row


def _ids(panel: Panel, name: str) -> dict[str, list[int]]:
    assert panel.asked is not None  # models have prompts
    return {item: list(ids[name]) for item, ids in panel.asked.ids.items()}


def _difference(item: str, ours: Sequence[int], theirs: Sequence[int]) -> str:
    """Return in words where two prompts begin to differ."""
    pairs = zip(ours, theirs, strict=False)
    shorter = min(len(ours), len(theirs))
    position = next(
        (position for position, (one, other) in enumerate(pairs) if one != other), shorter
    )
    some, others = (list(ids[position : position + SHOWN]) for ids in (ours, theirs))
    return f"{item}, from token {position}: {others}, and the run's are {some}"
