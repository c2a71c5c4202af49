"""Variants that cannot share a base: 4 bits, virtual tokens, adapters without mixed batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.inference.conftest import prompts_of
from tuneproof.errors import InputError
from tuneproof.formats.run_names import finished_run
from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig
from tuneproof.inference.variants import load_variants
from tuneproof.models.adapters import with_adapter

pytestmark = pytest.mark.slow

ASKED = ["What does river 3 carry?", "Ice?", "What does river 5 carry? Say it. Say it."]
ALONE = ("qlora", "dora", "ia3", "adalora", "prompt-tuning", "prefix-tuning")
SHARING = ("pissa", "rslora")


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def tuned(
    request: Any, base_models: dict[str, Path], write_data: Callable[..., Path],
    tmp_path_factory: Any,
) -> Path:  # fmt: skip
    """A short run of every method."""
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    folder: Path = tmp_path_factory.mktemp("methods")
    for method in (*ALONE, *SHARING):
        config = TuneConfig(
            data=write_data(folder / "data"), model=str(base_models[request.param]), name=method,
            runs=folder / "runs", max_length=96, num_train_epochs=2, learning_rate=3e-2,
            per_device_train_batch_size=4, num_virtual_tokens=8, method=method,
            mixed_precision="no",
        )  # fmt: skip
        finetune(config)
    return folder / "runs"


def base_of(folder: Path) -> str:
    return str(json.loads((folder / "run.json").read_text())["base"]["model"])


def logits(variants: Any, texts: list[str]) -> list[Any]:
    import torch

    name = variants.names[0]
    rows = [torch.tensor([asked[name]]) for asked in prompts_of(variants, texts, 8)]
    with torch.no_grad():
        return [variants.model(input_ids=row).logits[0, -1] for row in rows]


def test_every_method_answers_as_it_was_trained(tuned: Path) -> None:
    import torch

    from tuneproof.models.load import load_model

    loaded = load_variants([finished_run(tuned, name) for name in [*ALONE, *SHARING]])
    assert [variants.names for variants in loaded] == [
        ["base", *SHARING],
        *([name] for name in ALONE),
    ]
    by_name = {variants.names[0]: variants for variants in loaded}
    for name in ALONE[1:]:
        base = load_model(base_of(tuned / name))
        expected = with_adapter(base, tuned / name / "adapter").eval()
        variants = by_name[name]
        for text, found in zip(ASKED, logits(variants, ASKED), strict=True):
            ids = torch.tensor([prompts_of(variants, [text], 8)[0][name]])
            with torch.no_grad():
                wanted = expected(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)


def test_padded_batches_are_answered_like_single_prompts(tuned: Path) -> None:
    from tuneproof.inference.config import Decoding
    from tuneproof.inference.generate import answer_batch

    for variants in load_variants([finished_run(tuned, name) for name in ALONE])[1:]:
        rows = prompts_of(variants, ASKED, 8)
        decoding = Decoding(max_new_tokens=8)
        together = answer_batch(variants, rows, decoding, 0)
        single = [answer_batch(variants, [row], decoding, 0)[0] for row in rows]
        assert together == single, variants.names


def test_labels_are_scored_behind_virtual_tokens(tuned: Path) -> None:
    import torch

    from tuneproof.inference.label_tree import label_log_probabilities
    from tuneproof.inference.trie import trie_of

    for variants in load_variants(
        [finished_run(tuned, name) for name in ["prompt-tuning", "prefix-tuning"]]
    )[1:]:
        rows = [next(iter(asked.values())) for asked in prompts_of(variants, ASKED, 8)]
        labels = [[5, 6, 7], [5, 8]]
        found, _ = label_log_probabilities(variants.model, rows, trie_of(labels), pad_token_id=0)
        for place, row in enumerate(rows):
            for number, label in enumerate(labels):
                ids = torch.tensor([[*row, *label]])
                with torch.no_grad():
                    chances = variants.model(input_ids=ids).logits[0].log_softmax(-1)
                start = chances.shape[0] - len(label) - 1
                one_by_one = sum(chances[start + at, token] for at, token in enumerate(label))
                torch.testing.assert_close(found[place, number], one_by_one, rtol=0, atol=1e-3)


def test_base_adapter_merged_and_four_bits_stand_in_one_file(tuned: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.json").write_text(json.dumps(ASKED))
    config = CompareConfig(
        run=("qlora", "pissa"), merged=("qlora", "pissa", "dora"), quantized="base", runs=tuned,
        out=tmp_path / "out.json", max_new_tokens=4, few_shot=0, no_baselines=True,
    )  # fmt: skip
    value = compare(tmp_path / "prompts.json", config).as_json()
    rows = {row["name"]: row for row in value["variants"]}
    assert list(rows) == [
        "base", "pissa", "qlora", "qlora-merged", "pissa-merged", "dora-merged", "base-4bit",
    ]  # fmt: skip
    assert all(set(item["answers"]) == set(rows) for item in value["items"])
    for row in rows.values():
        assert row["load_seconds"] > 0
        assert row["tokens_per_second"] > 0
    assert rows["qlora-merged"]["weights_bytes"] == rows["base"]["weights_bytes"]
    assert rows["base-4bit"]["weights_bytes"] < rows["base"]["weights_bytes"]
    assert rows["qlora"]["quantization"]["bnb_4bit_quant_type"] == "nf4"
    assert rows["qlora-merged"]["quantization"] is None
    for item in value["items"]:
        assert item["answers"]["pissa"] == item["answers"]["pissa-merged"]


def test_virtual_tokens_cannot_be_merged(tuned: Path) -> None:
    with pytest.raises(InputError, match="'prompt-tuning' has no adapter that can be merged"):
        load_variants([], merged=[finished_run(tuned, "prompt-tuning")])
