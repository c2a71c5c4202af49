"""Count what a training spends, across interruptions, and end it when its budget is spent."""

from __future__ import annotations

import gc
import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from tuneproof import ranks
from tuneproof.files import read_json, write_json
from tuneproof.kernels.packing import Packing
from tuneproof.models.adapters import core_of
from tuneproof.tuning.checkpoints import checkpoint_folder
from tuneproof.tuning.cost.flops import rates_of

FILE = "spent.json"
"""The file with the counts in every checkpoint."""
COUNTED = ("examples", "positions", "flops", "head_flops")
"""What each process counts of its own work."""
LIMITS = ("max_seconds", "max_tokens", "max_flops")
"""The settings that are budgets."""
CLEAR = Path("/proc/self/clear_refs")
"""Linux forgets the most that a process has held when a 5 is written here."""


@dataclass(kw_only=True)
class Spent:
    """What the steps of a training took, evaluations apart; of several processes, all together."""

    seconds: float = 0.0
    """Wall clock of the first process."""
    cpu_seconds: float = 0.0
    """Processor time of all cores together."""
    gpu_seconds: float = 0.0
    """Wall clock of steps on a GPU, over all GPUs."""
    examples: int = 0
    """Examples that were read, each as often as it was."""
    tokens: int = 0
    """Tokens of the texts that were read, padding not counted."""
    positions: int = 0
    """Positions that the layers computed, padding and virtual tokens included; a prefix that the
    texts of a packed batch share counts once."""
    flops: int = 0
    """Operations, by the rule of tuning/cost/flops.py."""
    head_flops: int = 0
    """Those of the output head among them."""
    peak_memory_bytes: int = 0
    """Most memory that a process has held, evaluations included."""
    peak_gpu_memory_bytes: int = 0
    """Most GPU memory likewise; 0 without a GPU."""


