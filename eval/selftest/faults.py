"""Faults that are planted in healthy comparisons, to see whether the doctor names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tuneproof.eval.selftest.healthy import answered
from tuneproof.eval.selftest.kinds import KINDS, Kind
from tuneproof.eval.selftest.phrases import LANGUAGES
from tuneproof.formats.comparison import Answer, Comparison, Item

Plant = Callable[[Comparison, Sequence[int], Random], Comparison]
"""(healthy comparison, numbers of the items to spoil, generator) -> comparison with the fault."""
ChangeText = Callable[[str, Random], str]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault, how it is planted, and the codes by any of which it is named."""

    codes: tuple[str, ...]
    plant: Plant
    fits: Callable[[Kind], bool] = lambda kind: kind.labels is None
    """The kinds of comparisons in which it can be at all."""
    is_of_items: bool = True
    """Whether it is in single items; otherwise it is in the whole file or not there."""


def _changed(
    comparison: Comparison, chosen: Sequence[int], change: Callable[[Item], Item]
) -> Comparison:
    spoiled = set(chosen)
    items = [change(item) if n in spoiled else item for n, item in enumerate(comparison.items)]
    return replace(comparison, items=tuple(items))


def _answers(item: Item, **answers: Answer) -> Item:
    return replace(item, answers={**item.answers, **answers})


def _tuned_text(change: ChangeText) -> Plant:
    """Return a plant that changes the tuned answers' texts, and their tokens with them."""

    def plant(comparison: Comparison, chosen: Sequence[int], rng: Random) -> Comparison:
        def changed(item: Item) -> Item:
            text = item.answers["tuned"].text or ""
            return _answers(item, tuned=answered(change(text, rng)))

        return _changed(comparison, chosen, changed)

    return plant


def _moved(comparison: Comparison, chosen: Sequence[int], *, what: str) -> Comparison:
    """Give every chosen item the reference, or the tuned answer, of the next chosen one."""
    items = list(comparison.items)
    for here, there in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        other = comparison.items[there]
        if what == "reference":
            items[here] = replace(items[here], output=other.output)
        else:
            items[here] = _answers(items[here], tuned=other.answers["tuned"])
    return replace(comparison, items=tuple(items))


def _repeat(comparison: Comparison, chosen: Sequence[int], rng: Random) -> Comparison:
    """Put an earlier item in the place of every chosen one, under the id of the one replaced."""
    spoiled, items = set(chosen), list(comparison.items)
    others = [item for n, item in enumerate(items) if n not in spoiled] or items[:1]
    for index in chosen:
        own = items[index]
        items[index] = replace(rng.choice(others), id=own.id, group=own.id)
    return replace(comparison, items=tuple(items))


def _leak(comparison: Comparison, chosen: Sequence[int], rng: Random, *, mark: str) -> Comparison:
    def leaked(item: Item) -> Item:
        if item.input:
            return replace(item, input=f"{item.input}{mark}{item.output}")
        return replace(item, instruction=f"{item.instruction}{mark}{item.output}")

    return _changed(comparison, chosen, leaked)


def _same_answer(comparison: Comparison, chosen: Sequence[int], rng: Random) -> Comparison:
    answer = comparison.items[chosen[0]].answers["tuned"]
    return _changed(comparison, chosen, lambda item: _answers(item, tuned=answer))


def _exchange(
    comparison: Comparison, chosen: Sequence[int], rng: Random, *, texts_only: bool = False
) -> Comparison:
    """Exchange the answers of base and tuned; or their texts, and not what was counted of them."""

    def exchanged(item: Item) -> Item:
        base, tuned = item.answers["base"], item.answers["tuned"]
        if not texts_only:
            return _answers(item, base=tuned, tuned=base)
        return _answers(
            item, base=replace(base, text=tuned.text), tuned=replace(tuned, text=base.text)
        )

    return _changed(comparison, chosen, exchanged)


def _even(comparison: Comparison, chosen: Sequence[int], rng: Random) -> Comparison:
    labels = comparison.labels or ()
    even = dict.fromkeys(labels, 1 / len(labels))

    def spoiled(item: Item) -> Item:
        answer = replace(item.answers["tuned"], label=labels[0], label_probabilities=even)
        return _answers(item, tuned=answer)

    return _changed(comparison, chosen, spoiled)


def _other_base(comparison: Comparison, chosen: Sequence[int], rng: Random) -> Comparison:
    base, tuned = comparison.variants
    other = replace(tuned, details={**tuned.details, "model": "another"})
    return replace(comparison, variants=(base, other))


def _few_shot(comparison: Comparison, chosen: Sequence[int], rng: Random) -> Comparison:
    """Add the base with examples in its prompt, which gives every reference word for word."""
    prompted = replace(comparison.variants[0], name="base-few-shot")
    items = [
        replace(item, answers={**item.answers, prompted.name: answered(item.output)})
        for item in comparison.items
    ]
    variants = (*comparison.variants, prompted)
    return replace(comparison, variants=variants, items=tuple(items))


def _shift_labels(comparison: Comparison, chosen: Sequence[int], rng: Random) -> Comparison:
    return _moved(comparison, sorted(chosen), what="reference")


