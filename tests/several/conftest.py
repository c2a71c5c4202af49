"""Two processes that do several trainings and comparisons together, started once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

WORK = Path(__file__).parent / "work.py"
LABELS = ["mud", "ice", "sand"]
Seen = list[dict[str, Any]]


def environment(rank: int, port: int) -> dict[str, str]:
    """Return the variables by which torchrun tells a process who it is."""
    of_job = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_PORT": str(port)}
    return {
        **os.environ,
        **of_job,
        **own,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(WORK.parents[2]),
    }


def do_together(folder: Path, scenes: Mapping[str, Mapping[str, Any]]) -> dict[str, Seen]:
    """Do scenes in two processes; return what each saw, by scene."""
    (folder / "scenes.json").write_text(json.dumps(scenes))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [
        subprocess.Popen(
            [sys.executable, str(WORK), str(folder)],
            env=environment(rank, port), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    said = [process.communicate(timeout=600) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    seen = [json.loads((folder / f"seen-{rank}.json").read_text()) for rank in (0, 1)]
    return {name: [one[name] for one in seen] for name in scenes}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of pytest-xdist share."""
    is_shared = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if is_shared else base) / "several"
    made.mkdir(exist_ok=True)
    return made


def river(folder: Path, train: int, validation: int) -> Path:
    """Write a data folder of texts of many lengths whose label they name."""
    folder.mkdir(exist_ok=True)
    rows = [
        {
            "id": f"r{n}", "task": "river", "instruction": "What is in it?",
            "input": "the slow river " * (n * 7 % 5) + f"carries {LABELS[n % 3]} to sea",
            "output": LABELS[n % 3],
        }
        for n in range(train + validation + 11)
    ]  # fmt: skip
    parts = {"train": rows[:train], "val": rows[train : train + validation]}
    parts["test"] = rows[train + validation :]
    for name, part in parts.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    manifest = {"schema": "tuneproof/data@1", "labels": {"river": LABELS}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def settings(
    folder: Path, make_model: Callable[..., Path], write_data: Callable[..., Path]
) -> Callable[..., dict[str, Any]]:
    """Settings of a training of a few steps, as YAML has them; sizes that do not come out even."""
    with FileLock(folder / "making.lock"):
        if not (folder / "llama").exists():
            for kind in ("gpt2", "llama"):
                make_model(folder / kind, kind)
            write_data(folder / "data", train=25, validation=5)
            write_data(folder / "unjudged", train=25, validation=0)
            river(folder / "river", train=26, validation=7)

    def make(**changes: Any) -> dict[str, Any]:
        plain = {
            "data": str(folder / "data"), "model": str(folder / "gpt2"), "name": "together",
            "runs": str(folder / "runs"), "max_length": 96, "num_train_epochs": 2,
            "per_device_train_batch_size": 4, "learning_rate": 1e-2, "lora_r": 2,
            "mixed_precision": "no",
        }  # fmt: skip
        return {**plain, **changes}

    return make


@pytest.fixture(scope="session")
def scenes(folder: Path, settings: Callable[..., dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Everything that the two processes do."""
    accumulated = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}
    by_token = settings(name="tokens", model=str(folder / "llama"), loss_weighting="token")
    river = {"data": str(folder / "river"), "num_train_epochs": 3}
    unjudged = {"data": str(folder / "unjudged")}
    train: dict[str, dict[str, Any]] = {
        "first": {"settings": settings(name="examples", num_train_epochs=1)},
        "examples": {"settings": settings(name="examples", overwrite=True)},
        "tokens": {"settings": {**by_token, **accumulated, "unlikelihood": 2.0}},
        "head": {"settings": settings(name="head", objective="classify", **river, **accumulated)},
        "chosen": {
            "settings": settings(name="chosen", **river),
            "patch": {"tuneproof.tuning.generate.ENOUGH": 5},
        },
        "flops": {"settings": settings(name="flops", **unjudged, max_flops=2.5e8)},
        "seconds": {"settings": settings(name="seconds", **unjudged, max_seconds=1.0)},
        "stopped": {
            "settings": settings(name="stopped", num_train_epochs=3),
            "stop": {"rank": 1, "step": 2},
        },
    }
    asked = {"runs": str(folder / "runs"), "batch_size": 3, "max_new_tokens": 8}
    compare: dict[str, dict[str, Any]] = {
        "texts": {
            "prompts": str(folder / "data/train.jsonl"),
            "settings": {
                **asked, "run": ["examples"], "out": str(folder / "texts.json"), "do_sample": True,
            },
        },
        "labels": {
            "prompts": str(folder / "river/test.jsonl"),
            "settings": {**asked, "run": ["chosen", "head"], "out": str(folder / "labels.json")},
        },
    }  # fmt: skip
    return {
        "collected": {"do": "collect", "value": 3.5},
        **{name: {"do": "train", **scene} for name, scene in train.items()},
        "sharded": {
            "do": "train_sharded",
            "settings": settings(
                name="sharded", model=str(folder / "llama"), method="full", learning_rate=1e-3
            ),
        },
        **{name: {"do": "compare", **scene} for name, scene in compare.items()},
    }


@pytest.fixture(scope="session")
def together(folder: Path, scenes: dict[str, dict[str, Any]]) -> dict[str, Seen]:
    """What the two processes saw, by scene; they are started once, whoever asks first."""
    done = folder / "together.json"
    with FileLock(folder / "together.lock"):
        if not done.exists():
            done.write_text(json.dumps(do_together(folder, scenes)))
    seen: dict[str, Seen] = json.loads(done.read_text())
    return seen


@pytest.fixture(scope="session")
def alone(
    folder: Path, settings: Callable[..., dict[str, Any]], scenes: dict[str, dict[str, Any]]
) -> Callable[..., Any]:
    """Train a scene's settings in this process, which does what the two do in a step."""
    from tuneproof.options import from_mapping
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    @cache
    def train(name: str) -> Any:
        of_scene = scenes[name]["settings"]
        batch = 2 * of_scene["per_device_train_batch_size"]
        return finetune(
            from_mapping(
                TuneConfig,
                {
                    **of_scene, "runs": str(folder / "alone"), "overwrite": True,
                    "per_device_train_batch_size": batch,
                },
                name,
            )
        )  # fmt: skip

    return train
