"""Ask a judge which of two answers is better: a local model or a server, in both orders.

What it said is kept in a file beside the result, by what it was asked: an interrupted judging goes
on, and one with more items asks about the new ones alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tuneproof.errors import InputError, unknown
from tuneproof.eval.config import JudgeConfig
from tuneproof.files import write_text
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.example import Example, Message
from tuneproof.formats.joined import read_comparisons
from tuneproof.formats.judgements import (
    Judge,
    JudgeCost,
    Judgements,
    Opinion,
    Said,
    write_judgements,
)
from tuneproof.formats.votes import drawn, key_of_answers
from tuneproof.inference.addressed import speaks_to_judge
from tuneproof.inference.config import Decoding
from tuneproof.inference.endpoint import Endpoint
from tuneproof.inference.judge_prompt import (
    LABELS,
    Question,
    Verdict,
    read_rubric,
    read_verdict,
)
from tuneproof.locks import at_work

log = logging.getLogger(__name__)
LEAST_CHARACTERS = 200
"""Fewest characters to which a question or an answer is cut so that a judge can read it."""
ENOUGH_REFUSED = 50
"""Questions that are refused, with none answered, until no more are asked."""
ORDERS = ("a_first", "b_first")


@dataclass(frozen=True, kw_only=True)
class JudgeReply:
    """What a judge said to one question."""

    said: Verdict | None
    """A, B or tie, as the answers stood; None where it cannot be read."""
    probabilities: dict[str, float] | None
    """Of A, B and tie; None where a server wrote its verdict."""
    prompt_tokens: int
    """Tokens it read."""
    tokens: int
    """Tokens it wrote."""
    seconds: float
    """Its share of the time that its batch took."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a judge said nothing to one question."""

    reason: str
    """In the server's words."""
    may_pass: bool
    """Whether it may answer another time."""


@dataclass(frozen=True, kw_only=True)
class JudgeClient:
    """A judge that can be asked."""

    judge: Judge
    """What the file says of it."""
    identity: list[Any]
    """All that decides what it says to a question."""
    fit: Callable[[Question, str], Question | None]
    """Returns a question cut as far as it must be; None where it never fits."""
    ask: Callable[[Sequence[str]], Sequence[JudgeReply | Refusal]]
    """Answers questions."""


def judge(files: Sequence[Path], config: JudgeConfig) -> Judgements:
    """Have the answers of two variants judged, and write judgements.json.

    Args:
        files: Comparison files of one experiment.
        config: Who judges what.

    Raises:
        InputError: A file cannot be used, there is nothing to judge, or the judge cannot be asked.
    """
    comparison = read_comparisons(files)
    a, b = _pair(comparison, config)
    rubric = read_rubric(config.rubric)
    questions = _questions(comparison, a, b, config)
    with at_work(config.out):
        client = _of_server(config) if config.endpoint else _of_model(config)
        asked = [
            (one, cut, [cut.asked(rubric, a_first=first) for first in (True, False)])
            for one in questions
            if (cut := client.fit(one, rubric)) is not None
        ]
        texts = [text for _, _, pair in asked for text in pair]
        with Cache(config.out, client.identity) as cache:
            cached = sum(cache.has(text) for text in texts)
            _ask_all(client, texts, cache, config.batch_size)
            replies = [cache[text] for text in texts if cache.has(text)]
            judged = [
                (one, cut, [cache[text] for text in pair])
                for one, cut, pair in asked
                if all(map(cache.has, pair))
            ]
        judgements = Judgements(
            judge=client.judge,
            a=a,
            b=b,
            rubric=rubric,
            cost=_cost(replies, cached, config),
            left_out=_left_out(questions, [one for one, _, _ in judged]),
            opinions=tuple(_opinion(one, cut, *pair, names=(a, b)) for one, cut, pair in judged),
        )
        write_judgements(config.out, judgements)
    return judgements


def _left_out(questions: Sequence[Question], judged: Sequence[Question]) -> tuple[str, ...]:
    """Return the items of the questions that were not judged in both orders."""
    known = {one.id for one in judged}
    return tuple(one.id for one in questions if one.id not in known)


def _pair(comparison: Comparison, config: JudgeConfig) -> tuple[str, str]:
    """Return the variants to judge; InputError where that is not clear."""
    if comparison.labels is not None:
        raise InputError("the answers are labels, which are right or wrong; no judge is needed")
    tuned = comparison.tuned
    if config.variant is None and len(tuned) != 1:
        listed = ", ".join(tuned or comparison.names)
        raise InputError(f"which variant is judged? Say it with --variant NAME: {listed}")
    a, b = config.variant or tuned[0], config.against or comparison.base
    for name in (a, b):
        if name not in comparison.names:
            raise unknown("variant", name, comparison.names)
    if a == b:
        raise InputError(f"{a!r} would be held against itself; name another with --against")
    return a, b


