"""Checks of an answer's form: JSON, a pattern, a text, a length, a language, code that runs.

Each function makes a metric; none is computed unless it is asked for (`metrics.asked`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tuneproof.errors import InputError, unknown
from tuneproof.eval.checks.languages import COMMON_WORDS, language
from tuneproof.eval.metrics import sandbox
from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.words import fold, spaced
from tuneproof.files import read_json

FENCED = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
PATTERN_S = 1.0
"""Seconds that a pattern may take on one answer."""
CODES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian",
    "pt": "Portuguese", "nl": "Dutch", "pl": "Polish", "sv": "Swedish", "tr": "Turkish",
    "vi": "Vietnamese", "id": "Indonesian", "zh": "Chinese", "ja": "Japanese", "ko": "Hangul",
    "ru": "Cyrillic", "ar": "Arabic", "el": "Greek", "he": "Hebrew", "hi": "Devanagari",
    "th": "Thai",
}  # fmt: skip
"""Language code -> the language, or the script where that is all that is told apart."""
UNITS = ("characters", "words", "tokens")
_NO_PAPER = "A check of form; no paper"


def json_metric(schema: str = "") -> Metric:
    """Return the share of answers that are valid JSON, and fit a JSON Schema where one is named.

    Args:
        schema: The file that holds it; empty for JSON of any shape.

    Raises:
        InputError: It is no schema, or the package jsonschema is missing.
    """
    fits = _validator(Path(schema)) if schema else lambda value: True

    def valid_json(prediction: str) -> float:
        try:
            value = json.loads(unfenced(prediction), parse_constant=_no_constant)
            return float(fits(value))
        except (ValueError, RecursionError):
            return 0.0

    shape = f" that fits {Path(schema).name}" if schema else ""
    return _share(
        f"Valid JSON{shape}",
        valid_json,
        f"Share of answers that are JSON{shape} and nothing else; a code fence around it may be.",
        "Says nothing of what the values mean.",
        source="RFC 8259"
        + ("; JSON Schema, draft 2020-12 unless the file says another" * bool(shape)),
    )


def regex_metric(pattern: str) -> Metric:
    """Return the share of answers in which a regular expression is found.

    Raises:
        InputError: It is none.
    """
    import regex

    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise InputError(f"--metric regex:{pattern}: no regular expression ({error})") from error

    def matches(prediction: str) -> float:
        try:
            return float(compiled.search(prediction, timeout=PATTERN_S) is not None)
        except TimeoutError as error:
            raise InputError(
                f"--metric regex:{pattern}: takes more than {PATTERN_S:g} s on the answer "
                f"{prediction[:60]!r}; write it without nested repeats"
            ) from error

    return _share(
        f"Matches {_short(pattern)}",
        matches,
        f"Share of answers in which the regular expression `{pattern}` is found, anywhere unless "
        "it says ^ and $.",
        "Sees form and not meaning.",
        empty="as the expression has it",
    )


def contains_metric(text: str = "") -> Metric:
    """Return the share of answers that contain a text, or the reference where none is named."""
    if not text:

        def has_reference(prediction: str, reference: str) -> float:
            return float(_plain(reference) in _plain(prediction))

        return _share(
            "Contains the reference",
            has_reference,
            "Share of answers that contain the reference, whatever the case and the white space.",
            "A long answer contains more; one that denies the reference contains it too.",
        )
    wanted = _plain(text)

    def contains(prediction: str) -> float:
        return float(wanted in _plain(prediction))

    return _share(
        f"Contains {_short(text)}",
        contains,
        f"Share of answers that contain “{text}”, whatever the case and the white space.",
        "Sees form and not meaning.",
    )


def length_metric(limit: str) -> Metric:
    """Return the share of answers of at most ``N``, ``N words`` or ``N tokens``.

    Raises:
        InputError: It is no length.
    """
    match = re.fullmatch(rf"(\d+)\s*({'|'.join(UNITS)})?", limit.strip())
    if match is None:
        raise InputError(
            f"--metric max-length:{limit}: a number of {', '.join(UNITS)} is needed, such as "
            "max-length:200 or 'max-length:50 words'"
        )
    most, unit = int(match[1]), match[2] or UNITS[0]
    if unit == "tokens":
        # `length` is in tokens, or in words where the file does not record tokens
        def is_short(length: int) -> float:
            return float(length <= most)

        function: Callable[..., float] = is_short
    else:
        count = len if unit == "characters" else lambda text: len(spaced(text))

        def is_brief(prediction: str) -> float:
            return float(count(prediction.strip()) <= most)

        function = is_brief
    return _share(
        f"At most {most:,} {unit}",
        function,
        f"Share of answers of at most {most:,} {unit}"
        + ("; in words where the file does not record tokens." if unit == "tokens" else "."),
        "An empty answer is short too.",
        empty="1",
    )


def language_metric(wanted: str) -> Metric:
    """Return the share of answers in a language, of those whose language can be told.

    Raises:
        InputError: The language is not known.
    """
    name = CODES.get(wanted.lower(), wanted.capitalize())
    if name not in (*COMMON_WORDS, *CODES.values()):
        raise unknown("language", wanted, CODES)

    def is_language(prediction: str) -> float | None:
        said = language(prediction)
        if said is None:
            return None if prediction.strip() else 0.0
        return float(said == name)

    return _share(
        f"In {name}",
        is_language,
        f"Share of answers in {name}, told by the script and the commonest words; answers too "
        "short to tell are not scored.",
        "Languages of one script other than the Latin one are not told apart.",
    )


def code_metric(tests: str = "") -> Metric:
    """Return the share of answers that are a Python program which runs.

    Args:
        tests: ``reference`` to run each item's reference after the answer, as its tests.

    Raises:
        InputError: Something else is named, or this system cannot shut a program in.
    """
    if tests not in ("", "reference"):
        raise InputError(f"--metric code:{tests}: type code, or code:reference to run it as tests")
    if not sandbox.is_supported():
        raise InputError(
            "--metric code: answers are run only where the kernel keeps them from network and "
            "files, which takes Linux on x86_64 or aarch64"
        )
    limits = (
        f"in a process of its own with {sandbox.TIMEOUT_S:g} s and "
        f"{sandbox.MEMORY_BYTES >> 20:,} MiB, that has no network, starts no process and writes "
        "no file"
    )
    if tests:

        def passes(prediction: str, reference: str) -> float:
            return float(bool(prediction.strip()) and sandbox.runs(code_of(prediction), reference))

        return _share(
            "Passes its tests",
            passes,
            f"Share of answers whose Python code ends without an error when the reference is run "
            f"after it as its tests, {limits}.",
            "As good as the tests.",
            source="Chen et al., 2021, Evaluating Large Language Models Trained on Code",
        )

    def code_runs(prediction: str) -> float:
        return float(bool(prediction.strip()) and sandbox.runs(code_of(prediction)))

    return _share(
        "Code runs",
        code_runs,
        f"Share of answers whose Python code ends without an error, {limits}. Code is what stands "
        "between code fences, otherwise the whole answer.",
        "Code that runs may be wrong; a single word is often a program that fails, a number one "
        "that runs.",
    )


def unfenced(text: str) -> str:
    """Return what is in the code fence where an answer is nothing but one, else the answer."""
    match = FENCED.fullmatch(text.strip())
    return match[1] if match else text


def code_of(text: str) -> str:
    """Return the code of an answer: what is between its fences, otherwise all of it."""
    return "\n".join(FENCED.findall(text)) or text


def _validator(file: Path) -> Callable[[Any], bool]:
    """Return what says whether a value fits a JSON Schema."""
    try:
        from jsonschema import SchemaError, validators
    except ImportError as error:
        raise InputError(
            f"{file} is checked by the package jsonschema: pip install 'tuneproof[schema]'"
        ) from error
    schema = read_json(file)
    kind = validators.validator_for(schema) if isinstance(schema, dict | bool) else None
    if kind is None:
        raise InputError(f"{file}: a JSON Schema is an object, found {type(schema).__name__}")
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise InputError(f"{file}: no JSON Schema ({error.message})") from error
    is_valid: Callable[[Any], bool] = kind(schema).is_valid
    return is_valid


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _plain(text: str) -> str:
    return " ".join(fold(text).split())


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:21]}..."


def _share(
    title: str,
    function: Callable[..., float | None],
    definition: str,
    weakness: str,
    *,
    empty: str = "0",
    source: str = _NO_PAPER,
) -> Metric:
    return Metric(
        title=title,
        function=function,
        direction="higher",
        unit="share",
        definition=definition,
        weakness=weakness,
        empty=empty,
        source=source,
        task="any",
    )
