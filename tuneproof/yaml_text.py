"""YAML that people write: one reader, with limits, whose errors name file and line."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import existing_file, read_text, with_whole_characters
from tuneproof.text import one_line

LARGEST = 1_000_000
"""Bytes of a file of settings; nobody writes more by hand."""
DEEPEST = 100
"""Levels of a document."""
MOST = 100_000
"""Values of a document, those that aliases repeat included."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        InputError: There is no such file, or it holds something else; file and line are named.
    """
    if existing_file(path).stat().st_size > LARGEST:
        raise InputError(f"{path}: more than {LARGEST:,} bytes, which are no settings")
    value = parse_yaml(read_text(path), str(path))
    if not isinstance(value, dict):
        shown = one_line(repr(value), 80)
        raise InputError(f"{path}: a mapping (key: value) is needed, found {shown}")
    return {str(key): item for key, item in value.items()}


def parse_yaml(text: str, where: str) -> Any:
    """Return the value of a YAML text.

    Raises:
        InputError: It is no YAML, has a key twice, or is too deep or too large; the message begins
            with `where`, and the line where one is known.
    """
    import yaml

    try:
        return with_whole_characters(yaml.load(text, _loader()))
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{where}{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{where}: not YAML text: {str(error).splitlines()[0]}") from error
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        # what PyYAML raises of a date, a number or a truth value that is none
        raise InputError(
            f"{where}: not readable YAML: a value looks like a date, a number or a truth value and "
            f"is none ({error}); put it in quotes"
        ) from error


@cache
def _loader() -> Any:
    """Return PyYAML's safe loader, without keys that stand twice, and with limits."""
    import yaml

    class Loader(yaml.SafeLoader):
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.depth += 1
            if self.depth > DEEPEST:
                fault = f"more than {DEEPEST} deep"
                raise yaml.composer.ComposerError(None, None, fault, self.get_mark())
            node = super().compose_node(parent, index)
            self.depth -= 1
            if isinstance(node, yaml.ScalarNode) and "\0" in node.value:
                fault = "a value holds a NUL character"
                raise yaml.composer.ComposerError(None, None, fault, node.start_mark)
            return node

        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            seen = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                    if key.value in seen:
                        fault = f"the key {one_line(key.value, 80)!r} is there twice"
                        raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
                    seen.add(key.value)
            return node

        def construct_document(self, node: Any) -> Any:
            if _size(node, {}) > MOST:
                fault = f"more than {MOST:,} values, with those that aliases repeat"
                raise yaml.constructor.ConstructorError(None, None, fault, node.start_mark)
            return super().construct_document(node)

    return Loader


def _size(node: Any, known: dict[int, int]) -> int:
    """Return how many values a node holds, each as often as it is repeated; cycles are endless."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = MOST + 1  # if it is met inside itself
    children = node.value if isinstance(node.value, list) else []
    pairs = (child if isinstance(child, tuple) else (child,) for child in children)
    known[id(node)] = 1 + sum(_size(part, known) for pair in pairs for part in pair)
    return known[id(node)]
