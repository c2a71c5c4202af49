"""A recipe's first run on shares of its data: the learning curve."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

from tuneproof.errors import InputError
from tuneproof.eval.curve import Curve, learning_curve
from tuneproof.formats.data_folder import DataFolder
from tuneproof.locks import at_work
from tuneproof.recipes.recipe import Recipe
from tuneproof.recipes.run import prepare, train

log = logging.getLogger(__name__)


def shares_of(text: str) -> tuple[float, ...]:
    """Return the shares that are typed as ``0.25,0.5,1``, the smallest first.

    Raises:
        InputError: Fewer than two, or one that is no share.
    """
    try:
        shares = sorted({float(part) for part in text.split(",")})
    except ValueError as error:
        raise InputError(f"--curve: numbers such as 0.25,0.5,1 are needed, got {text!r}") from error
    if len(shares) < 2 or not shares[0] > 0 or shares[-1] > 1:
        raise InputError(f"--curve: two or more shares over 0 and at most 1, got {text!r}")
    return tuple(shares)


def run_curve(recipe: Recipe, shares: Sequence[float]) -> Curve:
    """Train the recipe's first run on shares of the data, compare, and measure the growth.

    The records are in random order, so that the first of them are a sample. What is done stays.

    Raises:
        InputError: A stage cannot use what it is given, or the data are too few to be shared.
    """
    from tuneproof.inference.compare import compare, is_up_to_date

    out = recipe.reports.with_name(f"{recipe.name}-curve")
    with at_work(out):
        prepare(recipe)
        config = next(iter(recipe.runs.values()))
        available = len(DataFolder(recipe.build.out).train)
        available = min(available, config.limit or available)
        sizes = {}
        for share in shares:
            count = round(share * available)
            name = f"{config.folder.name}-of-{count}"
            if count < 1 or name in sizes:
                raise InputError(f"{available} training records are too few for {share:g} of them")
            sizes[name] = count
            train(
                dataclasses.replace(config, name=name, limit=count),
                f"2/4 tune: {count:,} of {available:,} records",
                f"recipe {recipe.name}",
            )
        prompts, plain = next(iter(recipe.comparisons.items()))
        compared = dataclasses.replace(
            plain, run=tuple(sizes), merged=(), quantized=None, few_shot=0, no_baselines=True,
            out=out / plain.out.name,
        )  # fmt: skip
        if not is_up_to_date(prompts, compared):
            log.info("3/4 compare")
            compare(prompts, compared)
        log.info("4/4 score")
        return learning_curve([compared.out], sizes, recipe.score, out)
