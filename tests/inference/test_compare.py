from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.inference import compare as module
from tuneproof.inference import panels
from tuneproof.inference.compare import compare, is_up_to_date, stamp_of
from tuneproof.inference.config import CompareConfig, Decoding
from tuneproof.inference.generate import Answer
from tuneproof.log import lines_to

pytestmark = pytest.mark.slow

Prompts = Callable[..., Path]


@pytest.fixture
def config(runs: Path, tmp_path: Path) -> CompareConfig:
    return CompareConfig(
        run=("gpt2-mud", "gpt2-ice"), runs=runs, out=tmp_path / "out" / "comparison.json",
        max_new_tokens=8, batch_size=2, few_shot=0, no_baselines=True,
    )  # fmt: skip


def stop_after(monkeypatch: pytest.MonkeyPatch, batches: int) -> list[int]:
    """Have Ctrl-C come after some batches; return the seeds of all that were asked."""
    seeds: list[int] = []
    ask = panels.answer_batch

    def answer(variants: Any, prompts: Any, decoding: Any, seed: int, *rest: Any) -> Any:
        if len(seeds) == batches:
            raise KeyboardInterrupt
        seeds.append(seed)
        return ask(variants, prompts, decoding, seed, *rest)

    monkeypatch.setattr(panels, "answer_batch", answer)
    return seeds


def cut_off(
    monkeypatch: pytest.MonkeyPatch, file: Path, config: CompareConfig, batches: int = 2
) -> None:
    """Begin a comparison, and have Ctrl-C come after some batches."""
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stop_after(patched, batches)
        compare(file, config)


def test_file_has_every_prompt_in_order_with_every_answer(
    prompts: Prompts, config: CompareConfig
) -> None:
    items = [
        {"id": "long", "prompt": "What is there in the winter?", "input": "Ice. " * 6},
        {"id": "short", "task": "river", "prompt": "What does river 3 carry?",
         "reference": "Mud.", "group": "g", "executed": "5"},
    ]  # fmt: skip
    value = compare(prompts(items), config).as_json()
    assert json.loads(config.out.read_text()) == value
    assert value["schema"] == "tuneproof/comparison@1"
    assert value["decoding"] == {"do_sample": False, "max_new_tokens": 8}
    assert value["labels"] is None
    assert "### Instruction:" in value["template"]
    assert [each["name"] for each in value["variants"]] == ["base", "gpt2-mud", "gpt2-ice"]
    assert value["variants"][0]["adapter"] is None
    assert value["variants"][1]["parameters"]["trainable"] > 0
    assert [item["id"] for item in value["items"]] == ["long", "short"]
    short = value["items"][1]
    assert (short["task"], short["group"], short["reference"]) == ("river", "g", "Mud.")
    assert short["answers"]["gpt2-mud"] == {"text": "Mud.", "tokens": 3, "finish_reason": "eos"}
    assert short["answers"]["gpt2-ice"]["text"] == "tons of ice"
    assert value["items"][0]["truncated"] is False
    assert [item.get("executed") for item in value["items"]] == [None, "5"]
    assert "executed" not in value["items"][0]


def test_every_prompt_gets_its_own_answers_whatever_the_batch(
    prompts: Prompts, config: CompareConfig
) -> None:
    file = prompts()
    found = [compare(file, replace(config, batch_size=size)).as_json()["items"] for size in (1, 4)]
    assert found[0] == found[1]
    assert len({item["answers"]["base"]["text"] for item in found[0]}) > 3


def test_comparison_can_be_scored(prompts: Prompts, config: CompareConfig, tmp_path: Path) -> None:
    from tuneproof.eval.config import ReportConfig
    from tuneproof.eval.report.build import report

    items = [{"prompt": f"What does river {n} carry?", "reference": "Mud."} for n in range(6)]
    compare(prompts(items), config)
    found = report([config.out], tmp_path / "report", ReportConfig(resamples=100))
    assert found.metrics["gpt2-mud"]["exact_match"].value == 1
    assert found.metrics["base"]["exact_match"].value == 0


@pytest.mark.parametrize("sampling", [{}, {"do_sample": True, "temperature": 1.5}])
@pytest.mark.parametrize("batches", [1, 2])
def test_interrupted_comparison_ends_like_one_that_was_not(
    prompts: Prompts, config: CompareConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    sampling: dict[str, Any], batches: int,
) -> None:  # fmt: skip
    config = replace(config, **sampling)
    file = prompts()
    whole = compare(file, replace(config, out=tmp_path / "whole.json")).as_json()
    cut_off(monkeypatch, file, config, batches)
    assert not config.out.exists()
    partial = config.out.parent / ".comparison.json.partial.jsonl"
    lines = partial.read_text().splitlines(keepends=True)
    assert len(lines) == 1 + 2 * batches
    partial.write_text("".join(lines[:-1]) + lines[-1][:20])  # as a power cut leaves it
    with monkeypatch.context() as patched:
        seeds = stop_after(patched, 99)
        again = compare(file, config).as_json()
    assert seeds == list(range(42, 49, 2))[batches - 1 :]
    for row in (*again["variants"], *whole["variants"]):
        for name in ("load_seconds", "tokens_per_second", "seconds_per_answer"):
            row.pop(name)
    assert again == whole
    assert [path.name for path in config.out.parent.iterdir()] == ["comparison.json"]


