"""Which settings decided the metric of a sweep, and how much of that chance would give as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneproof.files import atomic_write
from tuneproof.formats.sweep import Importance

FEWEST = 5
"""Finished trials from which importance can be told at all."""
SHUFFLES = 20
"""How often the results are dealt out at random to see what chance gives."""
TREES = 32
"""Of the random forest that fANOVA takes apart."""


def measure(study: Any) -> Importance | str:
    """Return what decided the values of an Optuna study, or why that cannot be said."""
    import numpy as np
    import optuna

    trials = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    values = {trial.number: trial.value for trial in trials}
    if len(trials) < FEWEST:
        return f"{len(trials)} finished trials are too few to tell; {FEWEST} are needed"
    if len(set(values.values())) == 1:
        return f"all {len(trials)} finished trials have the same result"

    def shares(dealt: dict[int, float]) -> dict[str, float]:
        found = optuna.importance.get_param_importances(
            study,
            evaluator=optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0),
            target=lambda trial: dealt[trial.number],
        )
        return {name: float(share) for name, share in found.items()}

    generator = np.random.default_rng(0)
    by_chance = [
        shares(dict(zip(values, generator.permutation(list(values.values())), strict=True)))
        for _ in range(SHUFFLES)
    ]
    found = shares(values)
    return Importance(
        trials=len(trials),
        shares=found,
        chance={name: max(each[name] for each in by_chance) for name in found},
    )


def draw(importance: Importance, metric: str, out: Path) -> None:
    """Draw the shares as bars with what chance gives, as a PNG."""
    import matplotlib as mpl

    from tuneproof.plot_style import (
        BETTER,
        INK,
        NEUTRAL,
        STYLE,
        figure_of,
        legend_below,
        png_of,
    )

    names = list(importance.shares)[::-1]
    with mpl.rc_context(STYLE):
        figure, axes = figure_of(1.9 + 0.36 * len(names))
        for place, name in enumerate(names):
            share, chance = importance.shares[name], importance.chance[name]
            colour = BETTER if share > chance else NEUTRAL
            axes.barh(place, share, height=0.6, color=colour)
            label = "what chance gives in 1 of 20 sweeps" if place == 0 else None
            axes.plot([chance] * 2, [place - 0.4, place + 0.4], color=INK, lw=2, label=label)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes.set_title(f"What decided the validation {metric}")
        axes.set_xlabel(f"share of the differences between {importance.trials} finished trials")
        legend_below(axes, columns=1)
        with atomic_write(out, "wb") as handle:
            handle.write(png_of(figure))
