"""The words and signs that stand beside numbers: scales, units and currencies."""

from __future__ import annotations

SCALES: dict[str, int] = {
    **dict.fromkeys(("thousand", "thousands"), 3),
    **dict.fromkeys(("million", "millions", "mn", "mln", "mio"), 6),
    **dict.fromkeys(("billion", "billions", "bn", "mrd"), 9),
    **dict.fromkeys(("trillion", "trillions", "tn"), 12),
    **dict.fromkeys(("lakh", "lakhs"), 5),
    **dict.fromkeys(("crore", "crores"), 7),
    **dict.fromkeys("千", 3),
    **dict.fromkeys("万萬만", 4),
    **dict.fromkeys("亿億억", 8),
}
"""Word -> its power of ten; the long German and French forms of 10^9 are left out, since a
billion is something else there."""
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
    **{"°C": ("°C", 0), "°F": ("°F", 0), "°": ("°", 0)},
}
"""Unit, in upper and lower case as here -> its basic unit, and how many as a power of ten."""
CURRENCIES: dict[str, str] = {
    **dict.fromkeys(("$", "us$", "usd", "dollar", "dollars"), "$"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "€"),
    **dict.fromkeys(("£", "gbp"), "£"),
    **dict.fromkeys(("₹", "rs.", "rs", "inr", "rupee", "rupees"), "₹"),
    **dict.fromkeys(("¥", "jpy", "yen", "円"), "¥"),
    **dict.fromkeys(("cny", "rmb", "yuan", "元"), "CNY"),
    **dict.fromkeys(("chf",), "CHF"),
    **dict.fromkeys(("₩", "krw", "won", "원"), "₩"),
    **dict.fromkeys(("₽", "rub", "руб", "руб."), "₽"),
}
"""Sign, code or name, in lower case -> its sign."""
