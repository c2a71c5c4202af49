"""Measuring what a training really spends: time, tokens, operations; across interruptions."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from tuneproof.errors import InputError
from tuneproof.files import read_json, write_json
from tuneproof.kernels.packing import Packing
from tuneproof.tuning.flops import rates_of

NAME = "spent.json"
"""Stands in every checkpoint."""


@dataclass(kw_only=True)
class Spent:
    """What the steps of a training took, evaluations apart."""

    seconds: float = 0.0
    """Of wall clock."""
    cpu_seconds: float = 0.0
    """Of all cores together."""
    gpu_seconds: float = 0.0
    """Wall clock of steps on a GPU."""
    tokens: int = 0
    """Of the texts that were read, padding not counted."""
    positions: int = 0
    """What the layers computed for them: padding and virtual tokens too, but what the texts of a
    packed batch begin with only once."""
    examples: int = 0
    """Trained on, every pass counted."""
    flops: int = 0
    """Operations, by the rule of tuning/flops.py."""
    head_flops: int = 0
    """Those of the output head among them."""


class Meter(TrainerCallback):  # type: ignore[misc]
    """Counts what every step spends; put it before whoever asks."""

    def __init__(self, trainer: Any, last: Path | None) -> None:
        """Look at the model that is trained, and go on from a checkpoint's count.

        Args:
            trainer: Holds the model with its adapter.
            last: The checkpoint that is gone on from, or None.
        """
        self.spent = _before(last)
        self._model = trainer.model
        self._device = trainer.args.device.type
        inner = getattr(self._model, "get_base_model", lambda: self._model)()
        self._rates = rates_of(
            self._model, is_checkpointing=bool(trainer.args.activation_checkpointing)
        )
        self._packing: Packing | None = None
        inner.base_model.register_forward_pre_hook(self._note_packing, with_kwargs=True)
        inner.get_input_embeddings().register_forward_hook(self._read)
        if inner.get_output_embeddings() is not None:
            inner.get_output_embeddings().register_forward_hook(self._put_out)
        self._began: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        """Seconds of training until now, the step at hand included."""
        running = 0.0 if self._began is None else time.perf_counter() - self._began[0]
        return self.spent.seconds + running

    @property
    def logged(self) -> dict[str, float]:
        """What a line of metrics.jsonl says of it."""
        return {"train_seconds": round(self.seconds, 2), "flops": self.spent.flops}

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clocks."""
        self._began = time.perf_counter(), time.process_time()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the trainer's own count over, before the learning rate is set."""
        self.spent.tokens = int(state.num_input_tokens_seen)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clocks."""
        if self._device == "cuda":
            import torch

            torch.cuda.synchronize()
        assert self._began is not None
        seconds = time.perf_counter() - self._began[0]
        self.spent.seconds += seconds
        self.spent.cpu_seconds += time.process_time() - self._began[1]
        self.spent.gpu_seconds += 0.0 if self._device == "cpu" else seconds
        self._began = None

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the count in the checkpoint."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if folder.is_dir():
            write_json(folder / NAME, asdict(self.spent))

    def _note_packing(self, module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._packing = named.get("packing")

    def _read(self, module: Any, given: tuple[Any, ...], result: Any) -> None:
        """Count a batch that the model reads: every one looks its tokens up once."""
        if not self._model.training or self._began is None or given[0].dim() != 2:
            return
        if self._packing is not None:
            positions, pairs = self._packing.positions, self._packing.pairs
            self.spent.examples += len(self._packing.rests)
            self.spent.positions += positions
            self.spent.flops += self._rates.packed(positions, pairs)
        else:
            rows, tokens = given[0].shape
            self.spent.examples += rows
            self.spent.positions += rows * (tokens + self._rates.virtual)
            self.spent.flops += self._rates.batch(rows, tokens)

    def _put_out(self, module: Any, given: tuple[Any, ...], result: Any) -> None:
        """Count the positions that go through the output head."""
        if self._model.training and self._began is not None:
            outputs = given[0].numel() // given[0].shape[-1]
            self.spent.head_flops += outputs * self._rates.per_output
            self.spent.flops += outputs * self._rates.per_output


def _before(last: Path | None) -> Spent:
    if last is None:
        return Spent()
    try:
        return Spent(**read_json(last / NAME))
    except (InputError, TypeError):  # a checkpoint of before there was such a file
        return Spent()