class Meter(TrainerCallback):  # type: ignore[misc]
    """Counts what every step spends; to be added before the callbacks that read it.

    Each process counts its own work; after a step all know the sum.
    """

    def __init__(self, trainer: Any, last: Path | None) -> None:
        """Look at the model that is trained, and go on from a checkpoint's count.

        Args:
            trainer: Holds the model with its adapter.
            last: The checkpoint to continue from, or None.
        """
        self.spent = _before(last)
        self._step = Spent()
        self._model = trainer.model
        self._device = trainer.args.device.type
        inner = core_of(self._model)
        self._rates = rates_of(
            self._model, is_checkpointing=bool(trainer.args.activation_checkpointing)
        )
        self._packing: Packing | None = None
        inner.base_model.register_forward_pre_hook(self._note_packing, with_kwargs=True)
        inner.get_input_embeddings().register_forward_hook(self._count_inputs)
        if inner.get_output_embeddings() is not None:
            inner.get_output_embeddings().register_forward_hook(self._count_outputs)
        self._began: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        """Seconds of training until now, the step at hand included."""
        running = 0.0 if self._began is None else time.perf_counter() - self._began[0]
        return self.spent.seconds + running

    @property
    def logged(self) -> dict[str, float]:
        """The keys that it adds to a line of metrics.jsonl."""
        return {"train_seconds": round(self.seconds, 2), "flops": self.spent.flops}

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clocks."""
        self._began = time.perf_counter(), time.process_time()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Add up the step's work, and the trainer's own count, before the learning rate is set."""
        totals = ranks.summed([getattr(self._step, name) for name in COUNTED])
        for name, total in zip(COUNTED, totals, strict=True):
            setattr(self.spent, name, getattr(self.spent, name) + int(total))
        self._step = Spent()
        self.spent.tokens = int(state.num_input_tokens_seen)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clocks."""
        if self._device == "cuda":
            import torch

            torch.cuda.synchronize()
        assert self._began is not None
        seconds = ranks.from_main(time.perf_counter() - self._began[0])
        self.spent.seconds += seconds
        self.spent.cpu_seconds += ranks.summed([time.process_time() - self._began[1]])[0]
        self.spent.gpu_seconds += 0.0 if self._device == "cpu" else seconds * ranks.world_size()
        self._began = None

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the count in the checkpoint."""
        self.note_peaks()
        folder = checkpoint_folder(args, state)
        if ranks.is_main() and folder.is_dir():
            write_json(folder / FILE, asdict(self.spent))

    def note_peaks(self) -> None:
        """Look at the most memory that any process has held; all of them must call this."""
        for name, held in (
            ("peak_memory_bytes", peak_bytes()),
            ("peak_gpu_memory_bytes", gpu_peak_bytes()),
        ):
            largest = max(getattr(self.spent, name), int(ranks.largest(held)))
            setattr(self.spent, name, largest)

    def _note_packing(self, module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._packing = named.get("packing")

    def _count_inputs(self, module: Any, inputs: tuple[Any, ...], result: Any) -> None:
        """Count a batch that the model reads: its embeddings are looked up once.

        A single token is no example: it fills up the last batch of a process among several.
        """
        if not self._model.training or self._began is None or inputs[0].dim() != 2:
            return
        if self._packing is not None:
            positions, pairs = self._packing.positions, self._packing.pairs
            self._step.examples += len(self._packing.rests) if positions > 1 else 0
            self._step.positions += positions
            self._step.flops += self._rates.packed(positions, pairs)
        else:
            rows, tokens = inputs[0].shape
            self._step.examples += rows if rows * tokens > 1 else 0
            self._step.positions += rows * (tokens + self._rates.virtual)
            self._step.flops += self._rates.batch(rows, tokens)

    def _count_outputs(self, module: Any, inputs: tuple[Any, ...], result: Any) -> None:
        """Count the positions that go through the output head."""
        if self._model.training and self._began is not None:
            outputs = inputs[0].numel() // inputs[0].shape[-1]
            self._step.head_flops += outputs * self._rates.per_output
            self._step.flops += outputs * self._rates.per_output


def _before(last: Path | None) -> Spent:
    counted = {} if last is None else read_json(last / FILE)
    return Spent(**{one.name: counted[one.name] for one in fields(Spent) if one.name in counted})


def budget_of(config: Mapping[str, Any], meter: Meter) -> Budget | None:
    """Return the budget of a run's settings, as run.json holds them; None where there is none."""
    has_one = any(config.get(name) is not None for name in LIMITS)
    return Budget(config, meter) if has_one else None


class Budget(TrainerCallback):  # type: ignore[misc]
    """Ends the training when its budget is spent; the learning rate follows the share spent.

    It ends with the step that comes closest to the budget. Evaluations cost nothing. Of several
    processes the first one looks at the clock, so that all know the same share.
    """

    def __init__(self, config: Mapping[str, Any], meter: Meter) -> None:
        """Take the limits from the settings, and the spending from the meter."""
        self._config = config
        self._meter = meter
        self.is_spent = False
        """Whether the budget is what ended the training."""
        self._last_share = 0.0
        self.share = 0.0
        """How much of the budget is spent, in [0, 1]; of several, the one that is spent first."""

    def _look(self) -> None:
        """See how much is spent."""
        spent = (self._meter.seconds, self._meter.spent.tokens, self._meter.spent.flops)
        limits = (self._config[name] for name in LIMITS)
        used = (one / limit for one, limit in zip(spent, limits, strict=True) if limit is not None)
        self.share = ranks.from_main(float(min(1.0, max(used))))

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Have the learning rate follow the share that is spent."""
        self._look()
        self._last_share = self.share
        if self.share >= 1:  # continued, and spent already
            self.is_spent = control.should_training_stop = True
        scheduler = kwargs["lr_scheduler"]
        scheduler.lr_lambdas = [self._factor] * len(scheduler.lr_lambdas)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look before the learning rate is set."""
        self._look()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop where one more step would lead further away from the budget."""
        self._look()
        share = self.share
        step, self._last_share = share - self._last_share, share
        if share + step / 2 >= 1 and not control.should_training_stop:
            self.is_spent = control.should_training_stop = True
            control.should_log = True

    def _factor(self, step: int) -> float:
        """Return the factor on the peak learning rate for the next step."""
        warmup, kind = self._config["warmup_steps"], self._config["lr_scheduler_type"]
        early = min(1.0, step / warmup) if warmup >= 1 and kind != "constant" else 1.0
        return early * factor(self.share, kind, warmup if warmup < 1 else 0.0)


def factor(share: float, kind: str, warmup: float) -> float:
    """Return the learning rate as a part of its peak.

    Args:
        share: Of the budget that is spent, in [0, 1].
        kind: ``cosine``, ``linear`` or ``constant``.
        warmup: Share of the budget during which the rate rises from 0, under 1.
    """
    shapes: dict[str, Callable[[float], float]] = {
        "cosine": lambda rest: (1 + math.cos(math.pi * rest)) / 2,
        "linear": lambda rest: 1 - rest,
        "constant": lambda rest: 1.0,
    }
    if kind != "constant" and share < warmup:
        return share / warmup
    return shapes[kind]((share - warmup) / (1 - warmup))


def forget_peaks() -> None:
    """Reset the peaks of memory, where the system can; several runs may share one process."""
    import torch

    with suppress(OSError):
        CLEAR.write_text("5", encoding="ascii")
    if torch.cuda.is_available():
        gc.collect()  # the trainer of an earlier run refers to itself
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_bytes() -> int:
    """Return the most memory that this process has held since `forget_peaks`."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def gpu_peak_bytes() -> int:
    """Return the most GPU memory that torch has held since `forget_peaks`; 0 without a GPU."""
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
