"""The most memory that answering by base and adapter takes, ours and that of `generate`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.child import peak_bytes, peak_of
from benchmarks.decoding import batches, both, new_tokens, ours, questions, variants_of
from benchmarks.results import Goal
from benchmarks.subjects import Settings, gpt2, records_of, run_on
from tuneproof.files import read_json, write_json

GIB = 2**30
MOST = 0.6
SIDES = ("ours", "batches")


def measure(settings: Settings) -> list[Goal]:
    """Return our peak over that of two models which answer a padded batch each."""
    new = new_tokens(settings)
    records = records_of(["a"] * 8, ["b"] * 8, "Say b.")
    with (
        gpt2(settings) as model,
        run_on(model, records) as runs,
        tempfile.TemporaryDirectory() as folder,
    ):
        ids, file = questions(model, settings), Path(folder) / "ids.json"
        write_json(file, ids)
        given = (model, str(runs), str(file), str(new))
        peaks = {side: peak_of("benchmarks.decoding_memory", side, *given) for side in SIDES}
    return [
        Goal.at_most(
            work=f"peak memory, {len(ids)} prompts x base and adapter, exactly {new} new tokens "
            "each",
            against="transformers `generate`, one left-padded batch per model, both models loaded",
            value=peaks["ours"] / peaks["batches"],
            goal=MOST,
            unit="x",
            checked=f"{peaks['ours'] / GIB:.2f} GiB and {peaks['batches'] / GIB:.2f} GiB; every "
            "answer has its tokens",
        )
    ]


def _main(side: str, model: str, runs: str, file: str, new: str) -> None:
    """Answer, and print the most memory this process has held.

    Raises:
        RuntimeError: An answer is too short.
    """
    ids = read_json(Path(file))
    if side == "ours":
        answers = ours(variants_of(Path(runs)), ids, int(new))
    else:
        answers = batches(both(model, Path(runs)), ids, int(new))
    if len(answers) != 2 * len(ids) or any(len(row) != int(new) for row in answers):
        raise RuntimeError(f"{side}: {[len(row) for row in answers]} new tokens, not {new} each")
    print(peak_bytes())


if __name__ == "__main__":
    _main(*sys.argv[1:])
