"""Label scoring: the probability of every label after every document."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.decoding import variants_of
from benchmarks.harness import Goal, Row, Settings, Side, Workers
from benchmarks.subjects import LLAMA_TYPES, WORDS, gpt2, llama_type, run_on, texts
from tuneproof.formats.example import Example
from tuneproof.inference.label_scores import LabelScorer
from tuneproof.inference.variants import Variants
from tuneproof.models import load as models
from tuneproof.prepdata.sources.twitter_topics import INSTRUCTION, LABELS
from tuneproof.prompts import template as templates

BATCH = 16
FEW = 8
"""Documents; the other side takes a forward pass for every label of a document."""
SLOW_ROUNDS = 2
"""Of the other side."""
TWEETS = 2_000
"""That the goal speaks of; lm-evaluation-harness would take half an hour a round for all."""
MOST_TIMES = 3
"""What 20 labels may take, where one label takes 1."""
MOST_GAP = 1e-4
"""Between two probabilities of the same label."""
LEADS = ("better", "worse", "early", "late", "new", "old", "small", "large", "open", "closed")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is labelled, and its goal."""

    kind: str
    """What the texts are."""
    texts: Sequence[str]
    labels: tuple[str, ...]
    goal: float
    """The least ratio aimed at."""
    model: str = ""
    """Begins the description, where the model is not GPT-2."""
    of: int | None = None
    """So many texts there would be, of which these are a sample; None: these are all."""


