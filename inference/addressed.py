"""Answers that speak to whoever judges them, such as "choose A": recognised by patterns.

No list of patterns is complete. It is the third guard after the two of the question itself (marks
that name the text as material, and both orders), and what it wrongly recognises costs little: such
an answer cannot win, and is counted.
"""

from __future__ import annotations

import re
import unicodedata

_QUOTES = "\"'*\u2018\u2019\u201c\u201d"
_LETTER = rf"(?-i:[{_QUOTES}(\[]*[AB][{_QUOTES})\]]*)(?!\w|['\u2019]\w)"
"""A or B as a name; the article is written small."""
_ANSWER = r"(?:answer|response|reply|option|candidate|assistant|output|text|choice|submission)"
_PLACE = r"(?:first|second|former|latter|above|below|other|present)"
_TARGET = (
    rf"(?:(?:{_ANSWER}\s*)?{_LETTER}|(?:the\s+)?{_PLACE}\s+(?:one\b|{_ANSWER})"
    rf"|{_ANSWER}\s*(?:1|2|one|two)\b"
    rf"|(?:this|my)\s+{_ANSWER}|this one\b|\bme\b|\bmine\b|\btie\b)"
)
"""What stands for one of the answers, or for a verdict."""
_ORDER = (
    r"(?:choose|pick|select|prefer|favou?r|vote|declare|rank|rate|score|mark|judge|output|reply|"
    r"respond|say|print|return|answer with|go with|award|deem|crown|conclude|give the win to|"
    r"the win (?:belongs|goes) to)"
)
_BETWEEN = r"(?:(?:for|with|only|just|simply|that|as|to|the|letter|word|win|victory|prize)\s+)*"
_IS = (
    r"(?:is|was|are|am|should|must|has|deserves?|wins)\s*(?:(?:to|be|the|clearly|much|far|by far|"
    r"obviously|always|a|rated|ranked|given|get)\s+)*"
)
_PRAISE = (
    r"(?:best|better|winner|wins?|won|superior|preferred|chosen|preferable|highest|full marks|"
    r"10 ?/ ?10|perfect score)\b"
)
_JUDGE = r"(?:judge|grader|evaluator|rater|assessor)s?\b"
_PATTERNS = {
    "an order to choose": rf"\b{_ORDER}\b[\s:,]{{1,3}}{_BETWEEN}{_TARGET}",
    "praise of an answer as such": (
        rf"{_TARGET},?\s*{_IS}{_PRAISE}|{_TARGET}\s*(?:wins\b|beats\b|[<>]=?\s)"
        rf"|{_IS}the (?:only )?(?:right|correct|better|winning) (?:verdict|answer|reply)"
        rf"|\b(?:this|my|mine)\b.{{0,40}}\b(?:best|better|winning|superior) (?:answer|reply)"
    ),
    "other orders": (
        r"\b(?:ignore|disregard|override|do not consider|don't consider)\b.{0,40}\b(?:rubric|"
        rf"instructions?|prompt|criteri\w+|rules|above|previous|earlier|{_PLACE} {_ANSWER})\b"
    ),
    "an address to the judge": (
        r"\b(?:dear|attention|note to|message to|hey|hello|hi|instructions? (?:for|to))\b.{0,12}"
        rf"\b(?:llms?\b|ai\b|{_JUDGE})"
    ),
    "a part to play": (
        r"\b(?:you are|you're|act as|as)\s+(?:my|the|an? (?:impartial|fair|strict))\s+"
        rf"(?:\w+\s+)?(?:{_JUDGE}|(?:judging|grading) model)"
    ),
    "a verdict": (
        r"\b(?:verdict|winner|final decision|judge?ment|better answer|preferred answer|preference)"
        rf"\W{{1,8}}(?:(?:is|will|must|should|be|the|answer|response)\W+)*{_TARGET}|\[\[\s*{_LETTER}"
        r"|\b(?:rubric|criteri\w+)\s+(?:says?|states?|demands?|requires?)\b"
    ),
    "control tokens": (
        r"<\|?\w*(?:im_start|im_end|system|assistant|endoftext|eot_id|header_id)\w*\|?>"
        r"|\[/?INST\]|<</?SYS>>"
    ),
    "turns of a dialogue": r"^\W*(?:system|assistant|judge|evaluator)\W{0,3}:",
    "our own marks": r"^\s*={3,}.*(?:answer|question|end).*={3,}",
    "marks to give": rf"\b(?:rate|score|give)\b.{{0,40}}{_PRAISE}\W*(?:$|to win)",
    "orders in other languages": (
        r"(?:wähle|bevorzuge|nimm|choisis\w*|préfère\w*|elige|elija|prefiere|scegli|escolha|kies|"
        r"выбер\w*|选择|請選|请选|選んで)\W{0,3}.{0,12}(?:(?-i:\b[AB]\b)|antwort|réponse|respuesta|"
        r"risposta|resposta|antwoord|ответ|答案|回答)"
    ),
}
_SPEAKS = re.compile(
    "|".join(f"(?:{one})" for one in _PATTERNS.values()), re.IGNORECASE | re.MULTILINE
)
_TWINS = str.maketrans(
    "\u0410\u0412\u0421\u0415\u041d\u0406\u041a\u041c\u041e\u0420\u0422\u0425"
    "\u0430\u0435\u043e\u0441\u0440\u0445\u0443\u0456",
    "ABCEHIKMOPTXaeocpxyi",
)
"""Cyrillic letters that look like Latin ones."""
_SPACED = re.compile(r"\b(?:\w[ .\-_]){3,}\w\b")


def speaks_to_judge(text: str) -> bool:
    """Return whether an answer addresses whoever judges it, as far as the patterns can tell.

    Letters in disguise (full width, invisible ones between, Cyrillic twins within Latin words, or
    spelt out) count as plain ones.
    """
    plain = unicodedata.normalize("NFKC", text)
    plain = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    as_spelt = _SPACED.sub(lambda match: re.sub(r"[ .\-_]", "", match[0]), plain)
    forms = {plain, plain.translate(_TWINS), as_spelt}
    return any(_SPEAKS.search(form) is not None for form in forms)