def _questions(comparison: Comparison, a: str, b: str, config: JudgeConfig) -> list[Question]:
    """Return what is to be judged, in the order drawn; equal answers are left out."""
    items = [
        item
        for item in comparison.items
        if None not in (item.answers[a].text, item.answers[b].text)
        and item.answers[a].text != item.answers[b].text
    ]
    if not items:
        raise InputError(f"no item has different texts of {a} and {b}; there is nothing to judge")
    order = drawn(items)[: config.limit]
    return [
        Question(
            id=item.id,
            key=key_of_answers(item, a, b),
            text="\n\n".join(filter(None, (item.instruction, item.input))),
            a=item.answers[a].text or "",
            b=item.answers[b].text or "",
            reference=(item.reference or "") if config.with_reference else "",
        )
        for item in (items[number] for number in order)
    ]


def _of_server(config: JudgeConfig) -> JudgeClient:
    """Return a server as a judge."""
    from tuneproof.inference.generate import cleaned

    text = config.endpoint or ""
    named = text if "=" in text.partition("://")[0] else f"judge={text}"
    server = Endpoint.parsed(
        named, timeout=config.endpoint_timeout, concurrency=config.endpoint_concurrency
    )
    decoding = Decoding(max_new_tokens=config.max_new_tokens)

    def ask(texts: Sequence[str]) -> list[JudgeReply | Refusal]:
        began = time.perf_counter()
        asked = [[Message(role="user", content=text)] for text in texts]
        replies = server.attempts(asked, decoding, 0)
        seconds = (time.perf_counter() - began) / len(texts)
        return [
            Refusal(reason=reply.error, may_pass=reply.may_pass)
            if reply.error is not None
            else JudgeReply(
                said=read_verdict(cleaned(reply.text)),
                probabilities=None,
                prompt_tokens=reply.prompt_tokens or 0,
                tokens=reply.tokens or 0,
                seconds=seconds,
            )
            for reply in replies
        ]

    return JudgeClient(
        judge=Judge(name=server.model, model=server.model, kind="endpoint", url=server.url),
        identity=["endpoint", server.url, server.model, decoding.recorded()],
        fit=lambda question, rubric: question,
        ask=ask,
    )


def _of_model(config: JudgeConfig) -> JudgeClient:
    """Return a local model as a judge: it says what is most probable of A, B and tie."""
    from tuneproof.inference.label_scores import LabelScorer, longest_label
    from tuneproof.inference.variants import load_variants
    from tuneproof.models import load as models
    from tuneproof.models.weights import weights_hash

    assert config.model is not None  # else there is an endpoint
    (variants,) = load_variants([], base=config.model, dtype=config.dtype)
    (name,) = variants.names
    room = longest_label(variants, LABELS)
    scorer = LabelScorer(variants, LABELS)

    def encoded(text: str) -> list[int] | None:
        example = Example(id="judged", task="judging", instruction=text, group="judged")
        asked = variants.ask(name, example, room)
        return None if asked is None else asked.prompt_ids

    def fit(question: Question, rubric: str) -> Question | None:
        cut, characters = question, max(map(len, (question.text, question.a, question.b)))
        while any(encoded(cut.asked(rubric, a_first=first)) is None for first in (True, False)):
            characters = characters * 3 // 4
            if characters < LEAST_CHARACTERS:
                return None
            cut = question.cut(characters)
        return cut

    def ask(texts: Sequence[str]) -> list[JudgeReply]:
        began = time.perf_counter()
        ids = [encoded(text) or [] for text in texts]
        examples = [Example(id="", task="", instruction=text, group="") for text in texts]
        rows = scorer.score(examples, [{name: one} for one in ids])
        seconds = (time.perf_counter() - began) / len(texts)
        return [
            JudgeReply(
                said=max(LABELS, key=row[name].__getitem__),  # type: ignore[arg-type]
                probabilities={label: float(f"{p:.6g}") for label, p in row[name].items()},
                prompt_tokens=len(one),
                tokens=0,
                seconds=seconds,
            )
            for row, one in zip(rows, ids, strict=True)
        ]

    known = models.stable_name(config.model)
    template = variants.forms[name].template.text
    return JudgeClient(
        judge=Judge(name=Path(known).name, model=known, kind="model"),
        identity=["model", weights_hash(config.model), template, config.dtype],
        fit=fit,
        ask=ask,
    )


