"""What each of two processes does in these tests: `python work.py FOLDER`.

FOLDER/scenes.json has the trainings and comparisons, by name; every process writes what it saw into
FOLDER/seen-RANK.json.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from tuneproof import ranks
from tuneproof.formats.codec import encode
from tuneproof.inference.config import CompareConfig
from tuneproof.launch import join
from tuneproof.options import from_mapping
from tuneproof.tuning.config import TuneConfig

DOCS = Path(__file__).parents[2] / "docs"
PREPARED: list[Any] = []


def train_sharded(settings: dict[str, Any]) -> dict[str, Any]:
    """Train with FSDP2, which accelerate offers on GPUs only: it is told that there is one."""
    import torch
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    from tuneproof.tuning.run import finetune

    before = PartialState._prepare_backend, PartialState.set_device
    PartialState._prepare_backend = lambda *_: ("gloo", DistributedType.MULTI_GPU)
    PartialState.set_device = lambda self: setattr(self, "device", torch.device("cpu"))
    config = yaml.safe_load((DOCS / "accelerate/fsdp2.yaml").read_text())["fsdp_config"]
    variables = {name.upper(): str(value).lower() for name, value in config.items()}
    names = ("FSDP_AUTO_WRAP_POLICY", "FSDP_STATE_DICT_TYPE")
    variables |= {name: variables[name].upper() for name in names}
    os.environ |= {"ACCELERATE_USE_FSDP": "true", **variables}
    try:
        run = finetune(from_mapping(TuneConfig, settings, "scene"))
    finally:
        PartialState._prepare_backend, PartialState.set_device = before
        del os.environ["ACCELERATE_USE_FSDP"]
    return {"run": encode(run)}


def train(settings: dict[str, Any], stop: dict[str, int] | None = None) -> dict[str, Any]:
    """Train, and return the run and a hash of the weights that this process has in the end."""
    from tuneproof.models.head import tensor_hash
    from tuneproof.tuning import generate
    from tuneproof.tuning.run import finetune

    prepare = generate.prepare
    patched = {"prepare": lambda *given: PREPARED.append(prepare(*given)) or PREPARED[-1]}
    if stop is not None:
        signal_at(**stop)
    generate.prepare = patched["prepare"]
    config = from_mapping(TuneConfig, settings, "scene")
    try:
        run = finetune(config)
    except KeyboardInterrupt as error:
        return {"stopped": type(error).__name__}
    finally:
        generate.prepare = prepare
    seen = {"run": encode(run), "is_short": None, "weights": None}
    if PREPARED:
        trainer = PREPARED.pop().trainer
        values = trainer.model.named_parameters()
        seen["weights"] = {name: tensor_hash(v) for name, v in values if v.requires_grad}
        seen["is_short"] = trainer.is_short
    return seen


def signal_at(rank: int, step: int) -> None:
    """Have SIGTERM come to one process during a step."""
    from tuneproof.tuning.checkpoints import TimedCheckpoints

    before = TimedCheckpoints.on_step_begin

    def send(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if ranks.rank() == rank and state.global_step == step:
            os.kill(os.getpid(), signal.SIGTERM)
            TimedCheckpoints.on_step_begin = before

    TimedCheckpoints.on_step_begin = send  # type: ignore[method-assign]


def compare(prompts: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Compare, and return how many batches this process answered."""
    from tuneproof.inference.compare import Progress
    from tuneproof.inference.compare import compare as compare_file

    added: list[str] = []
    add = Progress.add

    def note(self: Progress, name: str, answers: dict[str, Any]) -> None:
        added.append(name)
        add(self, name, answers)

    Progress.add = note  # type: ignore[method-assign]
    try:
        compare_file(Path(prompts), from_mapping(CompareConfig, settings, "scene"))
    finally:
        Progress.add = add  # type: ignore[method-assign]
    return {"answered": added}


def collect(value: float) -> dict[str, Any]:
    """Return what the processes tell each other."""
    mine = value + ranks.rank()
    return {
        "from_main": ranks.from_main([mine]),
        "gathered": ranks.gathered(mine),
        "summed": ranks.summed([mine, 2**40]),
        "largest": ranks.largest(mine),
        "is_main": ranks.is_main(),
    }


def main(folder: Path) -> None:
    """Do all scenes."""
    join()
    seen = {}
    for name, scene in json.loads((folder / "scenes.json").read_text()).items():
        for target, value in scene.pop("patch", {}).items():
            module, _, attribute = target.rpartition(".")
            setattr(import_module(module), attribute, value)
        seen[name] = globals()[scene.pop("do")](**scene)
    (folder / f"seen-{ranks.rank()}.json").write_text(json.dumps(seen))
    ranks.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
