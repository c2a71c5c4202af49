"""Runs that may use what the first of them used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.log import lines_to
from tuneproof.recipes.match import Match, read_match
from tuneproof.recipes.recipe import Recipe, load
from tuneproof.recipes.run import run_recipe
from tuneproof.recipes.show import as_yaml
from tuneproof.tuning.config import TuneConfig

TEXT = "tune: {model: gpt2}\nruns: {a: {lora_r: 4}, b: {}, c: {method: qlora}}\n"


def recipe_of(folder: Path, text: str, **changes: Any) -> Recipe:
    (folder / "m.yaml").write_text(TEXT + text)
    return load(str(folder / "m.yaml"), **changes)


def test_all_runs_are_matched_with_the_first(tmp_path: Path) -> None:
    match = recipe_of(tmp_path, "match: flops").match
    assert match == Match(by="flops", runs=("a", "b", "c"))
    assert (match.first, match.followers) == ("a", ("b", "c"))
    assert recipe_of(tmp_path, "").match is None


def test_some_runs_are_matched_in_the_recipes_order(tmp_path: Path) -> None:
    text = "match: {tokens: [c, b]}"
    assert recipe_of(tmp_path, text).match == Match(by="tokens", runs=("b", "c"))
    left_out = recipe_of(tmp_path, "match: {tokens: [a, b, c]}", settings=("runs.a=null",))
    assert left_out.match == Match(by="tokens", runs=("b", "c"))


@pytest.mark.parametrize("text", ["match: flops", "match: {flops: [a, b]}"])
def test_seeds_of_the_first_are_trained_as_it_is(text: str, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "tune: {model: gpt2, seeds: [1, 2]}\nruns: {a: {lora_r: 4}, b: {}}\n" + text
    )
    match = load(str(tmp_path / "m.yaml")).match
    assert (match.first, match.followers) == ("a-seed1", ("b-seed1", "b-seed2"))


def test_one_seed_of_the_first_may_be_named_alone(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "tune: {model: gpt2, seeds: [1, 2]}\nruns: {a: {lora_r: 4}, b: {}}\n"
        "match: {flops: [a-seed1, b-seed2]}\n"
    )
    match = load(str(tmp_path / "m.yaml")).match
    assert (match.first, match.followers) == ("a-seed1", ("b-seed2",))


def test_seeds_of_one_run_alone_are_no_match(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "tune: {model: gpt2, seeds: [1, 2]}\nruns: {a: {}}\nmatch: flops\n"
    )
    with pytest.raises(InputError, match="two runs are needed at least"):
        load(str(tmp_path / "m.yaml"))


def test_model_and_command_line_change_the_match(tmp_path: Path) -> None:
    text = "match: flops\nmodels: {tiny: {match: seconds}}"
    assert recipe_of(tmp_path, text, model="tiny").match == Match(by="seconds", runs=(*"abc",))
    typed = recipe_of(tmp_path, text, model="tiny", settings=("match=tokens",))
    assert typed.match == Match(by="tokens", runs=(*"abc",))
    assert recipe_of(tmp_path, text, settings=("match=null",)).match is None
    some = recipe_of(tmp_path, text, settings=("match={flops: [b, c]}",))
    assert some.match == Match(by="flops", runs=("b", "c"))


@pytest.mark.parametrize("text", ["match: flops", "match: {seconds: [b, c]}"])
def test_match_is_shown(text: str, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, text)
    shown = as_yaml(recipe)
    assert "match:" in shown
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "m.yaml").write_text(shown)
    assert load(str(tmp_path / "again" / "m.yaml")) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("match: flop", "match: unknown measure 'flop'. Did you mean 'flops'?"),
        ("match: 5", "match: flops, seconds or tokens is needed, or {flops: [RUN, RUN]}; found 5"),
        ("match: {flops: a}", "match: flops, seconds or tokens is needed"),
        ("match: {flops: [a], tokens: [b]}", "match: flops, seconds or tokens is needed"),
        ("match: {flops: [a, d]}", "match: unknown run 'd'."),
        ("match: {flops: [a]}", "match: two runs are needed at least, found a; match: null"),
        ("match: flops\nmodels: {tiny: {runs: {b: {max_flops: 1e9}}}}", "runs.b has max_flops of"),
    ],
)
def test_match_that_cannot_be_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        recipe_of(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["max_flops", "max_seconds", "max_tokens", "max_steps"])
def test_run_with_an_end_of_its_own_is_refused_unless_it_is_the_first(
    name: str, tmp_path: Path
) -> None:
    text = "match: flops"
    with pytest.raises(InputError, match=rf"runs.b has {name} of its own.*for runs.a alone"):
        recipe_of(tmp_path, text, settings=(f"runs.b.{name}=9",))
    with pytest.raises(InputError, match=rf"runs.b has {name} of its own"):
        recipe_of(tmp_path, text, settings=(f"tune.{name}=9",))
    assert recipe_of(tmp_path, text, settings=(f"runs.a.{name}=9",)).match


def test_method_that_plans_by_steps_needs_them_beside_the_budget() -> None:
    runs = {"a": TuneConfig(), "b": TuneConfig(method="adalora")}
    with pytest.raises(InputError, match=r"runs\.b: method 'adalora' plans by the number of steps"):
        read_match("flops", runs, runs, "r.yaml")
    runs["b"] = TuneConfig(method="adalora", max_steps=9)
    assert read_match("flops", runs, runs, "r.yaml")


@pytest.mark.parametrize(
    ("by", "limit"),
    [("flops", "max_flops"), ("seconds", "max_seconds"), ("tokens", "max_tokens")],
)
def test_budget_is_what_the_first_used(by: str, limit: str, make_run: Any) -> None:
    match = Match(by=by, runs=("a", "b"))
    run = make_run("a")
    result = replace(run.result, flops=7 * 10**15, train_seconds=12.25, tokens_seen=9_000)
    run = replace(run, result=result)
    used = {"flops": 7e15, "seconds": 12.25, "tokens": 9000}[by]
    assert match.used(run) == used
    config = match.budgeted(TuneConfig(), match.used(run))
    assert getattr(config, limit) == used


@pytest.mark.slow
def test_matched_runs_use_the_same_and_are_trained_once(recipe_file: Path) -> None:
    text = recipe_file.read_text().replace("  max_steps: 3\n", "  per_device_train_batch_size: 2\n")
    runs = "runs:\n  low: {max_steps: 40}\n  high: {lora_r: 8}\n  plain: {max_steps: 2}\n"
    recipe_file.write_text(text + runs + "match: {flops: [low, high]}\n")

    def said() -> list[str]:
        lines: list[str] = []
        with lines_to(lines.append):
            run_recipe(load(str(recipe_file), root=recipe_file.parent))
        return lines

    first = said()
    facts = {
        short: json.loads((recipe_file.parent / f"runs/small-{short}/run.json").read_text())
        for short in ("low", "high", "plain")
    }
    used = {short: fact["result"]["flops"] for short, fact in facts.items()}
    assert facts["high"]["config"]["max_flops"] == used["low"]
    assert facts["high"]["ended_by"] == "budget"
    assert used["high"] == pytest.approx(used["low"], rel=0.02)
    assert facts["plain"]["config"]["max_flops"] is None
    assert any(line.startswith("high used ") and "flops of low" in line for line in first)
    again = said()
    assert [line for line in again if line.startswith("2/4")] == [
        f"2/4 tune: {short} ({number} of 3): {recipe_file.parent}/runs/small-{short} is up to date"
        for number, short in enumerate(("low", "high", "plain"), 1)
    ]
