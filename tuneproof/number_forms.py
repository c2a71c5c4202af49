"""The forms in which people write numbers: digits, signs, scales, units and currencies."""

from __future__ import annotations

import re
from collections.abc import Iterable

SCALES: dict[str, int] = {
    **dict.fromkeys(("thousand", "thousands"), 3),
    **dict.fromkeys(("million", "millions", "mn", "mln", "mln.", "mio", "mio."), 6),
    **dict.fromkeys(("millionen", "mill\u00f3n", "millones", "milioni", "milh\u00f5es"), 6),
    **dict.fromkeys(("billion", "billions", "bn", "mrd", "mrd."), 9),
    **dict.fromkeys(("milliarde", "milliarden", "milliard", "milliards", "miliardi"), 9),
    **dict.fromkeys(("trillion", "trillions", "tn"), 12),
    **dict.fromkeys(("lakh", "lakhs"), 5),
    **dict.fromkeys(("crore", "crores"), 7),
    **dict.fromkeys("千", 3),
    **dict.fromkeys("万萬만", 4),
    **dict.fromkeys("亿億억", 8),
}
"""Word -> its power of ten; a billion is the English one."""
LETTERS = {"k": 3, "m": 6, "b": 9, "t": 12}
"""Letter right after a number, such as $1.5M."""
UNITS: dict[str, tuple[str, int]] = {
    **{"mm": ("m", -3), "cm": ("m", -2), "m": ("m", 0), "km": ("m", 3)},
    **dict.fromkeys(("meter", "meters", "metre", "metres"), ("m", 0)),
    **dict.fromkeys(("kilometer", "kilometers", "kilometre", "kilometres"), ("m", 3)),
    **dict.fromkeys(("mile", "miles"), ("mile", 0)),
    **dict.fromkeys(("foot", "feet", "ft"), ("foot", 0)),
    **{"mg": ("g", -3), "g": ("g", 0), "kg": ("g", 3), "t": ("g", 6)},
    **dict.fromkeys(("gram", "grams"), ("g", 0)),
    **dict.fromkeys(("kilogram", "kilograms"), ("g", 3)),
    **dict.fromkeys(("lb", "lbs"), ("lb", 0)),
    **{"ml": ("l", -3), "l": ("l", 0), "L": ("l", 0)},
    **dict.fromkeys(("liter", "liters", "litre", "litres"), ("l", 0)),
    "ms": ("second", -3),
    **dict.fromkeys(("sec", "second", "seconds"), ("second", 0)),
    **dict.fromkeys(("min", "minute", "minutes"), ("minute", 0)),
    **dict.fromkeys(("h", "hour", "hours"), ("hour", 0)),
    **dict.fromkeys(("day", "days"), ("day", 0)),
    **dict.fromkeys(("week", "weeks"), ("week", 0)),
    **dict.fromkeys(("month", "months"), ("month", 0)),
    **dict.fromkeys(("year", "years"), ("year", 0)),
    **{"W": ("W", 0), "kW": ("W", 3), "MW": ("W", 6), "GW": ("W", 9)},
    **{"Wh": ("Wh", 0), "kWh": ("Wh", 3), "MWh": ("Wh", 6)},
    **{"Hz": ("Hz", 0), "kHz": ("Hz", 3), "MHz": ("Hz", 6), "GHz": ("Hz", 9)},
    **{"kB": ("B", 3), "KB": ("B", 3), "MB": ("B", 6), "GB": ("B", 9), "TB": ("B", 12)},
    **{"km/h": ("km/h", 0), "mph": ("mph", 0), "m/s": ("m/s", 0)},
    **dict.fromkeys(("cent", "cents", "¢"), ("cent", 0)),
    **{"°C": ("°C", 0), "°F": ("°F", 0), "°": ("°", 0)},
}
"""Unit, in upper and lower case as here -> its basic unit, and how many as a power of ten."""
CODES: dict[str, str] = {
    **dict.fromkeys(("$", "us$", "usd"), "$"),
    **dict.fromkeys(("€", "eur"), "€"),
    **dict.fromkeys(("£", "gbp"), "£"),
    **dict.fromkeys(("₹", "rs.", "rs", "inr"), "₹"),
    **dict.fromkeys(("¥", "jpy"), "¥"),
    **dict.fromkeys(("cny", "rmb"), "CNY"),
    **dict.fromkeys(("r$", "brl"), "R$"),
    **dict.fromkeys(("kr", "kr.", "sek", "nok", "dkk"), "kr"),
    **dict.fromkeys(("zł", "pln"), "PLN"),
    **dict.fromkeys(("chf", "fr."), "CHF"),
    **dict.fromkeys(("₩", "krw"), "₩"),
    **dict.fromkeys(("₽",), "₽"),
    **dict.fromkeys(("₺",), "₺"),
    **dict.fromkeys(("฿", "thb"), "฿"),
    **dict.fromkeys(("₫", "vnd"), "₫"),
}
"""Sign or code of a currency, in lower case, before or after the number -> its sign."""
CURRENCIES: dict[str, str] = CODES | {
    **dict.fromkeys(("dollar", "dollars"), "$"),
    **dict.fromkeys(("euro", "euros"), "€"),
    **dict.fromkeys(("rupee", "rupees"), "₹"),
    **dict.fromkeys(("yen", "円"), "¥"),
    **dict.fromkeys(("yuan", "元"), "CNY"),
    **dict.fromkeys(("won", "원"), "₩"),
    **dict.fromkeys(("\u0440\u0443\u0431", "\u0440\u0443\u0431."), "₽"),
    **dict.fromkeys(("reais",), "R$"),
}
"""Currency signs by symbol, code or name; names stand after the number only."""
_WORD = r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
"""A character that no number touches; the scripts of East and South East Asia put no space there,
or write particles right after a number."""
MINUS = r"\-\u2212\u2013"
GROUPS = "千万萬만亿億억"
"""Scales after which a number may go on: 1億2000万."""
RAISED = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a"
_EXPONENT = rf"(?:\s*(?:\^|\*\*)\s*[({{]?[{MINUS}+]?[0-9]{{1,2}}[)}}]?(?![0-9])|[{RAISED}]{{1,3}})"


