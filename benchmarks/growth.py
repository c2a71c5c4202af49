"""How the speed of training grows with the length of the rows and with their number in a step."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.results import Row
from benchmarks.subjects import Settings, gpt2, write_records
from benchmarks.timing import Workers
from benchmarks.trainers import LORA_R, SHOWN, Shape, fastest, ours, same_loss, theirs
from benchmarks.training_rows import of_length
from tuneproof.models import load as models

SHAPES = (
    *(Shape(batch=1, max_length=tokens) for tokens in (128, 512, 1024)),
    *(Shape(batch=batch, max_length=64) for batch in (1, 4, 16)),
)
"""First longer and longer rows, then more and more of them."""
SMALL = tuple(Shape(batch=rows, max_length=tokens) for rows, tokens in ((2, 64), (2, 128), (4, 64)))
STEPS = 2


def measure(settings: Settings) -> list[Row]:
    """Return ours against TRL's best flags, over rows without any padding."""
    shapes = SMALL if settings.is_small else SHAPES
    with gpt2(settings) as model, Workers() as workers:
        return [_at(workers, model, shape, settings) for shape in shapes]


def _at(workers: Workers, model: str, shape: Shape, settings: Settings) -> Row:
    """Time both at one shape, and check that they learned the same from as many tokens."""
    tokenizer = models.load_tokenizer(model)
    records = [of_length(tokenizer, shape.max_length, n) for n in range(STEPS * shape.batch)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_records(out / "data", records)
        best = fastest(workers, model, records, out, shape)
        sides = {"ours": ours(model, out, shape), best: theirs(model, records, out, best, shape)}
        took, found = workers.alternate(sides, settings.rounds, warm_up=False)
    (loss, spent), tokens = found["ours"][-1], STEPS * shape.batch * shape.max_length
    if spent.tokens != tokens:
        raise RuntimeError(f"{spent.tokens} tokens read, {tokens} expected")
    return Row(
        work=f"{'tiny' if settings.is_small else 'GPT-2 124M'}, LoRA r={LORA_R}, {STEPS} steps of "
        f"{shape.batch} rows of {shape.max_length:,} tokens",
        against=f"TRL's SFTTrainer, {SHOWN[best]}",
        ours=took["ours"],
        theirs=took[best],
        checked=same_loss(loss, found[best][-1]),
        amount=tokens,
        unit="tokens",
    )
