"""Importance of the searched settings by fANOVA, compared with what shuffled results give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneproof.files import atomic_write
from tuneproof.formats.sweep import Importance

FEWEST = 5
"""Fewest finished trials from which importance is estimated."""
SHUFFLES = 20
"""How often the results are shuffled, to see what chance gives."""
TREES = 32
"""Trees of the random forest that fANOVA analyses."""


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

    def shares(results: dict[int, float]) -> dict[str, float]:
        importances = optuna.importance.get_param_importances(
            study,
            evaluator=optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0),
            target=lambda trial: results[trial.number],
        )
        return {name: float(share) for name, share in importances.items()}

    generator = np.random.default_rng(0)
    by_chance = [
        shares(dict(zip(values, generator.permutation(list(values.values())), strict=True)))
        for _ in range(SHUFFLES)
    ]
    measured = shares(values)
    return Importance(
        trials=len(trials),
        shares=measured,
        chance={name: max(shuffled[name] for shuffled in by_chance) for name in measured},
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
        for row, name in enumerate(names):
            share, chance = importance.shares[name], importance.chance[name]
            colour = BETTER if share > chance else NEUTRAL
            axes.barh(row, share, height=0.6, color=colour)
            label = "what chance gives in 1 of 20 sweeps" if row == 0 else None
            axes.plot([chance] * 2, [row - 0.4, row + 0.4], color=INK, lw=2, label=label)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes.set_title(f"What decided the validation {metric}")
        axes.set_xlabel(f"share of the differences between {importance.trials} finished trials")
        legend_below(axes, columns=1)
        with atomic_write(out, "wb") as handle:
            handle.write(png_of(figure))
