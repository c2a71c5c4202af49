"""In which language a text is: by its script, and for the Latin one by its commonest words."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache
from string import ascii_letters

from tuneproof.eval.metrics.words import words

LETTERS = 20
"""Letters that a text needs before its script says anything."""
MOST = 0.7
"""Share of the letters that must be of one script."""
KANA = 0.05
"""Share of kana from which a text with Chinese characters is Japanese."""
DENSE = 0.08
"""Share of its words that a text must have among the common ones, which names have not."""
HITS = 3
"""Different common words of a language that a text must hold, ..."""
LEAD = 2
"""... times as many as of any other language."""

COMMON_WORDS = {
    "English": "the and is are was were that this with from which have has not they you for it of "
    "to be by when if will can his he she we their there or",
    "German": "der das und ist sind nicht mit eine einen auf für von wird auch zu sich als nach",
    "French": "le les des est une dans pour que qui avec sont pas cette nous vous elle du sur ce",
    "Spanish": "el los las una es del por para como pero está son fue sus se lo con y que",
    "Italian": "il gli della che è per sono una nel dei anche questo alla delle di si",
    "Portuguese": "os um uma não com para mais dos das foi são ao pela seu ou é em que se",
    "Dutch": "het een van niet dat voor zijn ook aan worden deze wordt naar maar uit heeft",
    "Polish": "jest nie się że na przez są dla od jak który która oraz po był tego",
    "Swedish": "och att det är som på av för med inte har ett från sig också eller",
    "Turkish": "ve bir bu için ile olarak olan çok daha gibi ancak kadar değil ise",
    "Vietnamese": "và là của có trong được cho không với một các người những này đã từ để",
    "Indonesian": "yang dan untuk dengan adalah ini dari pada tidak dalam itu oleh atau akan",
}
"""Frequent words; none of another language that is a word of English too."""
_LANGUAGES_OF: dict[str, list[str]] = {}
for _name, _text in COMMON_WORDS.items():
    for _word in _text.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_name)
_ASCII_LETTERS = dict.fromkeys(map(ord, ascii_letters))
READ = 1000
"""Characters from the beginning of a text by which it is judged."""


def language(text: str) -> str | None:
    """Return a language or a script, such as ``English`` or ``Cyrillic``; None where unsure."""
    script = script_of(text[:READ])
    if script != "Latin":
        return script
    said = words(text[:READ])
    hits, kinds = Counter[str](), Counter[str]()
    for word, count in Counter(said).items():
        for name in _LANGUAGES_OF.get(word, ()):
            hits[name] += count
            kinds[name] += 1
    (name, most), (_, second) = [*hits.most_common(2), ("", 0), ("", 0)][:2]
    is_sure = kinds[name] >= HITS and most >= max(DENSE * len(said), LEAD * second)
    return name if is_sure else None


def script_of(text: str) -> str | None:
    """Return the script of most letters, or None for few letters or a mixture."""
    if text.isascii():
        return "Latin" if len(text) - len(text.translate(_ASCII_LETTERS)) >= LETTERS else None
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
