"""The objective `classify`: a classification head, trained with transformers' Trainer."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from tuneproof import ranks
from tuneproof.errors import InputError, unknown
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import Example
from tuneproof.formats.run import Accuracy, Change, Counts, Head, Run
from tuneproof.label_order import LabelOrder, check_mapping
from tuneproof.log import NOTICE
from tuneproof.models import load as models
from tuneproof.models.device import choose_device
from tuneproof.models.head import head_tensors, tensor_hash, tokenize_texts
from tuneproof.text import listing
from tuneproof.tuning import adapters
from tuneproof.tuning.adapters import Adapted
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.device import check_attention, weights_dtype
from tuneproof.tuning.job import (
    Job,
    check_model,
    make_trainer,
    trainer_arguments,
    with_rate,
)
from tuneproof.tuning.rows import Row, dataset_of, kept

log = logging.getLogger(__name__)

UNUSED = (
    "template", "template_variable", "name_labels", "train_on", "unlikelihood", "loss_weighting",
)  # fmt: skip
"""Settings of how answers are learned, which a head does without."""
CHECKED = 1000
"""Examples that the mapping of the labels is checked on."""
SHOWN_LABELS = 12
"""Labels named in the line about the examples."""
TOKENISED = 500
"""Texts that are tokenised at once."""


def prepare(config: TuneConfig, data: DataFolder) -> Job:
    """Load the model with a head for the labels, tokenise the texts, and make the trainer.

    Raises:
        InputError: Data or model cannot be used.
    """
    if unused := [name for name in UNUSED if getattr(config, name) != getattr(TuneConfig, name)]:
        log.log(NOTICE, f"a classification head does not use {listing(unused)}")
    labels = label_set(data)
    tokenizer = models.load_tokenizer(config.model, purpose="classify")
    from transformers import set_seed  # heavy; what is wrong with the data is said before

    device = choose_device(config.device)
    check_attention(config.attn_implementation)
    set_seed(config.seed)  # a new head draws its first weights from the global state
    model, modules = models.load_classifier(
        config.model,
        labels,
        pad_token_id=tokenizer.pad_token_id,
        dtype=weights_dtype(config, device),
        device=device,
        four_bit=config.four_bit,
        attn_implementation=config.attn_implementation,
    )
    check_model(config, model, tokenizer, modules)
    train = encode(data.train, labels, tokenizer, config.max_length)
    validation = encode(data.validation, labels, tokenizer, config.max_length)
    adapted = adapters.adapt(config, model, modules)
    trainer = _trainer(with_rate(config, model), adapted, tokenizer, train, validation)
    before = _hashes(trainer.model, modules)
    return Job(
        trainer=trainer,
        train=train.counts,
        validation=validation.counts,
        head=Head(labels=labels, modules=modules, pad_token_id=tokenizer.pad_token_id),
        summary=summary(train, labels),
        shown=tuple(marked(row, labels, tokenizer) for row in islice(train.rows, 2)),
        save=adapted.save,
        finish=partial(_finish, trainer, validation if validation.rows else train, before),
    )


def _trainer(
    config: TuneConfig,
    adapted: Adapted,
    tokenizer: Any,
    train: Labelled,
    validation: Labelled,
) -> Any:
    """Return the trainer of the adapted model over the tokenised texts."""
    from transformers import TrainingArguments

    from tuneproof.tuning.trainers import HeadTrainer

    shared = trainer_arguments(
        config, adapted.model.device.type, len(train.rows), has_validation=bool(validation.rows)
    )
    return make_trainer(
        HeadTrainer,
        train.rows,
        validation.rows,
        model=adapted.model,
        # label_names: else PEFT's wrapper hides them, and nothing is evaluated
        args=TrainingArguments(label_names=["labels"], **shared),
        callbacks=adapters.callbacks(config.method),
        processing_class=tokenizer,
    )


def _finish(trainer: Any, examples: Labelled, before: dict[str, str], run: Run) -> Run:
    """Save the labels beside the weights, and check that head and labels are what they should be.

    Raises:
        InputError: The head was not trained, or its weights are no numbers.
    """
    head = run.head
    assert head is not None
    if ranks.is_main():
        trainer.model.config.save_pretrained(str(run.saved))  # PEFT saves its own config only
    after = _hashes(trainer.model, head.modules)
    _check_trained(trainer, head.modules, before, after)
    with trainer.fast_paths(run.config["no_fast_path"]):
        mapping = _mapping(trainer, examples, head.labels)
    warnings = [mapping.warning()] if mapping.is_turned else []
    for line in warnings:
        log.warning(line)
    changes = {name: Change(before=before[name], after=after[name]) for name in after}
    return replace(
        run,
        head=replace(head, tensors=changes),
        warnings=[*(run.warnings or ()), *warnings],
        accuracy=Accuracy(
            on="train" if trainer.eval_dataset is None else "validation",
            examples=len(examples.checked),
            value=mapping.accuracy,
        ),
    )


def _hashes(model: Any, head: Sequence[str]) -> dict[str, str]:
    return {name: tensor_hash(value) for name, value in head_tensors(model, head).items()}


def _check_trained(
    trainer: Any, head: Sequence[str], before: dict[str, str], after: dict[str, str]
) -> None:
    """Raise InputError where part of the head is not finite, or is as it was before."""
    for name, value in head_tensors(trainer.model, head).items():
        if not bool(value.isfinite().all()):
            raise InputError(
                f"the head's {name} is not finite after the training; a lower learning_rate may "
                "help"
            )
        if after[name] == before[name]:
            raise InputError(
                f"the head was not trained: {name} is what it was before the "
                f"{trainer.state.global_step:,} steps. Either it was left out of what is trained, "
                "or the learning rate never left 0"
            )


def _mapping(trainer: Any, examples: Labelled, labels: Sequence[str]) -> LabelOrder:
    """Compare what the model says of examples with their labels.

    Both go by name, so that an id that means one label in the rows and another one in the model's
    config is noticed.
    """
    first = dataset_of(examples.rows).select(range(len(examples.checked)))
    scores = trainer.predict(first).predictions
    names = trainer.model.config.id2label
    given = [names[int(index)] for index in scores.argmax(-1)]
    return check_mapping(examples.checked, given, labels)


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Tokenised texts with their labels."""

    rows: Sequence[Row]
    """`input_ids`, of shape (tokens,), and `labels`, a label's index."""
    counts: Counts
    """What a run records of them."""
    of_label: Counter[int]
    """Rows of each label, by its index."""
    checked: list[str]
    """The labels of the first rows by their names, as the records have them."""


