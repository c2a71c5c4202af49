"""Sample answers at each evaluation: the same few prompts, asked as `infer` will ask the run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from tuneproof.formats.example import Example
from tuneproof.formats.samples import SampleAnswer, append_samples, keep_until
from tuneproof.formats.template import Template
from tuneproof.inference.config import Decoding
from tuneproof.inference.forms import Form
from tuneproof.inference.generate import answer_batch
from tuneproof.inference.resident import DeviceMemory
from tuneproof.inference.variants import Variants
from tuneproof.models import load as models
from tuneproof.models.virtual_tokens import VirtualTokens, virtual_tokens_of
from tuneproof.prompts.labels import with_labels
from tuneproof.text import one_line
from tuneproof.tuning.cost.flops import gpus_of

log = logging.getLogger(__name__)
NEW_TOKENS = 64
"""Longest answer, in tokens, or a quarter of the model's context."""
NAME = "run"
SHOWN = 60
"""Characters of a prompt and of an answer in the log."""


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Answers a few prompts with the model as it is."""

    prompts: Sequence[Example]
    """What is asked."""
    template: Template
    """Renders it, as in training."""
    tokenizer: Any
    """The model's."""
    labels: Mapping[str, Sequence[str]]
    """By task, the labels that a question names."""
    max_length: int
    """Most tokens of an example in training."""

    def answers(self, model: Any, step: int, epoch: float) -> list[SampleAnswer]:
        """Return the greedy answers; prompts that do not fit are left out.

        The random state is the same afterwards, so that the training goes on as without.

        Args:
            model: The model in training, in eval mode and without the kernels of training.
            step: Optimizer steps taken.
            epoch: Epochs taken.
        """
        import torch

        variants = self._variants(model)
        context = variants.context_length
        limit = NEW_TOKENS if context is None else min(NEW_TOKENS, max(1, context // 4))
        asked = []
        for prompt in self.prompts:
            shown = with_labels(prompt, self.labels.get(prompt.task, ()))
            encoded = variants.ask(NAME, shown, limit)
            if encoded is not None:
                asked.append((prompt, encoded))
        if not asked:
            return []
        with torch.random.fork_rng(gpus_of(model)):
            answers = answer_batch(
                variants,
                [{NAME: encoded.prompt_ids} for _, encoded in asked],
                Decoding(max_new_tokens=limit),
                seed=0,
            )
        return [
            SampleAnswer(
                step=step,
                epoch=round(epoch, 4),
                id=prompt.id,
                instruction=prompt.instruction,
                input=prompt.input,
                reference=prompt.output,
                answer=answer[NAME].text,
                tokens=answer[NAME].tokens,
                finish_reason=answer[NAME].finish_reason,
            )
            for (prompt, _), answer in zip(asked, answers, strict=True)
        ]

    def _variants(self, model: Any) -> Variants:
        """Return the model as inference knows what answers."""
        count = virtual_tokens_of(model)
        answering = VirtualTokens(model) if count else model
        return Variants(
            forms={NAME: Form(template=self.template, max_length=self.max_length)},
            resident=DeviceMemory().add(answering, lambda: answering),
            context_length=models.context_length(model),
            adapters={},
            tokenizer=self.tokenizer,
            described=[],
            virtual_tokens=count,
        )


def sampler_of(
    count: int,
    validation: Sequence[Example],
    template: Template,
    tokenizer: Any,
    labels: Mapping[str, Sequence[str]],
    max_length: int,
) -> Sampler | None:
    """Return what answers so many validation prompts, evenly spread; None without any.

    A conversation is asked up to its last answer, which is the reference.
    """
    count = min(count, len(validation))
    if not count:
        return None
    prompts = [validation[number * len(validation) // count] for number in range(count)]
    return Sampler(
        prompts=prompts,
        template=template,
        tokenizer=tokenizer,
        labels=labels,
        max_length=max_length,
    )


class SampleAnswers(TrainerCallback):  # type: ignore[misc]
    """Has the prompts answered at each evaluation; answers go to the log and to samples.jsonl."""

    def __init__(self, trainer: Any, sampler: Sampler, file: Path) -> None:
        """Take who trains, who answers, and the file to add to."""
        self._trainer, self._sampler, self._file = trainer, sampler, file
        self._is_off = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Drop answers of steps that are taken again."""
        keep_until(self._file, state.global_step)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask, show and write."""
        if self._is_off:
            return
        model = self._trainer.model
        was_training = model.training
        try:
            with self._trainer.plain_paths():
                samples = self._sampler.answers(model.eval(), state.global_step, state.epoch or 0.0)
        except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            self._is_off = True  # a training is worth more than its samples
            log.warning(f"no sample answers: {one_line(str(error), 200)}")
            return
        finally:
            model.train(was_training)
        append_samples(self._file, samples)
        for sample in samples:
            log.info(f"    {one_line(sample.instruction, SHOWN)} -> {_shown(sample)}")


def _shown(sample: SampleAnswer) -> str:
    text = one_line(sample.answer, SHOWN) or "(nothing)"
    return text if sample.finish_reason == "eos" else f"{text} (not ended)"