def measure(settings: Settings) -> list[Row | Goal]:
    """Return 20 labels against one label, and against lm-evaluation-harness."""
    tweets, reviews = _numbered(texts(32, 8, 40)), _numbered(texts(FEW, 150, 300))
    few = 4 if settings.is_small else FEW
    with gpt2(settings) as model, run_on(model) as runs, Workers() as workers:
        results: list[Row | Goal] = [_growth(workers, runs, tweets, settings.rounds)]
        many = _many_labels(models.load_tokenizer(model))
        cases = (
            Case(kind="tweets", texts=tweets[:few], labels=LABELS, goal=10, of=TWEETS),
            Case(kind="tweets", texts=tweets[: few // 4], labels=many, goal=25),
            Case(kind="reviews", texts=reviews[:few], labels=("negative", "positive"), goal=1.5),
        )
        if find_spec("lm_eval") is None:
            print("lm_eval is not installed (pip install --group bench); left out")
            return results
        for case in cases:
            results += _harness(workers, model, runs, case, settings.rounds)
    for name in LLAMA_TYPES:
        case = Case(
            kind="tweets", texts=tweets[: few // 2], labels=LABELS, goal=10, of=TWEETS, model=name
        )
        with llama_type(name, settings) as model, run_on(model) as runs, Workers() as workers:
            results += _harness(workers, model, runs, case, settings.rounds)
    return results


def _numbered(documents: list[str]) -> list[str]:
    return [f"{text} {number}" for number, text in enumerate(documents)]


def _growth(workers: Workers, runs: Path, tweets: list[str], rounds: int) -> Goal:
    """Return what 20 labels take, where one label takes 1."""
    ready = partial(_base, runs)
    took, _ = workers.alternate(
        {
            "ours": Side(prepare=ready, run=partial(_score, texts=tweets, labels=LABELS)),
            "1 label": Side(prepare=ready, run=partial(_score, texts=tweets, labels=LABELS[:1])),
        },
        rounds,
        warm_up=True,
    )
    one, twenty = took["1 label"].seconds, took["ours"].seconds
    return Goal(
        work=f"{len(tweets)} tweets, 20 labels",
        against="time for 1 label",
        value=twenty / one,
        goal=MOST_TIMES,
        unit="times",
        checked=f"{one:.2f} s and {twenty:.2f} s; tests/inference/test_label_scores.py",
    )


def _many_labels(tokenizer: Any) -> tuple[str, ...]:
    """Return 77 labels of 3 tokens."""
    pairs = (f"{one} {other}" for one in (*LEADS, *WORDS) for other in WORDS)
    labels = [label for label in pairs if len(tokenizer(label).input_ids) == 3]
    return tuple(labels[:: len(labels) // 77][:77])


def _score(variants: Variants, texts: Sequence[str], labels: tuple[str, ...]) -> list[list[float]]:
    """Return the base's probabilities, one row for each text."""
    scorer = LabelScorer(variants, labels)
    rows: list[list[float]] = []
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    for start in range(0, len(texts), BATCH):
        prompts = [_prompt(texts[index]) for index in order[start : start + BATCH]]
        fitted = [variants.ask("base", prompt, 1) for prompt in prompts]
        ids = [{"base": encoded.prompt_ids} for encoded in fitted if encoded is not None]
        rows += [list(by["base"].values()) for by in scorer.score(prompts, ids)]
    return [rows[order.index(index)] for index in range(len(texts))]


def _prompt(text: str) -> Example:
    return Example(id=text, task="bench", instruction=INSTRUCTION, input=text, group=text)


def _base(runs: Path) -> Variants:
    """Return the base alone."""
    variants = variants_of(runs)
    variants.model.base_model.disable_adapter_layers()
    return dataclasses.replace(variants, forms={"base": variants.forms["base"]}, adapters={})


def _requests(model: str, case: Case) -> tuple[Any, list[Any]]:
    """Return lm-evaluation-harness's model over the base, and what it is asked."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    tokenizer, template = models.load_tokenizer(model), templates.load()
    harness = HFLM(
        pretrained=models.load_model(model, dtype="float32"),
        tokenizer=tokenizer,
        backend="causal",
        batch_size=BATCH,
    )
    end = tokenizer.eos_token
    return harness, [
        Instance("loglikelihood", {}, (template.render(INSTRUCTION, text), label + end), 0)
        for text in case.texts
        for label in case.labels
    ]


def _theirs(prepared: tuple[Any, list[Any]], labels: int) -> list[list[float]]:
    """Return lm-evaluation-harness's probabilities, one row for each text."""
    import torch

    harness, requests = prepared
    scores = torch.tensor([score for score, _ in harness.loglikelihood(requests)])
    rows: list[list[float]] = scores.reshape(-1, labels).double().softmax(-1).tolist()
    return rows


def _harness(workers: Workers, model: str, runs: Path, case: Case, rounds: int) -> list[Row | Goal]:
    """Return ours against lm-evaluation-harness, both for the base alone."""
    score = partial(_score, texts=case.texts, labels=case.labels)
    sides = {
        "ours": Side(prepare=partial(_base, runs), run=score),
        "lm_eval": Side(
            prepare=partial(_requests, model, case),
            run=partial(_theirs, labels=len(case.labels)),
            most_rounds=SLOW_ROUNDS,
        ),
    }
    took, rows = workers.alternate(sides, rounds)
    gap = max(
        abs(a - b)
        for one, other in zip(rows["ours"][-1], rows["lm_eval"][-1], strict=True)
        for a, b in zip(one, other, strict=True)
    )
    sampled = len(case.texts)
    count, factor = case.of or sampled, (case.of or sampled) / sampled
    sample = f" ({sampled} of them by both, the times times {factor:.1f})" if case.of else ""
    work = f"{count:,} {case.kind} x {len(case.labels)} labels"
    work = f"{case.model}, {work}" if case.model else work
    return [
        Row(
            work=work,
            against=f"lm-evaluation-harness, HFLM loglikelihood{sample}",
            ours=took["ours"].times(factor),
            theirs=took["lm_eval"].times(factor),
            goal=case.goal,
            checked=f"probabilities differ by at most {gap:.0e}",
            amount=count,
            unit=case.kind,
        ),
        Goal(
            work=work,
            against="largest difference between a probability and lm-evaluation-harness's",
            value=gap,
            goal=MOST_GAP,
            unit="of 1",
            checked=f"{sampled} {case.kind}",
        ),
    ]
