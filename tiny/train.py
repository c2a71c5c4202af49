"""Train the embedded base model on the training file of a `prepdata build`.

    prepdata build --out corpus --source dolly=... --source finqa=... --source imdb=... \
        --source twitter-topics=... --source complaints=...
    python -m tiny.train --data corpus --out tiny --max-seconds 5400
    python -m tiny.train --data corpus --out tiny --start tiny --max-seconds 2900 --unlikelihood 1

GPT-2's architecture, a byte-level BPE of its own, Muon for the matrices and AdamW for the rest, one
warm-up and a linear decay to nothing over the time allowed, a longer context for the last part. No
prompt template and no label is seen: `tiny` continues text, as a base model does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tuneproof.errors import InputError
from tuneproof.files import read_json, write_json
from tuneproof.formats.example import Example, read_examples
from tuneproof.tiny.card import write_card
from tuneproof.tiny.objective import Objective

VOCABULARY = 8192
CONTEXT = 1024
WIDTH, LAYERS, HEADS = 256, 6, 4
EOS = "<|endoftext|>"
BATCH_TOKENS = 8192
STAGES = ((0.0, 512), (0.85, CONTEXT))
"""From which share of the training on, how many tokens a sequence holds."""
MATRIX_RATE, OTHER_RATE = 0.004, 0.003
WARM_UP = 0.02
HELD_OUT_RECORDS = 250


def text_of(record: Example) -> str:
    """Return a record as plain text: no template, and no label of a classification task."""
    if record.task in ("imdb", "twitter-topics", "complaints"):
        return record.input
    return "\n\n".join(part for part in (record.instruction, record.input, record.output) if part)


def train_tokenizer(texts: Iterator[str]) -> Any:
    """Return a byte-level BPE tokenizer with a vocabulary of `VOCABULARY`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=EOS,
        eos_token=EOS,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def new_model() -> Any:
    """Return the untrained model in float32."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=CONTEXT,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        activation_function="gelu_pytorch_tanh",  # the same function as GPT-2's, in one kernel
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=True,
    )
    return GPT2LMHeadModel(config)


def batches(documents: list[np.ndarray], rng: np.random.Generator, length: int) -> Iterator[Tensor]:
    """Yield int64 batches, shape (rows, length + 1), of shuffled documents laid end to end.

    Raises:
        InputError: All documents together are shorter than one sequence.
    """
    if sum(map(len, documents)) <= length:
        raise InputError(f"the training text holds less than one sequence of {length} tokens")
    while True:
        order = rng.permutation(len(documents))
        stream = np.concatenate([documents[index] for index in order])
        count = (len(stream) - 1) // length
        rows = min(count, max(1, BATCH_TOKENS // length))
        for start in range(0, count - rows + 1, rows):
            piece = stream[start * length : (start + rows) * length + 1].astype(np.int64)
            windows = np.lib.stride_tricks.sliding_window_view(piece, length + 1)[::length]
            yield torch.from_numpy(windows.copy())


def optimizers(model: Any) -> list[torch.optim.Optimizer]:
    """Return Muon for the blocks' matrices and AdamW for embeddings, norms and biases."""
    blocks = dict(model.transformer.h.named_parameters())
    matrices = [value for value in blocks.values() if value.ndim == 2]
    chosen = {id(value) for value in matrices}
    others = [value for value in model.parameters() if id(value) not in chosen]
    return [
        torch.optim.Muon(
            matrices, lr=MATRIX_RATE, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate_factor(progress: float) -> float:
    """Return the learning rate's factor at a share of the training in [0, 1]."""
    return min(1.0, progress / WARM_UP) * min(1.0, (1 - progress) / 0.7)


@torch.no_grad()  # type: ignore[untyped-decorator]
def bits_per_byte(model: Any, tokenizer: Any, texts: list[str]) -> float:
    """Return the held-out cross-entropy in bits per byte of UTF-8, EOS included in neither."""
    nats = size = 0.0
    for text in texts:
        ids = [tokenizer.eos_token_id, *tokenizer(text)["input_ids"]][:CONTEXT]
        row = torch.tensor([ids], device=model.device)
        logits = model(input_ids=row[:, :-1]).logits.float()
        nats += float(F.cross_entropy(logits[0], row[0, 1:], reduction="sum"))
        size += len(tokenizer.decode(ids[1:]).encode())
    return nats / math.log(2) / size


def held_out(model: Any, tokenizer: Any, path: Path, limit: int) -> dict[str, float]:
    """Return bits per byte by task on the first `limit` records of a task."""
    texts: dict[str, list[str]] = {}
    for record in read_examples(path):
        texts.setdefault(record.task, []).append(text_of(record))
    return {
        task: round(bits_per_byte(model, tokenizer, texts[task][:limit]), 4)
        for task in sorted(texts)
    }


def save(model: Any, tokenizer: Any, out: Path) -> None:
    """Write weights in float16 with config and tokenizer."""
    import copy

    copy.deepcopy(model).half().save_pretrained(out)
    tokenizer.save_pretrained(out)


def train(
    model: Any,
    feed: Callable[[int], Iterator[Tensor]],
    max_seconds: float,
    *,
    compiled: bool,
    unlikelihood: float = 0.0,
) -> Iterator[dict[str, Any]]:
    """Train in place for so long, and yield the progress about every minute and at the end.

    Args:
        model: The model.
        feed: Returns endless batches of sequences of a length.
        max_seconds: Of training; compiling and what the caller does between the yields is free.
        compiled: Whether to use torch.compile.
        unlikelihood: The weight of the unlikelihood loss, see `repetition`.
    """
    objective: Any = Objective(model, unlikelihood)
    if compiled:
        objective = torch.compile(objective)
    steppers = optimizers(model)
    rates = [[group["lr"] for group in stepper.param_groups] for stepper in steppers]
    seen = step = length = 0
    spent = reported = 0.0
    while spent < max_seconds:
        progress = spent / max_seconds
        wanted = next(size for start, size in reversed(STAGES) if start <= progress)
        if wanted != length:
            length, ids_of = wanted, feed(wanted)
        began = time.perf_counter()
        ids = next(ids_of).to(model.device)
        for stepper, base in zip(steppers, rates, strict=True):
            for group, rate in zip(stepper.param_groups, base, strict=True):
                group["lr"] = rate * rate_factor(progress)
        loss = learn(model, objective, steppers, ids)
        seen += ids[:, 1:].numel()
        step += 1
        spent += min(time.perf_counter() - began, 30.0)  # a step that compiles takes longer
        if spent - reported > 60 or spent >= max_seconds:
            reported = spent
            yield {
                "seconds": round(spent),
                "steps": step,
                "tokens_seen": seen,
                "loss": round(loss, 4),
            }


def learn(model: Any, objective: Any, steppers: list[torch.optim.Optimizer], ids: Tensor) -> float:
    """Take one optimizer step; return the loss before it."""
    with torch.autocast(model.device.type, dtype=torch.bfloat16):
        loss = objective(ids)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for stepper in steppers:
        stepper.step()
        stepper.zero_grad()
    return float(loss.item())


def documents_of(texts: list[str], tokenizer: Any) -> list[np.ndarray]:
    """Return every text's token ids with EOS, each of shape (tokens,)."""
    return [
        np.array([*ids, tokenizer.eos_token_id], dtype=np.uint16)
        for start in range(0, len(texts), 1000)
        for ids in tokenizer(texts[start : start + 1000])["input_ids"]
    ]


@click.command(context_settings={"show_default": True})
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of a build.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--max-seconds", default=5400.0, help="Training time, evaluation not counted.")
@click.option("--seed", default=42, help="For initial weights and the order of documents.")
@click.option("--compile/--no-compile", "compiled", default=True, help="Use torch.compile.")
@click.option("--unlikelihood", default=0.0, help="Weight of the unlikelihood loss.")
@click.option(
    "--start", type=click.Path(path_type=Path), help="Folder of an earlier training to go on from."
)
def main(
    data: Path,
    out: Path,
    max_seconds: float,
    seed: int,
    compiled: bool,
    unlikelihood: float,
    start: Path | None,
) -> None:
    """Train the embedded base model `tiny` from nothing, or further."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    texts = [text_of(record) for record in read_examples(data / "train.jsonl")]
    model, tokenizer = opened(start) if start else (new_model(), train_tokenizer(iter(texts)))
    documents = documents_of(texts, tokenizer)
    total = sum(map(len, documents))
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    parameters = sum(value.numel() for value in model.parameters())
    click.echo(f"{len(documents):,} documents, {total:,} tokens, {parameters:,} parameters")
    log: list[dict[str, Any]] = []
    feed = partial(batches, documents, rng)
    stage = {"seed": seed, "max_seconds": max_seconds, "unlikelihood": unlikelihood}
    for state in train(model, feed, max_seconds, compiled=compiled, unlikelihood=unlikelihood):
        click.echo(", ".join(f"{name} {value:,}" for name, value in state.items()))
        log.append(state)
        if len(log) % 8 == 0:
            save(model, tokenizer, out)
            click.echo(f"bits per byte: {held_out(model, tokenizer, data / 'val.jsonl', 30)}")
    save(model, tokenizer, out)
    scores = held_out(model, tokenizer, data / "val.jsonl", HELD_OUT_RECORDS)
    click.echo(f"bits per byte on held-out text: {scores}")
    stage |= {name: log[-1][name] for name in ("steps", "tokens_seen")}
    earlier = read_json(start / "training.json")["stages"] if start else []
    facts = {"tokens_in_corpus": total, "held_out_bits_per_byte": scores}
    write_json(out / "training.json", {**facts, "stages": [*earlier, {**stage, "log": log}]})
    write_card(out, parameters)


def opened(folder: Path) -> tuple[Any, Any]:
    """Return model and tokenizer of an earlier training, the model in float32."""
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).train()
    return model, PreTrainedTokenizerFast.from_pretrained(folder)


if __name__ == "__main__":
    main()
