"""Served forms of a run: whether a merged model or a GGUF file is asked by the run's own tokens."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.inference.generate import stop_ids
from tuneproof.inference.panel import Panel
from tuneproof.inference.variants import Variants

log = logging.getLogger(__name__)
SHOWN = 6
"""Tokens that are shown where prompts begin to differ."""


def note_served(
    loaded: Sequence[Variants], panels: Sequence[Panel], served: Mapping[str, str]
) -> None:
    """Record in each served variant whether it is asked as its run, token by token.

    Args:
        loaded: The models.
        panels: Their panels, in the same order.
        served: The run by the variant that serves it.
    """
    places = {name: place for place, one in enumerate(loaded) for name in one.names}
    for name, run in served.items():
        if name not in places or run not in places:
            continue
        ours, theirs = places[run], places[name]
        one, other = _ids(panels[ours], run), _ids(panels[theirs], name)
        shared = [item for item in one if item in other]
        differing = [item for item in shared if one[item] != other[item]]
        row: dict[str, Any] = {
            "run": run,
            "prompts": len(shared),
            "same_prompts": len(shared) - len(differing),
        }
        if differing:
            item = differing[0]
            row["first_difference"] = _difference(item, one[item], other[item])
            log.warning(
                f"{name} is asked by other tokens than {run} in {len(differing)} of {len(shared)} "
                f"prompts; the first: {row['first_difference']}"
            )
        stops = stop_ids(loaded[ours]) - stop_ids(loaded[theirs])
        if stops:
            row["stops_missing"] = [loaded[ours].tokenizer.decode([stop]) for stop in sorted(stops)]
        described = next(each for each in panels[theirs].variants if each["name"] == name)
        described["serves"] = row


def _ids(panel: Panel, name: str) -> dict[str, list[int]]:
    assert panel.asked is not None  # models have prompts
    return {item: list(ids[name]) for item, ids in panel.asked.ids.items()}


def _difference(item: str, ours: Sequence[int], theirs: Sequence[int]) -> str:
    """Return in words where two prompts begin to differ."""
    pairs = zip(ours, theirs, strict=False)
    shorter = min(len(ours), len(theirs))
    place = next((place for place, (one, other) in enumerate(pairs) if one != other), shorter)
    some, others = (list(ids[place : place + SHOWN]) for ids in (ours, theirs))
    return f"{item}, from token {place}: {others}, and the run's are {some}"
