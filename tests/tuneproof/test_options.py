from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner

from tuneproof.errors import Group, InputError
from tuneproof.options import field_docs, from_mapping, options_from, resolve


@dataclass(frozen=True, kw_only=True)
class Parent:
    first: int = 1
    """Of the parent."""


@dataclass(frozen=True, kw_only=True)
class Child(Parent):
    second: int = 2
    """Of the child."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings with a field of every kind."""

    model: str = field(default="gpt2", metadata={"aliases": ("--model-name-or-path",)})
    """The model."""
    rate: float = 5e-4
    """The rate,
    in two lines."""
    steps: int | None = None
    """Steps."""
    source: tuple[str, ...] = ("a", "b")
    """Sources."""
    kind: Literal["linear", "cosine"] = "cosine"
    out: Path = Path("data")
    packing: bool = True
    """Whether to pack."""

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"rate must be positive, got {self.rate}")


@dataclass(frozen=True, kw_only=True)
class Needy:
    data_file: Path


@dataclass(frozen=True, kw_only=True)
class Schedule:
    lr_plan: Literal["constant", "with_warmup"] = "constant"


def typed(*args: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    @click.command()
    @options_from(Settings)
    def command(**values: Any) -> None:
        seen.update(values)

    result = CliRunner().invoke(command, args)
    assert result.exit_code == 0, result.output
    return seen


def from_yaml(folder: Path, text: str, **values: Any) -> Settings:
    path = folder / "settings.yaml"
    path.write_text(text)
    return resolve(Settings, values, path)


def test_untyped_options_leave_the_defaults() -> None:
    assert resolve(Settings, typed()) == Settings()


def test_typed_options_arrive_with_their_types() -> None:
    args = ("--rate", "0.1", "--steps", "3", "--kind", "linear", "--out", "x", "--no-packing")
    expected = Settings(rate=0.1, steps=3, kind="linear", out=Path("x"), packing=False)
    assert resolve(Settings, typed(*args)) == expected


def test_tuple_option_may_be_repeated_and_replaces_the_default() -> None:
    assert resolve(Settings, typed("--source", "c", "--source", "d")).source == ("c", "d")


def test_flag_can_be_switched_on_over_a_file_that_switches_it_off(tmp_path: Path) -> None:
    assert from_yaml(tmp_path, "packing: false").packing is False
    assert from_yaml(tmp_path, "packing: false", **typed("--packing")).packing is True


def test_flag_that_says_no_is_switched_off_without_a_second_no() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Quiet:
        no_baselines: bool = False

    seen: dict[str, Any] = {}

    @click.command()
    @options_from(Quiet)
    def command(**values: Any) -> None:
        seen.update(values)

    assert "--no-baselines / --baselines" in CliRunner().invoke(command, ["--help"]).output
    for option, value in (("--no-baselines", True), ("--baselines", False)):
        CliRunner().invoke(command, [option])
        assert seen == {"no_baselines": value}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("steps: 2026-13-45", "not readable YAML: a value looks like a date, a number or"),
        ("steps: 0x_", "put it in quotes"),
        ("steps: " + "[" * 5000, "more than 100 deep"),
        ("rate: 1" + "0" * 400, "rate: expected a number, found 1000000"),
        (f"steps: {'x' * 5000}", "steps: expected a whole number, found 'xxxx"),
    ],
)
def test_yaml_that_cannot_be_read_is_one_short_error(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault) as caught:
        from_yaml(tmp_path, text)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_alias_sets_the_field_on_the_command_line_and_in_the_file(tmp_path: Path) -> None:
    assert resolve(Settings, typed("--model-name-or-path", "tiny")).model == "tiny"
    assert from_yaml(tmp_path, "model_name_or_path: tiny").model == "tiny"


def test_file_stands_between_defaults_and_command_line(tmp_path: Path) -> None:
    found = from_yaml(tmp_path, "rate: 5e-3\nsteps: 7\n", **typed("--steps", "9"))
    assert found == Settings(rate=5e-3, steps=9)


def test_file_keys_may_have_dashes_and_a_single_value_stands_for_a_list(tmp_path: Path) -> None:
    assert from_yaml(tmp_path, "source: c\nout: there\n").source == ("c",)
    assert from_yaml(tmp_path, "model-name-or-path: m").model == "m"


