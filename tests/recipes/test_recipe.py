from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import TEST_PROMPTS
from tuneproof.recipes.recipe import FOLDER, load, names


def refused(name: str | Path, **changes: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(str(name), **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("model", ["gpt2", "tiny"])
@pytest.mark.parametrize("name", names())
def test_every_recipe_that_comes_along_can_be_loaded(name: str, model: str) -> None:
    recipe = load(name, model=model)
    assert recipe.summary
    assert recipe.name == name
    assert recipe.comparisons
    others = {config.model for short, config in recipe.runs.items() if short != "distilbert"}
    assert others == {model}


def test_every_experiment_has_its_variants_and_qlora_for_tiny_too() -> None:
    variants = {
        "twitter-topics": ["lora", "qlora", "head"],
        "imdb": ["head", "qlora", "head-only", "lora"],
        "complaints": ["lora", "head", "qlora", "distilbert"],
        "dolly-finqa": ["lora", "qlora"],
    }
    for name, shorts in variants.items():
        assert list(load(name).runs) == shorts
        runs = load(name, model="tiny").runs
        own = ["full"] if name == "twitter-topics" else []
        assert list(runs) == [*(short for short in shorts if short != "distilbert"), *own]
        assert runs["qlora"].four_bit is not None
    assert load("twitter-topics", model="tiny").merged == ("twitter-topics-lora",)
    assert load("imdb", model="tiny").runs["qlora"].gradient_checkpointing
    distilbert = load("complaints", model="gpt2-medium").runs["distilbert"]
    assert (distilbert.model, distilbert.objective) == ("distilbert-base-uncased", "classify")


def test_imdb_is_matched_by_flops() -> None:
    match = load("imdb", model="tiny").match
    assert match is not None
    assert (match.by, match.first) == ("flops", "head")
    assert set(match.followers) == {"qlora", "head-only", "lora"}


def test_stages_are_joined_by_their_folders(tmp_path: Path) -> None:
    recipe = load("demo", root=tmp_path)
    assert recipe.build.out == recipe.runs[""].data == tmp_path / "data" / "demo"
    assert recipe.runs[""].folder == tmp_path / "runs" / "demo"
    assert recipe.reports == tmp_path / "reports" / "demo"
    [(prompts, config)] = recipe.comparisons.items()
    assert prompts == tmp_path / "data" / "demo" / "test.jsonl"
    assert (config.run, config.runs) == (("demo",), tmp_path / "runs")
    assert config.out == tmp_path / "reports" / "demo" / "test_comparison.json"


def test_several_files_of_prompts_are_compared_apart() -> None:
    recipe = load("dolly-finqa")
    files = {prompts: config.out.name for prompts, config in recipe.comparisons.items()}
    assert files == {
        Path("data/dolly-finqa/test.jsonl"): "test_comparison.json",
        TEST_PROMPTS: "prompts_comparison.json",
    }


def test_command_line_changes_settings(tmp_path: Path) -> None:
    recipe = load(
        "dolly-finqa",
        model="tiny",
        sources=("finqa=/there",),
        settings=(
            "tune.learning-rate=1e-3", "compare.limit=7", "tune.name=other", "runs.qlora=null",
        ),
        root=tmp_path,
    )  # fmt: skip
    assert recipe.runs["lora"].model == "tiny"
    assert recipe.runs["lora"].learning_rate == 1e-3
    assert recipe.build.source == ("dolly", "finqa=/there")
    assert {config.limit for config in recipe.comparisons.values()} == {7}
    assert {config.run for config in recipe.comparisons.values()} == {("other",)}


def test_model_wins_over_another_name_of_the_setting(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("tune: {model: gpt2, model-name-or-path: other}")
    assert load(str(path), model="tiny").runs[""].model == "tiny"


def test_recipe_without_sources_has_the_default_ones(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("summary: nothing else\ntune:\n")
    assert load(str(path)).build.source == ("dolly", "finqa")
    assert load(str(path), sources=("dolly=/d",)).build.source == ("dolly=/d", "finqa")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": ("tune.lerning_rate=1",)}, "unknown setting 'lerning_rate'. Did you mean"),
        ({"settings": ("tun.limit=1",)}, "unknown section 'tun'. Did you mean 'tune'?"),
        ({"settings": ("tune.limit",)}, "STAGE.KEY=VALUE is needed"),
        ({"settings": ("limit=1",)}, "STAGE.KEY=VALUE is needed"),
        ({"settings": ("tune.limit=[",)}, "not valid YAML: expected the node content"),
        ({"settings": ("tune.limit=many",)}, "limit: expected a whole number, found 'many'"),
        ({"settings": ("tune.learning_rate=-1",)}, "learning_rate must be positive, got -1"),
        ({"sources": ("dolly=/d",)}, "unknown source of this recipe 'dolly'"),
    ],
)
def test_changes_that_cannot_be_are_refused(changes: dict[str, Any], message: str) -> None:
    assert message in refused("demo", **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tunes: {}", "unknown section 'tunes'. Did you mean 'tune'?"),
        ("tune: 5", "tune: settings (key: value) are needed, found 5"),
        ("tune: [model]", "tune: settings (key: value) are needed, found ['model']"),
        ("- tune", "a mapping (key: value) is needed"),
        ("tune: {", "not valid YAML"),
        ("compare: {prompts: []}", "prompts must be files of different names"),
        ("compare: {prompts: [a/x.json, b/x.jsonl]}", "prompts must be files of different names"),
        ("score: {confidence: 95}", "confidence must be at least 0.5 and below 1"),
    ],
)
def test_faults_of_a_recipe_are_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text)
    assert message in refused(tmp_path / "r.yaml")


def test_unknown_recipe_gives_the_nearest(tmp_path: Path) -> None:
    assert refused("dem").startswith("unknown recipe 'dem'. Did you mean 'demo'?")
    assert refused(tmp_path / "r.yaml") == f"no such file: {tmp_path / 'r.yaml'}"


def test_recipes_say_what_they_are_in_their_first_lines() -> None:
    for path in FOLDER.glob("*.yaml"):
        assert path.read_text().startswith("# "), path


def test_seeds_are_runs_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "prepdata: {source: [dolly]}\ntune: {model: tiny}\n"
        "runs: {lora: {seeds: [1, 2, 3]}, head: {lora_r: 2}}\n"
    )
    recipe = load(str(path))
    assert {short: (run.name, run.seed) for short, run in recipe.runs.items()} == {
        "lora-seed1": ("mine-lora-seed1", 1),
        "lora-seed2": ("mine-lora-seed2", 2),
        "lora-seed3": ("mine-lora-seed3", 3),
        "head": ("mine-head", 42),
    }


def test_merging_a_run_of_several_seeds_merges_each(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "prepdata: {source: [dolly]}\ntune: {model: tiny}\n"
        "runs: {lora: {seeds: [1, 2]}, other: {}}\ncompare: {merged: [lora, mine-lora-seed2]}\n"
    )
    assert load(str(path)).merged == ("mine-lora-seed1", "mine-lora-seed2")
