"""The objective `generate`: instruction tuning with TRL's SFTTrainer."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import Example
from tuneproof.formats.run import Counts
from tuneproof.formats.template import Template
from tuneproof.models import load as models
from tuneproof.models.device import choose_device
from tuneproof.prompts.export import ask_as_trained
from tuneproof.prompts.fit import IGNORED, Encoded, fit
from tuneproof.prompts.labels import with_labels
from tuneproof.prompts.render import TrainOn, traits_of
from tuneproof.tuning import adapters
from tuneproof.tuning.adapters import Adapted
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.device import check_attention, weights_dtype
from tuneproof.tuning.job import (
    Job,
    check_model,
    default_unlikelihood,
    default_weighting,
    make_trainer,
    trainer_arguments,
    with_rate,
)
from tuneproof.tuning.rows import Row, kept
from tuneproof.tuning.runs import template_of
from tuneproof.tuning.samples import sampler_of

ENOUGH = 200
"""Validation records from which the share of right answers, not the loss, chooses a checkpoint."""


def prepare(config: TuneConfig, data: DataFolder) -> Job:
    """Load the model, turn the records into tokens, and make the trainer.

    Raises:
        InputError: Data or model cannot be used.
    """
    template = template_of(config)
    tokenizer = models.load_tokenizer(config.model)
    device = choose_device(config.device)
    check_attention(config.attn_implementation)
    model = models.load_model(
        config.model,
        dtype=weights_dtype(config, device),
        device=device,
        four_bit=config.four_bit,
        attn_implementation=config.attn_implementation,
    )
    check_model(config, model, tokenizer)
    labels = labels_to_name(config, data)
    train = encode(
        data.train, template, tokenizer, config.max_length, config.train_on, labels=labels
    )
    check_fits(train, config.max_length)
    validation = encode(
        data.validation, template, tokenizer, config.max_length, config.train_on, labels=labels
    )
    price = price_of_repeating(config, data, models.width(model))
    adapted = adapters.adapt(config, model)
    trainer = _trainer(
        with_rate(config, model), adapted, tokenizer, train, validation, price, has_labels(data)
    )
    ask_as_trained(trainer.model, tokenizer, template)
    return Job(
        trainer=trainer,
        train=train.counts,
        validation=validation.counts,
        template=template,
        unlikelihood=price,
        loss_weighting=trainer.weighting,
        summary="\n".join([_summary(train.counts, price), *template_lines(template, tokenizer)]),
        shown=tuple(marked(row, tokenizer) for row in islice(train.rows, 2)),
        save=adapted.save,
        sampler=sampler_of(
            config.sample_prompts,
            data.validation if validation.rows else (),
            template,
            tokenizer,
            labels,
            config.max_length,
        ),
    )


def price_of_repeating(config: TuneConfig, data: DataFolder, width: int) -> float:
    """Return the weight of the unlikelihood loss; 0 for labels, which are too short to loop."""
    if has_labels(data):
        return 0.0
    return default_unlikelihood(width) if config.unlikelihood is None else config.unlikelihood


def labels_to_name(config: TuneConfig, data: DataFolder) -> Mapping[str, Sequence[str]]:
    """Return the labels that questions are to name, by task; none where that is not asked for.

    Raises:
        InputError: It is asked for, and there is a task without labels.
    """
    if not config.name_labels:
        return {}
    if not has_labels(data):
        raise InputError(
            f"--name-labels names the labels of a task, and {config.data} has answers that are "
            "none of a label set; leave it out"
        )
    return data.labels


def has_labels(data: DataFolder) -> bool:
    """Return whether every task has a label set, so that an answer is right or wrong."""
    validation = {record.task for record in data.validation}
    return {*data.tasks, *validation} <= set(data.labels)


def _trainer(
    config: TuneConfig,
    adapted: Adapted,
    tokenizer: Any,
    train: Examples,
    validation: Examples,
    price: float,
    counts_right: bool,
) -> Any:
    """Return TRL's trainer of the adapted model over the tokenised examples."""
    from trl import SFTConfig

    from tuneproof.tuning.trainers import CompletionTrainer

    has_validation = bool(validation.rows)
    arguments = trainer_arguments(
        config, adapted.model.device.type, len(train.rows), has_validation=has_validation
    )
    if counts_right and len(validation.rows) >= ENOUGH:
        arguments |= {"metric_for_best_model": "eval_accuracy", "greater_is_better": True}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*reference model.*")
        trainer = make_trainer(
            CompletionTrainer,
            train.rows,
            validation.rows,
            weighting=config.loss_weighting or default_weighting(config.model),
            unlikelihood=price,
            counts_right=counts_right and has_validation,
            model=adapted.model,
            args=SFTConfig(
                dataset_kwargs={"skip_prepare_dataset": True},
                max_length=None,
                gradient_checkpointing=False,  # TRL turns this old name of activation_... on
                **arguments,
            ),
            callbacks=adapters.callbacks(config.method),
            processing_class=tokenizer,
        )
    adapters.train_in_float32(trainer.model)
    return trainer