def test_null_in_the_file_unsets_only_what_may_be_unset(tmp_path: Path) -> None:
    assert from_yaml(tmp_path, "steps: null").steps is None
    with pytest.raises(InputError, match="rate: expected a number, found None"):
        from_yaml(tmp_path, "rate:")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("stepps: 3", r"unknown setting 'stepps'. Did you mean 'steps'\?"),
        ("1: 3", "unknown setting '1'"),
        ("steps: three", "steps: expected a whole number, found 'three'"),
        ("steps: 1.5", "steps: expected a whole number, found 1.5"),
        ("steps: true", "steps: expected a whole number, found True"),
        ("packing: 1", "packing: expected true or false, found 1"),
        ("rate: fast", "rate: expected a number, found 'fast'"),
        ("model: 7", "model: expected text .*, found 7"),
        ("source: [a, 1]", "source: expected text .*, found 1"),
        ("source: {a: b}", "source: expected text"),
        ("kind: cosin", "unknown value 'cosin'. Did you mean 'cosine'"),
        ("rate: -1", "rate must be positive, got -1.0"),
        ("a: [", r"settings\.yaml:1: not valid YAML"),
        ("a: \x07", "not YAML text"),
        ("- a", "a mapping .* is needed"),
        ("", "a mapping .* is needed, found None"),
    ],
)
def test_wrong_file_is_one_clear_error(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault) as caught:
        from_yaml(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        resolve(Settings, {}, tmp_path / "none.yaml")


def test_missing_required_setting_names_its_option() -> None:
    with pytest.raises(InputError, match="--data-file is needed"):
        resolve(Needy, {"data_file": None})


def test_help_is_the_text_under_the_field_with_its_default() -> None:
    @click.command()
    @options_from(Settings)
    def command(**values: Any) -> None:
        pass

    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "--rate FLOAT The rate, in two lines. [default: 0.0005]" in text
    assert "--packing / --no-packing Whether to pack. [default: on]" in text
    assert "--source TEXT Sources. [default: a, b]" in text
    assert "--steps INTEGER Steps. --source" in text


def test_field_docs_leave_out_fields_without_text() -> None:
    assert "kind" not in field_docs(Settings)
    assert field_docs(Settings)["rate"] == "The rate, in two lines."


def test_inherited_fields_keep_their_help() -> None:
    assert field_docs(Child) == {"first": "Of the parent.", "second": "Of the child."}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "here: data_file missing"),
        (5, "here: settings (key: value) are needed, found 5"),
        ({"data-fiel": "x"}, "here: unknown setting 'data-fiel'. Did you mean 'data_file'?"),
        ({"data_file": 5}, "here: data_file: expected a path, found 5"),
    ],
)
def test_every_fault_of_a_mapping_begins_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        from_mapping(Needy, value, "here")
    assert str(caught.value).startswith(message)


def test_fault_that_the_class_finds_has_its_place_once_even_where_it_begins_alike() -> None:
    with pytest.raises(InputError, match=r"^rate: rate must be positive, got -1.0$"):
        from_mapping(Settings, {"rate": -1}, "rate")


@pytest.mark.parametrize("spelling", ["--model-name-or-path", "--model_name_or_path"])
def test_options_may_have_underscores_and_values_keep_theirs(spelling: str) -> None:
    seen: dict[str, Any] = {}

    @click.group(cls=Group)
    def main() -> None:
        pass

    @main.command()
    @options_from(Needy)
    @options_from(Schedule)
    @options_from(Settings)
    def work(**values: Any) -> None:
        seen.update(values)

    result = CliRunner().invoke(main, ["work", spelling, "a_b", "--lr_plan", "with_warmup"])
    assert result.exit_code == 0, result.output
    assert (seen["model"], seen["lr_plan"]) == ("a_b", "with_warmup")
    assert "[constant|with_warmup]" in CliRunner().invoke(main, ["work", "--help"]).output


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_numbers_that_are_none_are_refused_wherever_they_stand(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputError, match=f"^rate must be a finite number, got {value}$"):
        resolve(Settings, typed("--rate", value))
    with pytest.raises(InputError, match=f"rate must be a finite number, got {value}"):
        from_yaml(tmp_path, f"rate: .{value}".replace(".-", "-."))