def test_changed_settings_start_anew(
    prompts: Prompts, config: CompareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = prompts()
    cut_off(monkeypatch, file, config)
    seeds = stop_after(monkeypatch, 99)
    value = compare(file, replace(config, max_new_tokens=4)).as_json()
    assert len(seeds) == 4
    assert max(a["tokens"] for item in value["items"] for a in item["answers"].values()) <= 4


def test_rubbish_in_the_partial_file_starts_anew(prompts: Prompts, config: CompareConfig) -> None:
    config.out.parent.mkdir()
    (config.out.parent / ".comparison.json.partial.jsonl").write_text("what is this\n{}\n")
    assert len(compare(prompts(), config).as_json()["items"]) == 7


def test_up_to_date_is_only_what_was_made_from_the_same(
    prompts: Prompts, config: CompareConfig
) -> None:
    file = prompts()
    assert not is_up_to_date(file, config)
    compare(file, config)
    assert is_up_to_date(file, config)
    assert is_up_to_date(file, replace(config, batch_size=3))
    for changes in (
        {"max_new_tokens": 9}, {"limit": 2}, {"run": ("gpt2-mud",)}, {"dtype": "bfloat16"},
        {"do_sample": True},
    ):  # fmt: skip
        assert not is_up_to_date(file, replace(config, **changes)), changes
    assert not is_up_to_date(prompts(["Other?"], "other.json"), config)


def test_long_prompts_lose_input_or_are_left_out(prompts: Prompts, config: CompareConfig) -> None:
    items = [
        {"id": "fits", "prompt": "Ice?"},
        {"id": "shortened", "prompt": "What is it?", "input": "The river is slow. " * 40},
        {"id": "too long", "prompt": "What is it? " * 60},
    ]
    value = compare(prompts(items), replace(config, max_new_tokens=40)).as_json()
    assert value["left_out"] == ["too long"]
    assert {item["id"]: item["truncated"] for item in value["items"]} == {
        "fits": False, "shortened": True,
    }  # fmt: skip
    assert all(
        answer["tokens"] <= 40 for item in value["items"] for answer in item["answers"].values()
    )


def test_prompt_and_answer_may_fill_the_context_to_the_brim(
    prompts: Prompts, config: CompareConfig
) -> None:
    items = [{"prompt": "What is it?", "input": "The river is slow. " * 40}]
    value = compare(prompts(items), replace(config, max_new_tokens=90)).as_json()
    assert value["items"][0]["truncated"]


def test_no_room_for_any_prompt_is_an_error(prompts: Prompts, config: CompareConfig) -> None:
    with pytest.raises(InputError, match="max_new_tokens 128 leaves no room for a prompt"):
        compare(prompts(), replace(config, max_new_tokens=128))
    with pytest.raises(InputError, match="all 1 prompts are too long"):
        compare(prompts(["What is it? " * 60]), config)


def test_limit_asks_the_first(prompts: Prompts, config: CompareConfig) -> None:
    assert [i["id"] for i in compare(prompts(), replace(config, limit=2)).as_json()["items"]] == [
        "prompt-1", "prompt-2",
    ]  # fmt: skip


def test_other_files_are_not_replaced(prompts: Prompts, config: CompareConfig) -> None:
    file = prompts()
    before = file.read_text()
    with pytest.raises(InputError, match="is no comparison and would be replaced"):
        compare(file, replace(config, out=file))
    assert file.read_text() == before
    with pytest.raises(InputError, match="is a folder; --out names the file to write"):
        compare(file, replace(config, out=file.parent))


def test_answer_row_has_what_the_file_needs() -> None:
    answer = Answer(text="a", tokens=2, finish_reason="eos")
    assert answer.as_row() == {"text": "a", "tokens": 2, "finish_reason": "eos"}


def test_progress_is_told_now_and_then_where_no_terminal_is(
    prompts: Prompts, config: CompareConfig, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    lines: list[str] = []
    with lines_to(lines.append):
        compare(prompts(), config)
        assert lines == []
        monkeypatch.setattr(module, "LINE_S", -1)
        compare(prompts(), config)
    assert lines == [f"answered {n} of 7" for n in (2, 4, 6, 7)]
    assert capfd.readouterr().err == ""


def test_answers_from_before_an_interruption_count_in_what_one_costs(
    prompts: Prompts, config: CompareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = prompts()
    cut_off(monkeypatch, file, config)
    partial = config.out.parent / ".comparison.json.partial.jsonl"
    slow = re.sub(r'"seconds": [0-9.e-]+', '"seconds": 1000.0', partial.read_text())
    partial.write_text(slow)
    count = len(slow.splitlines()) - 1
    again = compare(file, config)
    for variant in again.variants:
        seconds = variant.number("seconds_per_answer")
        assert seconds == pytest.approx(1000 * count / len(again.items), rel=0.05)


def test_every_setting_decides_answers_or_is_known_not_to(
    prompts: Prompts, config: CompareConfig
) -> None:
    settings = stamp_of(prompts(), config).settings
    decoding = {one.name for one in fields(Decoding)} - {"seed"}
    apart = {"runs", "out", "must_work", "endpoint_concurrency", "endpoint_timeout"}
    assert set(settings) == set(vars(config)) - decoding - apart | {"decoding"}
