"""The probability of every label after every document."""

from __future__ import annotations

import random

from benchmarks.subjects import Settings, gpt2, records_of, run_on
from benchmarks.table import Row
from benchmarks.timing import alternate
from inference.scored import LabelScorer
from inference.variants import Variants, load_variants
from prepdata.sources.twitter_topics import INSTRUCTION, LABELS
from prompts.prompt_files import Prompt

WORDS = (
    "bank", "oil", "gold", "rate", "cut", "beat", "shares", "fall", "rise", "deal", "sues", "chief",
    "buys", "sells", "profit", "warns",
)  # fmt: skip
BATCH = 16


def measure(settings: Settings) -> list[Row]:
    """Return 20 labels against one label, and against lm-evaluation-harness."""
    count = 32 if settings.is_small else 128
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(8, 40))) + f" {n}" for n in range(count)]
    records = records_of(texts[:8], [LABELS[n % 20] for n in range(8)], INSTRUCTION)
    with gpt2(settings) as model, run_on(model, records) as runs:
        (variants,) = load_variants(runs, ["bench"], dtype="float32")
        took = alternate(
            {
                "20 labels": lambda: _score(variants, texts, LABELS),
                "1 label": lambda: _score(variants, texts, LABELS[:1]),
            },
            settings.rounds,
        )
        rows = [
            Row(
                work=f"{count} tweets, 1 label",
                against="the same with 20 labels (goal: at most 3 times the time)",
                ours=took["1 label"],
                theirs=took["20 labels"],
                checked="tests/inference/test_labels.py",
            )
        ]
        return rows + _harness(variants, model, texts, settings)


def _score(variants: Variants, texts: list[str], labels: tuple[str, ...]) -> list[list[float]]:
    """Return the probabilities of base and adapter, one row for each text."""
    scorer = LabelScorer(variants, labels)
    found: list[list[float]] = []
    ordered = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for start in range(0, len(texts), BATCH):
        prompts = [_prompt(texts[place]) for place in ordered[start : start + BATCH]]
        asked = [variants.ask(each.prompt, each.input, 1) for each in prompts]
        ids = [encoded.prompt_ids for encoded in asked if encoded is not None]
        found += [list(by["base"].values()) for by in scorer.score(prompts, ids)]
    return [found[ordered.index(place)] for place in range(len(texts))]


def _prompt(text: str) -> Prompt:
    return Prompt(id=text, task="bench", prompt=INSTRUCTION, input=text, reference=None, group=text)


def _harness(variants: Variants, model: str, texts: list[str], settings: Settings) -> list[Row]:
    """Return ours (base and adapter) against lm-evaluation-harness (base alone)."""
    try:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM
    except ImportError:
        print("lm_eval is not installed (pip install --group bench); left out")
        return []
    import torch

    harness = HFLM(
        pretrained=variants.model.get_base_model(),
        tokenizer=variants.tokenizer,
        backend="causal",
        batch_size=BATCH,
    )
    template, eos = variants.template, variants.tokenizer.eos_token
    requests = [
        Instance("loglikelihood", {}, (template.render(INSTRUCTION, text), label + eos), 0)
        for text in texts
        for label in LABELS
    ]
    found: dict[str, list[list[float]]] = {}

    def theirs() -> None:
        with variants.model.disable_adapter():
            scores = torch.tensor([each[0] for each in harness.loglikelihood(requests)])
        found["theirs"] = scores.reshape(len(texts), -1).double().softmax(-1).tolist()

    took = alternate(
        {"ours": lambda: found.update(ours=_score(variants, texts, LABELS)), "lm_eval": theirs},
        settings.rounds,
        warm_up=False,
    )
    gap = max(
        abs(a - b)
        for one, other in zip(found["ours"], found["theirs"], strict=True)
        for a, b in zip(one, other, strict=True)
    )
    return [
        Row(
            work=f"{len(texts)} tweets x 20 labels, base and adapter",
            against="lm-evaluation-harness, HFLM loglikelihood, base alone",
            ours=took["ours"],
            theirs=took["lm_eval"],
            goal=10,
            checked=f"probabilities differ by at most {gap:.0e}",
        )
    ]
