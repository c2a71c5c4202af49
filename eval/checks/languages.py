"""In which language a text is: by its script, and for the Latin one by its commonest words."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache

from tuneproof.eval.metrics.words import words

LETTERS = 20
"""Letters that a text needs before its script says anything."""
MOST = 0.7
"""Share of the letters that must be of one script."""
KANA = 0.05
"""Share of kana from which a text with Chinese characters is Japanese."""
HITS = 3
"""Common words of a language that a text must hold, ..."""
LEAD = 2
"""... times as many as of any other language."""

COMMON_WORDS = {
    "English": "the and is are was were that this with from which have has not they you for it",
    "German": "der die das und ist sind nicht mit ein eine einen auf für von dem den des wird auch",
    "French": "le les des est une dans pour que qui avec sont pas plus cette nous vous il elle du",
    "Spanish": "el los las una es del por con para que como más pero está son fue su sus y",
    "Italian": "il gli della che è per con sono una nel dei anche più questo alla delle non di",
    "Portuguese": "os um uma não com para que por mais dos das foi são ao pela seu ou é em",
    "Dutch": "het een van en is niet dat met voor zijn ook aan worden deze wordt er bij de op",
    "Polish": "jest nie się że na w z do i to przez są dla od jak który która oraz po",
    "Swedish": "och att det är som en på av för med inte till den har om ett var kan de",
    "Turkish": "ve bir bu için ile olarak de da olan en çok daha gibi ancak kadar sonra her",
    "Vietnamese": "và là của có trong được cho không với một các người những này đã từ để",
    "Indonesian": "yang dan di untuk dengan adalah ini dari pada tidak dalam itu oleh atau akan",
}
_LANGUAGES = {name: frozenset(text.split()) for name, text in COMMON_WORDS.items()}


def language(text: str) -> str | None:
    """Return a language or a script, such as ``English`` or ``Cyrillic``; None where unsure."""
    script = script_of(text)
    if script != "Latin":
        return script
    counts = Counter(words(text))
    hits = {name: sum(counts[word] for word in common) for name, common in _LANGUAGES.items()}
    (name, most), (_, second) = sorted(hits.items(), key=lambda pair: -pair[1])[:2]
    return name if most >= HITS and most >= LEAD * second else None


def script_of(text: str) -> str | None:
    """Return the script of most letters, or None for few letters or a mixture."""
    scripts = Counter(map(_script, filter(str.isalpha, text)))
    total = scripts.total()
    if total < LETTERS and not (scripts["Cjk"] + scripts["Kana"] >= LETTERS / 2):
        return None
    if scripts["Kana"] > KANA * total:
        scripts["Kana"] += scripts.pop("Cjk", 0)
    script, count = scripts.most_common(1)[0]
    return (
        {"Cjk": "Chinese", "Kana": "Japanese"}.get(script, script)
        if count >= MOST * total
        else None
    )


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "OTHER").split()[0]
    return "Kana" if name in ("HIRAGANA", "KATAKANA") else name.capitalize()