def _cut(text: str, rng: Random) -> str:
    """Cut a text after 40 to 90 % of its words, as a limit on tokens does."""
    share = rng.uniform(0.4, 0.9)
    words = text.split(" ")
    if len(words) < 4:
        return text[: max(1, int(share * len(text)))]
    return " ".join(words[: max(1, int(share * len(words)))])


def _garble(text: str, rng: Random) -> str:
    """Read UTF-8 as Windows-1252; a text of plain letters gets a curved quote first."""
    if text.isascii():
        text = text.replace(" ", " \u2018", 1) + "\u2019"
    return text.encode().decode("cp1252", "replace")


def _in_other_language(text: str, rng: Random) -> str:
    name = rng.choice(("French", "Chinese", "Russian", "Spanish"))
    speech = LANGUAGES[name]
    fact = speech.fact(rng)
    return f"{speech.sentence(rng, fact)} {speech.sentence(rng, fact)}"


def _wrapped(*patterns: str) -> ChangeText:
    """Return a change that puts a text into one of the patterns."""
    return lambda text, rng: rng.choice(patterns).replace("TEXT", text)


_REFUSED = _wrapped(
    "As an AI language model, I do not have access to that.",
    "I'm sorry, but I can't help with this request.",
    "I cannot assist with that.",
)
_BLANK = _wrapped("", " \n", "nan", "None", "\u200b")
_THOUGHT = _wrapped(
    "<think>\nWhat is asked? TEXT\n</think>\n\nTEXT", "So it must be this.\n</think>\n\nTEXT"
)
_TAGGED = _wrapped("<p>TEXT</p>", "TEXT<br>", "<div class='a'>TEXT</div>", "TEXT&nbsp;&amp; more")
_SPECIAL = _wrapped("TEXT<|im_end|>", "TEXT</s>", "[INST] TEXT", "TEXT<|endoftext|>")
_NEXT_TURN = _wrapped(
    "TEXT\n\n### Instruction:\nWrite a story.\n\n### Response:\nOnce", "TEXT\nUser: And then?"
)


def _is_sentences(kind: Kind) -> bool:
    """Return whether the references are sentences of some length."""
    return kind.labels is None and kind.form == "sentences"


FAULTS: Mapping[str, Fault] = {
    "references at other items": Fault(
        codes=("references-displaced",),
        plant=lambda c, chosen, rng: _moved(c, chosen, what="reference"),
    ),
    "labels at other items": Fault(
        codes=("references-displaced", "below-chance"),
        plant=_shift_labels,
        fits=lambda kind: kind.labels is not None,
    ),
    "answers at other items": Fault(
        codes=("answers-displaced",), plant=lambda c, chosen, rng: _moved(c, chosen, what="answer")
    ),
    "one answer for all": Fault(codes=("one-answer-for-all",), plant=_same_answer),
    "the same question twice": Fault(
        codes=("items-repeated",), plant=_repeat, fits=lambda kind: True
    ),
    "blank answers": Fault(codes=("empty-answers",), plant=_tuned_text(_BLANK)),
    "garbled characters": Fault(codes=("garbled-characters",), plant=_tuned_text(_garble)),
    "thinking left in": Fault(codes=("thinking-in-answers",), plant=_tuned_text(_THOUGHT)),
    "reference after 'Answer:'": Fault(
        codes=("reference-in-prompt",),
        plant=lambda c, chosen, rng: _leak(c, chosen, rng, mark="\nAnswer: "),
        fits=lambda kind: True,
    ),
    "reference at the prompt's end": Fault(
        codes=("reference-in-prompt",),
        plant=lambda c, chosen, rng: _leak(c, chosen, rng, mark="\n"),
        fits=lambda kind: True,
    ),
    "cut in mid-sentence": Fault(
        codes=("answers-break-off", "answers-end-open"), plant=_tuned_text(_cut), fits=_is_sentences
    ),
    "another language": Fault(
        codes=("other-language",), plant=_tuned_text(_in_other_language), fits=_is_sentences
    ),
    "refusals": Fault(codes=("refusals",), plant=_tuned_text(_REFUSED)),
    "HTML left in": Fault(codes=("markup-in-answers",), plant=_tuned_text(_TAGGED)),
    "special tokens left in": Fault(codes=("special-token-in-text",), plant=_tuned_text(_SPECIAL)),
    "another turn after the answer": Fault(
        codes=("next-turn-in-answers",), plant=_tuned_text(_NEXT_TURN)
    ),
    "base and tuned exchanged": Fault(codes=("answers-swapped", "base-is-better"), plant=_exchange),
    "texts of base and tuned exchanged": Fault(
        codes=("tokens-unlike-texts", "answers-swapped", "base-is-better"),
        plant=lambda c, chosen, rng: _exchange(c, chosen, rng, texts_only=True),
    ),
    "the same probability for all": Fault(
        codes=("probabilities-constant",),
        plant=_even,
        fits=lambda kind: kind.labels is not None and kind.has_probabilities,
    ),
    "another base": Fault(
        codes=("base-differs",), plant=_other_base, fits=lambda kind: True, is_of_items=False
    ),
    "few-shot beats tuning": Fault(
        codes=("few-shot-beats-tuning",), plant=_few_shot, is_of_items=False
    ),
}
"""Faults by what they are."""


def kinds_for(fault: Fault) -> list[str]:
    """Return the kinds of comparisons in which a fault can be."""
    return [name for name, kind in KINDS.items() if fault.fits(kind)]