def _ask_all(client: JudgeClient, texts: Sequence[str], cache: Cache, batch_size: int) -> None:
    """Ask what was not asked before, short questions first, so that little is padding.

    What the judge refuses for good is left out and said.

    Raises:
        InputError: The judge refuses all that it is asked at first, or for reasons that may pass.
    """
    refused: list[Refusal] = []
    open_ = sorted({text for text in texts if not cache.has(text)}, key=lambda t: (len(t), t))
    with tqdm(
        total=len(open_), desc=client.judge.name, unit=" questions", file=sys.stderr, disable=None
    ) as bar:
        for start in range(0, len(open_), batch_size):
            batch = open_[start : start + batch_size]
            for text, reply in zip(batch, client.ask(batch), strict=True):
                if isinstance(reply, Refusal):
                    refused.append(reply)
                else:
                    cache.add(text, reply)
            if passing := [one for one in refused if one.may_pass]:
                raise InputError(f"{passing[0].reason}. The same command goes on from here")
            is_last = start + batch_size >= len(open_)
            if (is_last or len(refused) >= ENOUGH_REFUSED) and not any(map(cache.has, texts)):
                raise InputError(refused[0].reason)
            bar.update(len(batch))
    if refused:
        log.warning(
            f"{client.judge.name} refused {len(refused):,} of {len(texts):,} questions, whose "
            f"items are left out: {refused[0].reason}"
        )


def _opinion(
    whole: Question,
    cut: Question,
    a_first: JudgeReply,
    b_first: JudgeReply,
    *,
    names: tuple[str, str],
) -> Opinion:
    """Return what both orders say of one item."""
    as_said: tuple[dict[str, Said], ...] = (
        {"A": "a", "B": "b", "tie": "tie"},
        {"A": "b", "B": "a", "tie": "tie"},
    )
    replies = (a_first, b_first)
    first, second = (
        None if reply.said is None else meaning[reply.said]
        for reply, meaning in zip(replies, as_said, strict=True)
    )
    probabilities: dict[str, dict[str, float]] = {
        order: {meaning[label]: p for label, p in reply.probabilities.items()}
        for order, reply, meaning in zip(ORDERS, replies, as_said, strict=True)
        if reply.probabilities is not None
    }
    answers = zip(names, (whole.a, whole.b), strict=True)
    return Opinion(
        id=whole.id,
        answers=whole.key,
        a_first=first,
        b_first=second,
        probabilities=probabilities or None,
        addressed=tuple(name for name, text in answers if speaks_to_judge(text)),
        shortened=cut != whole,
    )


def _cost(replies: Sequence[JudgeReply], cached: int, config: JudgeConfig) -> JudgeCost:
    read = sum(reply.prompt_tokens for reply in replies)
    written = sum(reply.tokens for reply in replies)
    prices = (config.price_read, config.price_written)
    price = None
    if prices != (None, None):
        price = (read * (prices[0] or 0.0) + written * (prices[1] or 0.0)) / 1e6
    return JudgeCost(
        calls=len(replies),
        cached=cached,
        prompt_tokens=read,
        answer_tokens=written,
        seconds=round(sum(reply.seconds for reply in replies), 3),
        price=price,
    )


class Cache:
    """What a judge said so far, in a file beside the result."""

    def __init__(self, out: Path, identity: Sequence[Any]) -> None:
        """Name the file.

        Args:
            out: The result's path.
            identity: All that decides what is said; what others said stays in the file.
        """
        self._path = out.with_name(f".{out.name}.cache.jsonl")
        self._identity = json.dumps(identity, sort_keys=True)
        self._known: dict[str, JudgeReply] = {}

    def __enter__(self) -> Cache:
        """Open the file; a line that was cut off is dropped."""
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        for number, line in enumerate(whole, 1):
            try:
                key, row = json.loads(line)
                self._known[key] = JudgeReply(**row)
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"{self._path}:{number}: not what a judge said; delete the file to ask anew"
                ) from error
        write_text(self._path, "".join(whole))
        self._handle = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file; it stays, so that nothing is asked twice."""
        self._handle.close()

    def __getitem__(self, text: str) -> JudgeReply:
        """Return what was said to a question."""
        return self._known[self._key(text)]

    def has(self, text: str) -> bool:
        """Return whether a question was answered."""
        return self._key(text) in self._known

    def add(self, text: str, reply: JudgeReply) -> None:
        """Remember an answer."""
        key = self._key(text)
        self._known[key] = reply
        self._handle.write(json.dumps([key, vars(reply)]) + "\n")
        self._handle.flush()

    def _key(self, text: str) -> str:
        return hashlib.sha256(f"{self._identity}\0{text}".encode()).hexdigest()