def label_set(data: DataFolder) -> list[str]:
    """Return the labels of the one task that the records hold.

    They are the manifest's, in its order; where it names none, the outputs of train, sorted.

    Raises:
        InputError: Several tasks, one label only, or a record whose output is none of the labels.
    """
    tasks = sorted({record.task for part in (data.train, data.validation) for record in part})
    if len(tasks) > 1:
        raise InputError(
            f"the records are of {len(tasks)} tasks ({', '.join(tasks)}); a classification head is "
            "trained on one. Build the data with one --source"
        )
    outputs = {record.output for record in data.train}
    labels = data.labels.get(tasks[0]) or sorted(outputs)
    if len(labels) < 2:
        raise InputError(
            f"there is one label only, {labels[0]!r}; a classification head needs at least two"
        )
    if tasks[0] not in data.labels and 2 * len(labels) > len(data.train):
        raise InputError(
            f"{len(data.train):,} training records have {len(labels):,} different outputs; these "
            "are no labels. To learn to write them, use --objective generate"
        )
    for part, records in (("training", data.train), ("validation", data.validation)):
        for record in records:
            if record.output not in labels:
                where = f"label of the {part} record {record.id!r}:"
                raise unknown(where, record.output, labels)
    return labels


def encode(
    records: Sequence[Example], labels: Sequence[str], tokenizer: Any, max_length: int
) -> Labelled:
    """Tokenise the records' texts as they are, without any template."""
    ids = {label: index for index, label in enumerate(labels)}
    counts = Counter(dict.fromkeys(("tokens", "longest", "shortened"), 0))
    of_label: Counter[int] = Counter()
    checked: list[str] = []

    def encoded() -> Iterator[Row]:
        waiting = iter(records)
        while part := list(islice(waiting, TOKENISED)):
            texts = [record.text for record in part]
            rows, shortened = tokenize_texts(texts, tokenizer, max_length)
            counts["shortened"] += sum(shortened)
            checked.extend(record.output for record in part[: CHECKED - len(checked)])
            for row, record in zip(rows, part, strict=True):
                counts["tokens"] += len(row)
                counts["longest"] = max(counts["longest"], len(row))
                of_label[ids[record.output]] += 1
                yield {"input_ids": row, "labels": ids[record.output]}

    rows = kept(encoded())
    return Labelled(
        rows=rows,
        counts=Counts(examples=len(rows), **counts),
        of_label=of_label,
        checked=checked,
    )


def summary(examples: Labelled, labels: Sequence[str]) -> str:
    """Return the examples in one line."""
    counts = examples.counts
    number = examples.of_label
    named = [f"{label} {number[index]:,}" for index, label in enumerate(labels)][:SHOWN_LABELS]
    if len(labels) > SHOWN_LABELS:
        named.append(f"and {len(labels) - SHOWN_LABELS} more")
    return (
        f"{counts.examples:,} examples, {counts.tokens:,} tokens; {counts.shortened:,} texts "
        f"shortened ({counts.shortened / counts.examples:.1%}); "
        f"{len(labels)} labels: {', '.join(named)}"
    )


def marked(row: dict[str, Any], labels: Sequence[str], tokenizer: Any) -> str:
    """Return an example as text, with its label between ``[[`` and ``]]``."""
    return f"{tokenizer.decode(row['input_ids'])} -> [[{labels[row['labels']]}]]"