def _any_of(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(names, key=len, reverse=True)))


NUMBER = re.compile(
    rf"""
    (?P<open>\(\s*)?
    (?<!{_WORD})(?<![.,])                   # not inside a word, a date or a longer number
    (?<![0-9][/:^])(?<![0-9]\ /\ )          # not a part of 3/4, 12:30 or 2^3
    (?:(?<![%\u20ac])(?P<minus>[{MINUS}+]|(?<![0-9]\ )(?:minus|negative)\s+))?
    (?:(?P<currency>{_any_of(CODES)})\s*(?P<inner>[{MINUS}])?)?
    (?:10(?P<ten>{_EXPONENT})
      |(?P<digits>
        [0-9]{{1,3}}(?:,[0-9]{{3}})+(?:\.[0-9]+)?              # 1,234.5
        |[0-9]{{1,2}}(?:,[0-9]{{2}})+,[0-9]{{3}}(?:\.[0-9]+)?  # 1,23,456
        |[0-9]{{1,3}}(?:\.[0-9]{{3}})+(?:,[0-9]+)?             # 1.234,5
        |[0-9]{{1,3}}(?:['\u2019\u00a0\u2009\u202f][0-9]{{3}})+(?:[.,][0-9]+)?
        |[0-9]{{1,3}}(?:(?:\ [0-9]{{3}})+,[0-9]+|(?:\ [0-9]{{3}}){{2,}})  # 1 234,5  1 234 567
        |[0-9]+\.[0-9]+|0,[0-9]+|[0-9]+,[0-9]{{1,2}}|[0-9]{{1,3}},[0-9]{{4,}}
        |[0-9]+|\.[0-9]+)
      (?P<power>\s*(?:[x*\u00d7\u00b7]|\\times)\s*10{_EXPONENT}
        |e[{MINUS}+]?[0-9]{{1,2}}(?!\w))?)
    (?:\s*(?P<percent>[%\uff05\u066a]|(?:percent|per\ cent|percentage\ points?|pct|pp)\b)
      |\s*(?P<basis>(?:basis\ points?|bps)\b)
      |\s*(?P<scale>{_any_of(SCALES)})(?!{_WORD})
      |(?P<letter>(?-i:[kKMBT])|(?(currency)\s?[kmbt]|(?!)))(?!\w)
      |x\b)?                                # a ratio: 1.5x
    (?:\s?(?P<unit>(?-i:{_any_of(UNITS)})|{_any_of(CURRENCIES)})(?!{_WORD}))?
    (?!{_WORD}|[.,:^][0-9]|\ ?/\ ?[0-9])    # not 5th, 1990s or half of a longer number
    (?P<close>\s*\))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
