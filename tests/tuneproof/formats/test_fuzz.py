"""Healthy files with something spoilt: every reader reads them, or says in one error what is wrong.

Nothing here is drawn anew: the seed is the case's number, so that a failing case can be run again.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuneproof.errors import LONGEST, InputError

OLD = Path(__file__).parent / "old"
DEEP, DIGITS = "[" * 5000 + "]" * 5000, "9" * 5000
RAW = {"@deep@": DEEP, "@digits@": DIGITS, "@large@": "1" + "0" * 400, "@inf@": "1e999"}
"""What json.dumps does not write: stands in the text for these."""
MANY = int(os.environ.get("TUNEPROOF_FUZZ", "1000"))
"""Cases of the slow tests; 10,000 take about three minutes."""
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 3.7, 1e308, float("nan"), "", " ", "nan", "\x00", "a\x00b", "\ud800", "None",
    "../x", "a" * 3000, [], [None], [[]], {}, {"": None}, {"a": {"b": [1]}}, [1, "a", {}], *RAW,
)  # fmt: skip

SETTINGS = {
    "tune": {"model": "tiny", "data": "data", "num_train_epochs": 3, "target_modules": ["c_attn"]},
    "search": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "lora_r": [2, 4]},
    "trials": 20,
    "metric": "loss",
}
RECIPE = {
    "summary": "x",
    "prepdata": {"source": ["sample"], "seed": 1, "limit": 10},
    "tune": {"model": "tiny", "method": "lora", "learning_rate": 5e-4},
    "runs": {"a": {"lora_r": 8}, "b": {"lora_r": 4}},
    "compare": {"prompts": ["test"], "merged": ["a"]},
    "published": [{"variant": "a", "metric": "accuracy", "value": 0.5, "source": "paper"}],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside."""
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


def spoilt(document: Any, draw: random.Random) -> Any:
    """Return the document with one to three of its values replaced, removed, renamed or moved."""
    document = copy.deepcopy(document)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        paths = [path for path in places(document) if path]
        if not paths:
            return document
        *way, last = draw.choice(paths)
        holder = document
        for key in way:
            holder = holder[key]
        match draw.randrange(6):
            case 0 | 1 | 2:
                holder[last] = copy.deepcopy(draw.choice(ODD))
            case 3:
                del holder[last]
            case 4:
                holder[last] = [holder[last]]
            case 5 if isinstance(holder, dict):
                holder[draw.choice(("a" * 3000, "\x00", "None", "\ud800"))] = holder.pop(last)
            case _:
                holder[last] = copy.deepcopy(draw.choice(ODD))
    return document if draw.random() > 0.02 else copy.deepcopy(draw.choice(ODD))


def cut(text: str, draw: random.Random) -> str:
    """Return a text that is sometimes cut off, or has a character more or a part twice."""
    at = draw.randrange(len(text) + 1)
    match draw.randrange(20):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + draw.choice('\x00\ufeff{}[],:"&*!\n\t-') + text[at:]
        case 2:
            return text[:at] + text[max(0, at - 40) :]
    return text


def as_json(document: Any, draw: random.Random) -> str:
    text = json.dumps(document)
    for name, raw in RAW.items():
        text = text.replace(json.dumps(name), raw)
    return cut(text, draw)


def as_yaml(document: Any, draw: random.Random) -> str:
    try:
        text = yaml.safe_dump(document, allow_unicode=True)
    except UnicodeEncodeError:
        text = json.dumps(document)
    for name, raw in RAW.items():
        text = text.replace(f"'{name}'", raw)
    extra = ("", "", "", "x: &a [1, *a]\n", "tune: 1\ntune: 2\n", "a: 2026-99-99\n", "a: 0x_\n")
    return cut(text + draw.choice(extra), draw)


def read_run_file(path: Path) -> None:
    from tuneproof.formats.run import all_runs, read_run
    from tuneproof.tuning.runs import table

    run = read_run(path.parent)
    table(list(all_runs(path.parent.parent)))
    _ = run.stamp.key, run.is_whole, run.saved, run.max_length, run.prompts


def read_comparison_file(path: Path) -> None:
    from tuneproof.eval.checks.comparison import check_comparison
    from tuneproof.formats.comparison import read_comparison

    comparison = read_comparison(path)
    list(check_comparison(comparison))


def read_report_file(path: Path) -> None:
    from tuneproof.eval.gate import gate

    gate(path, None, ["rougeL.gain > 0"], ["stop_rate"], point=False)


def read_manifest_file(path: Path) -> None:
    from tuneproof.formats.data_folder import DataFolder
    from tuneproof.prepdata.checks.data import check_manifest
    from tuneproof.prepdata.report import build_summary

    folder = DataFolder(path.parent)
    assert folder.manifest is not None
    list(check_manifest(folder.manifest))
    build_summary(path.parent, folder.manifest)
    _ = folder.edited, folder.manifest.stamp.key


def read_sweep_file(path: Path) -> None:
    from tuneproof.tuning.sweep.config import read_sweep

    read_sweep(path, {})


def read_recipe_file(path: Path) -> None:
    from tuneproof.recipes.recipe import load
    from tuneproof.recipes.show import as_yaml

    as_yaml(load(str(path)))


READERS: dict[str, tuple[Any, str, Callable[..., str], Callable[[Path], None]]] = {
    "run": (OLD / "runs/lora/run.json", "x/run.json", as_json, read_run_file),
    "comparison": (OLD / "labels.json", "comparison.json", as_json, read_comparison_file),
    "texts": (OLD / "texts.json", "comparison.json", as_json, read_comparison_file),
    "report": (OLD / "reports/texts/report.json", "report.json", as_json, read_report_file),
    "manifest": (OLD / "topics/manifest.json", "manifest.json", as_json, read_manifest_file),
    "sweep": (SETTINGS, "sweep.yaml", as_yaml, read_sweep_file),
    "recipe": (RECIPE, "recipe.yaml", as_yaml, read_recipe_file),
}


def try_one(kind: str, seed: int, folder: Path) -> None:
    source, name, write, read = READERS[kind]
    document = json.loads(source.read_text()) if isinstance(source, Path) else source
    draw = random.Random(f"{kind} {seed}")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write(spoilt(document, draw), draw), encoding="utf-8", errors="replace")
    try:
        read(path)
    except InputError as error:
        assert len(str(error)) <= LONGEST + 10
    except Exception as error:
        raise AssertionError(f"case {seed} of {kind}: {error!r}") from error


@pytest.mark.parametrize("kind", READERS)
def test_spoilt_file_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    for seed in range(60):
        try_one(kind, seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_many_spoilt_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    for seed in range(MANY):
        try_one(kind, seed, tmp_path)
