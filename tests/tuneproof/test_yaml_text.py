from __future__ import annotations

from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.yaml_text import LARGEST, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lora_r: 4\nlora_r: 8\n", r"y\.yaml:2: not valid YAML: the key 'lora_r' is there twice"),
        ("a:\n  b: {c: 1, c: 2}\n", r"y\.yaml:2: not valid YAML: the key 'c' is there twice"),
        (BOMB, r"not valid YAML: more than 100,000 values, with those that aliases repeat"),
        ("a: &a [*a]\n", "more than 100,000 values"),
        ("a: " + "[" * 3000 + "]" * 3000, "more than 100 deep"),
        ("a: " + "9" * 5000, "a value looks like .* a number"),
        ("a: 0x_", "a value looks like"),
        ("a: 2026-99-99", "a value looks like a date"),
        ("a: =", "not valid YAML"),
        ('a: 1\nb: "x\\0y"', r"y\.yaml:2: not valid YAML: a value holds a NUL character"),
        ("? [1, 2]\n: 3\n", "not valid YAML"),
        ("? {a: 1}\n: 3\n", "not valid YAML"),
        ("a: !!python/object:os.system x", "not valid YAML"),
        ("a: \x01", "not YAML text"),
        ("- 1", r"a mapping \(key: value\) is needed, found \[1\]"),
        ("&a [" + "x, " * 300 + "]", "a mapping"),
        ("", "a mapping"),
        ("a: 1 " + " " * LARGEST, "more than 1,000,000 bytes"),
    ],
)
def test_yaml_that_is_no_settings_is_one_short_error(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "y.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=fault) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 400 + len(str(path))


def test_yaml_of_bytes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "y.yaml").write_bytes(b"a: \xff")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_yaml(tmp_path / "y.yaml")


def test_aliases_and_merged_keys_are_read(tmp_path: Path) -> None:
    path = tmp_path / "y.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\nc: *a\n")
    assert read_yaml(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}, "c": {"x": 1, "y": 2}}
