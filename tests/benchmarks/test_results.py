"""The pages of results: made from what is kept, and a table of settings from a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import defaults, results
from tuneproof.files import read_json
from tuneproof.formats.comparison import read_comparison


def test_the_page_is_of_what_is_kept() -> None:
    assert results.PAGE.read_text(encoding="utf-8") == results.page(read_json(results.FILE))


def test_the_readme_has_the_table_of_what_is_kept() -> None:
    text = results.README.read_text(encoding="utf-8")
    kept = read_json(results.FILE)
    assert results.summary(kept) in text
    assert results.with_summary(text, kept) == text


def test_every_command_is_of_a_recipe_that_there_is() -> None:
    from tuneproof.recipes.recipe import names

    for experiment in results.EXPERIMENTS.values():
        assert experiment.command.split()[:2] == ["recipe", "run"]
        assert experiment.command.split()[2] in names()


def test_settings_are_compared_with_the_first_seed_by_seed(tmp_path: Path) -> None:
    said = {"plain": "mud", "better": "mud and ice"}
    variants: list[dict[str, Any]] = [{"name": "base", "model": "m", "adapter": None}]
    variants += [
        {
            "name": f"{name}-seed{seed}", "model": "m", "adapter": "a",
            "training_seed": seed, "settings_sha256": name,
        }
        for name in said
        for seed in (1, 2)
    ]  # fmt: skip
    items = [
        {
            "id": f"i{n}", "task": "t", "prompt": f"What is it, {n}?", "input": "",
            "reference": "mud and ice",
            "answers": {
                row["name"]: {
                    "text": said.get(row["name"].partition("-")[0], "no"),
                    "tokens": 3, "finish_reason": "eos",
                }
                for row in variants
            },
        }
        for n in range(4)
    ]  # fmt: skip
    content = {
        "schema": "tuneproof/comparison@1", "decoding": {}, "template": "{{ instruction }}",
        "labels": None, "variants": variants, "items": items,
    }  # fmt: skip
    file = tmp_path / "comparison.json"
    file.write_text(json.dumps(content))
    head, _, plain, better = defaults.page(read_comparison(file)).splitlines()
    assert head.startswith("| setting | seeds | ROUGE-L |")
    assert plain.startswith("| plain | 2 | 0.500 |")
    assert better.startswith("| better | 2 | 1.000; +0.500 (+0.500 to +0.500) |")
