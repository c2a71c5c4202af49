"""The most memory that answering by base and adapter takes, ours and that of `generate`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.child import peak_bytes, peak_of
from benchmarks.decoding import RUN, by_generate, new_tokens, ours, questions
from benchmarks.results import Goal
from benchmarks.subjects import Settings, gpt2, records_of, run_on
from core.files import read_json, write_json
from inference import models
from inference.generate import left_padded
from inference.variants import load_variants
from prompts import templates
from prompts.fit import prompt_ids

GIB = 2**30
MOST = 0.6
SIDES = ("ours", "batches")


def measure(settings: Settings) -> list[Goal]:
    """Return our peak over that of two models which answer a padded batch each."""
    asked, new = questions(settings), new_tokens(settings)
    records = records_of(["a"] * 8, ["b"] * 8, "Say b.")
    with (
        gpt2(settings) as model,
        run_on(model, records) as runs,
        tempfile.TemporaryDirectory() as folder,
    ):
        tokenizer, template = models.load_tokenizer(model), templates.load()
        file = Path(folder) / "ids.json"
        write_json(
            file, [prompt_ids(template, tokenizer, each.prompt, each.input) for each in asked]
        )
        given = (model, str(runs), str(file), str(new))
        peaks = {side: peak_of("benchmarks.decoding_memory", side, *given) for side in SIDES}
    return [
        Goal.at_most(
            work=f"peak memory, {len(asked)} prompts x base and adapter, exactly {new} new tokens "
            "each",
            against="transformers `generate`, one left-padded batch per model, both models loaded",
            value=peaks["ours"] / peaks["batches"],
            goal=MOST,
            unit="x",
            checked=f"{peaks['ours'] / GIB:.2f} GiB and {peaks['batches'] / GIB:.2f} GiB; every "
            "answer has its tokens",
        )
    ]


def _ours(model: str, runs: Path, ids: list[list[int]], new: int) -> list[list[int]]:
    (variants,) = load_variants(runs, [RUN], dtype="float32")
    return ours(variants, ids, new)


def _batches(model: str, runs: Path, ids: list[list[int]], new: int) -> list[list[int]]:
    """Load base and tuned model, as a script does that compares them; each answers a batch."""
    from peft import PeftModel

    base, under = (models.load_model(model, dtype="float32") for _ in range(2))
    tuned = PeftModel.from_pretrained(under, str(runs / RUN / "adapter"))
    pad = models.load_tokenizer(model).pad_token_id
    padded, mask = left_padded(ids, pad, base.device)
    return [row for each in (base, tuned) for row in by_generate(each.eval(), padded, mask, new)]


def _main(side: str, model: str, runs: str, file: str, new: str) -> None:
    """Answer, and print the most memory this process has held.

    Raises:
        RuntimeError: An answer is too short.
    """
    answer = {"ours": _ours, "batches": _batches}[side]
    ids = read_json(Path(file))
    answers = answer(model, Path(runs), ids, int(new))
    if len(answers) != 2 * len(ids) or any(len(row) != int(new) for row in answers):
        raise RuntimeError(f"{side}: {[len(row) for row in answers]} new tokens, not {new} each")
    print(peak_bytes())


if __name__ == "__main__":
    _main(*sys.argv[1:])
