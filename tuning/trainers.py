"""The trainers: TRL's SFTTrainer and transformers' Trainer, with what `tune run` adds to each.

`CompletionTrainer` sends only the trained positions through the output head: on a CPU trl 1.16
sends prompt and padding through it too, for GPT-2 50,257 products for every token nobody trains on.
The loss is the same. It can also average over examples instead of tokens: TRL's mean over tokens
lets long answers decide what is learned; the mean over examples teaches a small model to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from peft import PeftModel
from torch.nn import functional as F
from torch.utils.data import Sampler, SequentialSampler
from transformers import DataCollatorWithPadding, Trainer
from transformers.trainer_pt_utils import get_length_grouped_indices
from trl import SFTTrainer

from tuneproof import ranks
from tuneproof.formats.run import Weighting
from tuneproof.kernels.training import FAST_PATHS, PLAIN, FastPaths, fast_paths
from tuneproof.models.adapters import core_of
from tuneproof.models.virtual_tokens import virtual_tokens_of
from tuneproof.prompts.fit import IGNORED
from tuneproof.tuning.checkpoints import checkpoint_folder
from tuneproof.tuning.distributed import RankBatches, is_sharded, with_filler
from tuneproof.tuning.losses import (
    completion_losses,
    has_plain_head,
    losses_and_right,
    sum_of_means,
)
from tuneproof.tuning.rows import lengths

T = TypeVar("T")


class LengthGroupedSampler(Sampler):  # type: ignore[misc]
    """Batches of examples of like length, in an order that seed and epoch alone decide.

    Transformers' own sampler draws from torch's global state, so that a training that goes on from
    the middle of its second epoch would see other examples than the one that was not interrupted;
    and it gives the batches of a group from long to short.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """Keep what decides the order.

        Args:
            lengths: Tokens of each example.
            batch_size: Examples of one optimizer step.
            seed: Decides the order, together with the epoch.
        """
        self._lengths = list(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is next; the trainer does."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        """Yield the indices: the longest example first, so that memory runs out at once or never.

        A last batch that is not full stays the last.
        """
        generator = torch.Generator().manual_seed(self._seed + 1_000_003 * self._epoch)
        size = self._batch_size
        order = get_length_grouped_indices(self._lengths, size, generator=generator)
        starts = range(size, len(order) - size + 1, size)
        shuffled = [starts[index] for index in torch.randperm(len(starts), generator=generator)]
        whole = len(order) - len(order) % size
        for start in [0, *shuffled, *([whole] if 0 < whole < len(order) else [])]:
            yield from order[start : start + size]


class RunTrainer:
    """What all trainers here share: batches of like length, and no files but the weights."""

    model: Any
    args: Any
    state: Any
    accelerator: Any
    control: Any
    data_collator: Any
    train_dataset: Any
    paths: FastPaths
    """The kernels that are turned on; none outside of `fast_paths`."""

    loss_is_scaled_for_ga = True
    """Whether `compute_loss` divides by all accumulated tokens or examples."""

    def __init__(self, **settings: Any) -> None:
        """Take the trainer's settings."""
        super().__init__(**settings)
        self.paths = PLAIN
        self._turned_on = ExitStack()
        self._left_out: Sequence[str] = ()
        if isinstance(self.model, PeftModel):
            # else PEFT asks the Hub at every checkpoint whether the base has the same vocabulary
            self.model.save_pretrained = partial(
                self.model.save_pretrained, save_embedding_layers=False
            )

    @contextmanager
    def fast_paths(self, without: Sequence[str] = ()) -> Iterator[FastPaths]:
        """Train by the kernels of kernels/ while the block runs, but for those left out.

        With weights that are dealt out, none is used: they keep copies of whole ones.
        """
        self._left_out = tuple(FAST_PATHS) if is_sharded(self) else without
        self._turn_on()
        try:
            yield self.paths
        finally:
            self._turn_off()

    @contextmanager
    def plain_paths(self) -> Iterator[None]:
        """Compute by no kernel of training while the block runs, as to answer."""
        was_on = self.paths is not PLAIN
        self._turn_off()
        try:
            yield
        finally:
            if was_on:
                self._turn_on()

    def _turn_on(self) -> None:
        is_short = getattr(self, "is_short", False)
        self.paths = self._turned_on.enter_context(
            fast_paths(self.model, self._left_out, is_short=is_short)
        )

    def _turn_off(self) -> None:
        self.paths = PLAIN
        self._turned_on.close()

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none: the run has a card of its own."""

    def _run_epoch(self, *args: Any, **named: Any) -> None:
        """Train an epoch, unless the training was at its end before it was interrupted."""
        if not self.control.should_training_stop:
            super()._run_epoch(*args, **named)  # type: ignore[misc]

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedSampler:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        return LengthGroupedSampler(
            lengths(dataset).tolist(),
            self.args.train_batch_size * self.args.gradient_accumulation_steps * ranks.world_size(),
            self.args.seed,
        )

    def get_train_dataloader(self) -> Any:
        """Return the batches of an epoch; of several processes each gets its part of every one."""
        if ranks.world_size() == 1:
            return super().get_train_dataloader()  # type: ignore[misc]
        sampler = self._get_train_sampler()
        return self._dealt(self.train_dataset, sampler, self.args.train_batch_size)

    def _dealt(self, dataset: Any, sampler: Any, batch_size: int) -> Any:
        """Return this process's part of every batch, on its device."""
        from accelerate.data_loader import DataLoaderShard

        return DataLoaderShard(
            with_filler(dataset),
            device=self.accelerator.device,
            batch_sampler=RankBatches(
                sampler, batch_size, ranks.rank(), ranks.world_size(), filler=len(dataset)
            ),
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save a checkpoint; its folder is made before any process looks for it.

        FSDP and DeepSpeed make it late, so that some processes would not see the best checkpoint.
        """
        if ranks.world_size() > 1:
            if ranks.is_main():
                folder = checkpoint_folder(self.args, self.state)
                folder.mkdir(parents=True, exist_ok=True)
            ranks.wait()
        super()._save_checkpoint(model, trial)  # type: ignore[misc]

    def _track_num_input_tokens(self, inputs: dict[str, Any]) -> None:
        """Count the tokens of a batch, but not those of a filler."""
        if ranks.world_size() > 1 and bool((inputs["labels"] == IGNORED).all()):
            inputs = {**inputs, "attention_mask": torch.zeros_like(inputs["attention_mask"])}
        super()._track_num_input_tokens(inputs)  # type: ignore[misc]


class CompletionTrainer(RunTrainer, SFTTrainer):  # type: ignore[misc]
    """An SFTTrainer that computes logits only where a label is, and can weigh examples alike.

    The loss, in nats, is a mean over the batch, or over all accumulated batches.
    """

    def __init__(
        self,
        *,
        weighting: Weighting = "token",
        unlikelihood: float = 0.0,
        counts_right: bool = False,
        **settings: Any,
    ) -> None:
        """Take SFTTrainer's settings, and find out whether the short way is the same here.

        Args:
            weighting: Whether every ``example`` counts the same, or every ``token``, as in TRL.
            unlikelihood: Weight of the loss on tokens that the answer has used, in training only;
                see tuneproof/kernels/unlikelihood.py.
            counts_right: Whether a validation tells which share of the answers would be right,
                word for word, if the model wrote them greedily.
            settings: SFTTrainer's.
        """
        super().__init__(**settings)
        self.weighting = weighting
        self.unlikelihood = unlikelihood
        self.counts_right = counts_right
        self._right: list[torch.Tensor] = []
        self._losses: list[tuple[float, int]] = []
        self.is_short = (
            not self.aux_loss_enabled
            and not virtual_tokens_of(self.model)
            and has_plain_head(core_of(self.model))
        )

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss; TRL's own where it is the same and all logits are needed anyway."""
        by_token = self.weighting == "token"
        price = self.unlikelihood if model.training else 0.0
        if return_outputs or (by_token and not price and not self.is_short):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        losses, examples = self._within(
            model, inputs, partial(completion_losses, unlikelihood=price)
        )
        total = self._total(losses, examples)
        if num_items_in_batch is None:
            return total / max(1, self._items(inputs["labels"]))
        # of all processes, whose gradients are averaged
        return total * ranks.world_size() / num_items_in_batch

    def _total(self, losses: torch.Tensor, examples: torch.Tensor) -> torch.Tensor:
        """Return the sum of what is to be averaged: of tokens, or of the examples' means."""
        return losses.sum() if self.weighting == "token" else sum_of_means(losses, examples)

    def _within(
        self, model: Any, inputs: Mapping[str, torch.Tensor], function: Callable[..., T]
    ) -> T:
        """Call a function of model and inputs by way of what the model is wrapped in."""
        how = {"is_short": self.is_short, "paths": self.paths}
        with self.accelerator.autocast():
            is_bare = model is self.model and not is_sharded(self)  # FSDP changes it in place
            if is_bare or not self.is_short:
                return function(model, inputs, **how)
            call = partial(function, self.model, inputs, **how)
            return through_wrapper(model, core_of(self.model), call, inputs)

    def _items(self, labels: torch.Tensor) -> int:
        """Return how many examples, or tokens, the loss of a batch is the mean of."""
        trained = labels[:, 1:] != IGNORED
        return int((trained if self.weighting == "token" else trained.any(1)).sum())

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> Any:
        """Return the loss of a validation batch, by the same way as in training."""
        if not prediction_loss_only:
            return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        inputs = self._prepare_inputs(inputs)
        items = self._items(inputs["labels"])
        with torch.no_grad():
            if self.counts_right:
                losses, examples, right = self._within(model, inputs, losses_and_right)
                loss = self._total(losses, examples) / max(1, items)
                if items:
                    self._right.append(right.cpu())
            else:
                loss = self.compute_loss(model, inputs)
        self._losses.append((float(loss) * items, items))
        return loss.detach(), None, None

    def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **named: Any) -> Any:
        """Evaluate as transformers does: the mean of all losses, and the share of right answers.

        Both are those of all processes together, so that all choose the same checkpoint.
        """
        self._right, self._losses = [], []
        output = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **named)
        total, items = ranks.summed([sum(column) for column in zip(*self._losses, strict=True)])
        output.metrics[f"{metric_key_prefix}_loss"] = total / max(1, items)
        if self.counts_right:
            mine = [float(right.float().sum()) for right in self._right]
            right, count = ranks.summed([sum(mine), sum(map(len, self._right))])
            output.metrics[f"{metric_key_prefix}_accuracy"] = right / max(1, count)
        return output

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Return the validation's batches; each process gets its part of every one."""
        if ranks.world_size() == 1:
            return super().get_eval_dataloader(eval_dataset)
        dataset = self.eval_dataset if eval_dataset is None else eval_dataset
        return self._dealt(dataset, SequentialSampler(dataset), self.args.eval_batch_size)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        """Return what the losses of all accumulated batches are divided by."""
        items = ranks.summed([sum(self._items(batch["labels"]) for batch in batch_samples)])[0]
        return torch.tensor(int(items), device=device).clamp(min=1)


