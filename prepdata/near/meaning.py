"""What of a question carries its meaning: its words without frames, in one spelling each.

Two questions say the same where these words are the same, whatever their order, unless the order
tells who does what. The lists are English; of other languages the words are compared as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from tuneproof.formats.example import normalised


def _words(text: str) -> list[str]:
    return text.split()


START = "^"
"""Stands before the first word of a sentence or clause."""
CLAUSE_ENDS = re.compile(r"[.!?;:,\n]+(?!\w)")
FIGURE = re.compile(r"\d")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
DECIMALS = re.compile(r"(?<=\d)\.(?=\d)")
QUOTED = re.compile(r"\"([^\"\n]{1,80})\"|“([^”\n]{1,80})”|(?<!\w)'([^'\n]{1,80})'(?!\w)")
WITHIN = re.compile(r"(?<!^)(?<![.!?:] )(?<!\n)\b[^\W\d_]\w*")
"""A word that begins no sentence."""
CONTRACTED = re.compile(r"'(?:s|t|m|re|ve|ll|d)\b")
"""Without one of these, no contraction fits."""
CONTRACTIONS = (
    (re.compile(r"\bcan't\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(what|where|who|how|when|why|it|that|there|here)'s\b"), r"\1 is"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'d\b"), " would"),
)
REWORDINGS = (
    (re.compile(r"\bhow (?:do|can|could|should|would|may) (?:i|we|you|one)\b"), "how to"),
    (re.compile(r"\b(?:what is|which is) the (?:best |right |easiest )?way to\b"), "how to"),
    (re.compile(r"\b(?:could|may|am) i (?:able to)?\b"), "can i "),
    (re.compile(r"\bis it possible (?:for me )?to\b"), "can i "),
    (re.compile(r"\bhow much (?:does|do|is|are) (.+?) cost\b"), r"what is the price of \1"),
    (re.compile(r"\bhow much is\b"), "what is the price of"),
    (re.compile(r"\b(?:at|during) what time\b"), "when"),
    (re.compile(r"\b(?:in|at) (?:what|which) (?:place|location)\b"), "where"),
    (re.compile(r"\bfor (?:what|which) reason\b"), "why"),
    (re.compile(r"\bhow come\b"), "why"),
)
"""Ways of asking that say the same."""
FRAMES = (
    r"(?:hello|hi|hey)(?: there| all| everyone)?|dear (?:all|team|sir|madam|sir or madam)"
    r"|good (?:morning|day|afternoon|evening)|please|pls|kindly|thanks|thank you|many thanks"
    r"|(?:thanks|thank you) (?:very much|so much|a lot)|in advance|cheers|best regards|kind regards"
    r"|excuse me|sorry to bother you|sorry|quick question|one question|a question|my question is"
    r"|here is my question|(?:i have|just) a (?:quick )?question"
    r"|(?:could|can|would|will|might) you(?: please| kindly| be so kind and)?"
    r"(?: (?:tell|show|help|explain to|explain|give|answer|advise)(?: me| us)?(?: with)?)?"
    r"|(?:tell|show|help) me|let me know"
    r"|i (?:would|d)(?: really)? (?:like|love) to (?:know|ask|learn|find out|understand)"
    r"|i (?:want|need|wish|have) to (?:know|ask|find out)|i (?:am|was) wondering|i wonder"
    r"|i am asking|i (?:am|was) curious|do you (?:happen to )?know|any idea|may i ask"
    r"|would you mind telling me|if (?:you|i) (?:can|could|may)|if possible|for me"
    r"|it would be (?:great|nice|helpful)(?: to know)?|answer this|answer the following"
)
BORDER = "clauseborder"
"""Stands between two clauses of a normalised text, as a word."""
FRAME_BEFORE = re.compile(
    rf"^(?:(?:{FRAMES}|so|and|ok|okay|well|now|if|whether)\b ?)?(?:{BORDER}(?: |$))*"
)
FRAME_BEHIND = re.compile(rf"(?:(?:^| )(?:{FRAMES}))?(?: ?{BORDER})*$")
ASKING = re.compile(r"\b(?:how|way to|can i|could i|am i|possible|time|place|location|reason)\b")
"""Without one of these, no rewording fits."""
LONGEST_FRAME = 60
"""Characters of a text's end that are searched for a frame."""
DROPPED = {"a", "an", "the", "do", "does", "please", "kindly"}
NUMBERS = _words(
    "zero - two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
"""By what they say; ``one`` is more often a pronoun than a number."""
TENS = _words("thirty forty fifty sixty seventy eighty ninety")
ORDINALS = _words("first second third fourth fifth")
FIGURE_OF = {
    **{word: str(number) for number, word in enumerate(NUMBERS)},
    **{word: str(10 * number) for number, word in enumerate(TENS, 3)},
    **dict(zip(ORDINALS, _words("1st 2nd 3rd 4th 5th"), strict=True)),
}
SYNONYMS = (
    "buy purchase, big large huge, small little tiny, begin start commence, "
    "end finish conclude, fast quickly rapidly, quick rapid, help assist aid, show display, "
    "get obtain receive, make create, fix repair mend, answer reply respond, need require, "
    "use utilise utilize, tell inform, explain describe, summarise summarize, shorten abridge, "
    "list enumerate, write compose, correct right, wrong incorrect, car automobile, "
    "movie film picture, photo photograph, phone telephone, doctor physician, parcel package, "
    "cancel revoke, refund reimbursement, delivery shipment, ship send dispatch, cost price, "
    "cheap inexpensive, happy glad, sad unhappy, angry furious, scared afraid, smart clever, "
    "important crucial, main primary principal, change alter modify, choose select pick, "
    "find locate, keep retain, child kid children, job occupation, ask enquire, "
    "enough sufficient, about concerning regarding, also too, maybe perhaps, often frequently, "
    "whole entire, easy simple, hard difficult, sick ill, trip journey, error mistake, "
    "allow permit, happen occur, password passcode, town city, street road, shop store, "
    "holiday vacation"
)
"""Groups of words that say the same in a question."""
FIRST_OF_GROUP = {
    word: group.split()[0] for group in SYNONYMS.split(", ") for word in group.split()
}
FUNCTION_WORDS = frozenset(_words(
    "about after also am and are as at be because been before being between but by can could "
    "during for from had has have he her here him his how i if in into is it its may me might "
    "must my no not of on onto or our over she should since so than that their them then there "
    "these they this those through to under until us was we were what when where which while "
    "who whom whose why will with without would you your"
))  # fmt: skip
"""What a part of a sentence that can stand elsewhere begins with."""
AUXILIARIES = frozenset(
    _words("is are was were am be been being has have had will would can could")
)
"""They change their place where a question becomes part of a sentence."""
DECIDING = frozenset(_words(
    "above after all always any are awful bad before below best better buy can cheap closed "
    "cold decrease dislike down early every excellent except expensive fall false far female "
    "few fewer first good great happy hate he her hers high higher him his hot how if in "
    "increase is last late least left less like lose love low lower male man many may men more "
    "most must near negative neither never new no nobody none nor not nothing old only open or "
    "out over positive right rise sad sell she should some sometimes terrible true under unless "
    "up was were what when where which who why will win without woman women worse worst would "
    "yes young"
))  # fmt: skip
"""Words that turn a meaning round; where one differs, the questions differ."""
FEW_WORDS = 6
"""With fewer different words, their order says what is meant."""
LONGEST = 300
"""Characters up to which a text's words are compared whatever their order; a longer text keeps most
of its shingles in another order, or with a frame, and is found by them."""


class Meaning(NamedTuple):
    """A question's words that carry its meaning."""

    words: tuple[str, ...]
    """In order, in one spelling each."""
    before: tuple[str, ...]
    """The word before each but for auxiliaries, or `START`."""

    @property
    def figures(self) -> tuple[str, ...]:
        """The words with a figure in them, in order."""
        return tuple(word for word in self.words if FIGURE.search(word))


@lru_cache(maxsize=16)  # many records have the same instruction, or no input
def meaning_of(text: str) -> Meaning:
    """Return the words of a text that carry its meaning."""
    words: list[str] = []
    before: list[str] = []
    for clause in _clauses(text):
        previous = START
        for word in clause:
            words.append(word)
            before.append(previous)
            previous = previous if word in AUXILIARIES else word
    return Meaning(tuple(words), tuple(before))


def same_meaning(one: Meaning, other: Meaning) -> bool:
    """Return whether the same words say the same in their order.

    They do where only parts moved that begin with a function word or a clause, or where a function
    word and one beside it changed places. Figures keep their order. No words say nothing.
    """
    if one.words == other.words:
        return bool(one.words)
    if one.figures != other.figures or sorted(one.words) != sorted(other.words):
        return False
    if _swaps(one.words, other.words):
        return True
    pairs, others = (Counter(zip(side.before, side.words, strict=True)) for side in (one, other))
    gone, new = (
        {word: before for before, word in difference if word not in FUNCTION_WORDS}
        for difference in (pairs - others, others - pairs)
    )
    if not gone and not new:
        return True
    is_start = all(START in (before, new.get(word)) for word, before in gone.items())
    return is_start and len(gone) == len(new) == 1 and len(set(one.words)) >= FEW_WORDS


def _swaps(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether a function word and one beside it changed places, once or twice."""
    differing = [n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if (
        len(one) < FEW_WORDS
        or len(differing) not in (2, 4)
        or any(FIGURE.search(one[n]) for n in differing)
    ):
        return False
    pairs = zip(differing[::2], differing[1::2], strict=True)
    return all(
        b == a + 1
        and (one[a], one[b]) == (other[b], other[a])
        and {one[a], one[b]} & FUNCTION_WORDS
        for a, b in pairs
    )


def names_of(text: str) -> set[str]:
    """Return the words written with a capital within a sentence, and those in quotes."""
    named = [normalised(word) for word in WITHIN.findall(text) if word[0].isupper()]
    return {word for name in (*named, *quoted_in(text)) for word in name.split()}


def quoted_in(text: str) -> list[str]:
    """Return what stands in quotes, in order; it is meant word for word."""
    return [normalised("".join(parts)) for parts in QUOTED.findall(text)]


@lru_cache(maxsize=4096)
def _word(word: str) -> str:
    """Return a word in its one spelling: a figure, the first of its synonyms, a singular."""
    word = FIGURE_OF.get(word, word)
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "sui" and word.isascii():
        word = word[:-1]
    return FIRST_OF_GROUP.get(word, word)


def _clauses(text: str) -> list[list[str]]:
    """Return the words of each clause of a text, without frames."""
    if not text:
        return []
    plain = text.casefold().replace("\u2019", "'")
    if "," in plain:
        plain = THOUSANDS.sub("", plain)
    if "." in plain:
        plain = DECIMALS.sub("_", plain)
    if "'" in plain and CONTRACTED.search(plain):
        for pattern, full in CONTRACTIONS:
            plain = pattern.sub(full, plain)
    marked = CLAUSE_ENDS.sub(f" {BORDER} ", plain)
    bare = _without_frames(normalised(marked))
    if ASKING.search(bare):
        for pattern, usual in REWORDINGS:
            bare = pattern.sub(usual, bare)
    return [
        [_word(word) for word in clause.split() if word not in DROPPED]
        for clause in bare.split(BORDER)
    ]


def _without_frames(text: str) -> str:
    """Return a text without what is said before and behind a question for politeness."""
    bare = text
    while shorter := FRAME_BEFORE.sub("", bare, count=1):
        if len(shorter) == len(bare):
            break
        bare = shorter
    while True:
        end = bare[-LONGEST_FRAME:]
        shorter = bare[:-LONGEST_FRAME] + FRAME_BEHIND.sub("", end, count=1)
        if len(shorter) == len(bare) or not shorter:
            return bare
        bare = shorter