def template_lines(template: Template, tokenizer: Any) -> list[str]:
    """Return the name of the template, and what is wrong with a chat template."""
    faults = traits_of(template, tokenizer).faults() if template.is_chat else []
    return [f"template: {template.name}", *(f"template {template.name}: {f}" for f in faults)]


def _summary(counts: Counts, price: float) -> str:
    return (
        f"{counts.examples:,} examples, {counts.tokens:,} tokens of which "
        f"{counts.trained_tokens:,} are trained on; {counts.shortened:,} inputs shortened "
        f"({counts.shortened / counts.examples:.1%}), "
        + (f"{counts.dropped_turns:,} old turns left out, " if counts.dropped_turns else "")
        + f"{counts.too_long:,} left out as too long"
        + (f"; the unlikelihood loss has weight {price:g}" if price else "")
    )


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Tokenised records, and what became of those that were too long."""

    rows: Sequence[Row]
    """`input_ids` and `labels`, both of shape (tokens,); labels are -100 on the prompt."""
    counts: Counts
    """What a run records of them."""


def check_fits(train: Examples, max_length: int) -> None:
    """Raise InputError where no training record is left."""
    if not train.rows:
        raise InputError(
            f"all {train.counts.too_long} training records are longer than max_length "
            f"{max_length} even without their input"
        )


def encode(
    records: Iterable[Example],
    template: Template,
    tokenizer: Any,
    max_length: int,
    train_on: TrainOn = "all",
    *,
    labels: Mapping[str, Sequence[str]] | None = None,
) -> Examples:
    """Tokenise records for training: the loss covers answers and their ends, nothing else.

    Args:
        records: What is learned.
        template: Renders them.
        tokenizer: A fast tokenizer.
        max_length: Limit in tokens.
        train_on: Which answers of a conversation are trained on.
        labels: By task, the labels that a question names.

    Raises:
        InputError: The template refuses a record; the message names it.
    """
    names = ("tokens", "longest", "trained_tokens", "shortened", "too_long", "dropped_turns")
    counts = Counter(dict.fromkeys(names, 0))

    def encoded() -> Iterator[Row]:
        for record in records:
            shown = with_labels(record, (labels or {}).get(record.task, ()))
            try:
                one = fit(template, tokenizer, shown, max_length=max_length, train_on=train_on)
            except InputError as error:
                raise InputError(f"record {record.id}: {error}") from error
            if one is None:
                counts["too_long"] += 1
                continue
            counts["shortened"] += one.is_shortened
            counts["dropped_turns"] += one.dropped_turns
            counts["tokens"] += len(one.ids)
            counts["trained_tokens"] += sum(label != IGNORED for label in one.labels)
            counts["longest"] = max(counts["longest"], len(one.ids))
            yield as_row(one)

    rows = kept(encoded())
    return Examples(rows=rows, counts=Counts(examples=len(rows), **counts))


def as_row(encoded: Encoded) -> Row:
    """Return one example as `input_ids` and `labels`; masked by position, never by token id."""
    return {"input_ids": encoded.ids, "labels": encoded.labels}


def marked(row: Row, tokenizer: Any) -> str:
    """Return an example as text, with the parts that are trained on between ``[[`` and ``]]``."""
    parts = []
    tokens = zip(row["input_ids"], row["labels"], strict=True)
    for is_trained, group in groupby(tokens, key=lambda token: token[1] != IGNORED):
        text = tokenizer.decode([token for token, _ in group])
        parts.append(f"[[{text}]]" if is_trained else text)
    return "".join(parts)