class HeadTrainer(RunTrainer, Trainer):  # type: ignore[misc]
    """Transformers' trainer over texts of different lengths.

    The labels' cross-entropy is the loss, in nats per example: a mean over the examples of all
    accumulated batches and all processes. Evaluations give the accuracy too.
    """

    def __init__(self, *, processing_class: Any, **settings: Any) -> None:
        """Take Trainer's settings; the tokenizer fills the batches up."""
        super().__init__(
            processing_class=processing_class,
            data_collator=DataCollatorWithPadding(processing_class),
            compute_metrics=head_metrics,
            **settings,
        )

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the mean loss, of training over all accumulated batches and all processes."""
        labels = inputs["labels"]
        outputs = model(**{name: value for name, value in inputs.items() if name != "labels"})
        total = F.cross_entropy(outputs.logits.float(), labels, reduction="sum")
        if num_items_in_batch is None:
            loss = total / len(labels)
        else:  # of all processes, whose gradients are averaged
            loss = total * ranks.world_size() / num_items_in_batch
        return (loss, {"loss": loss, "logits": outputs.logits}) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        """Return how many examples the accumulated batches of all processes have."""
        mine = sum(int((batch["labels"] != IGNORED).sum()) for batch in batch_samples)
        return torch.tensor(int(ranks.summed([mine])[0]), device=device).clamp(min=1)


def head_metrics(output: Any) -> dict[str, float]:
    """Return the share of texts whose most probable label is the right one, and the mean loss."""
    logits, labels = output.predictions, output.label_ids
    loss = F.cross_entropy(torch.from_numpy(logits).float(), torch.from_numpy(labels))
    return {"accuracy": float((logits.argmax(-1) == labels).mean()), "loss": float(loss)}


def through_wrapper(
    wrapper: Any, core: Any, call: Callable[[], T], inputs: Mapping[str, torch.Tensor]
) -> T:
    """Return what a function gives where a wrapped model's forward pass would be.

    DDP, FSDP and DeepSpeed prepare there what they do with weights and gradients.

    Args:
        wrapper: What is called, with `input_ids` and `attention_mask`.
        core: The model inside, whose forward pass the function takes the place of.
        call: Uses the parts of the model; returns tensors.
        inputs: The batch.
    """
    before = vars(core).get("forward")
    core.forward = lambda *_, **__: call()
    try:
        result: T = wrapper(**{name: inputs[name] for name in ("input_ids", "attention_mask")})
        return result
    finally:
        if before is None:
            del core.forward
        else:
            core.forward = before
