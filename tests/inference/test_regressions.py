"""Asking for regressions: what is written, chosen and foretold, by base and run over one model."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tuneproof.errors import InputError
from tuneproof.formats.regressions import Item, read_regressions
from tuneproof.formats.run import read_run
from tuneproof.inference import regressions as asking
from tuneproof.inference.cli import main
from tuneproof.inference.config import RegressionsConfig
from tuneproof.inference.variants import Variants, load_variants

RUN = "llama-mud"


@pytest.fixture(scope="module")
def part(runs: Path) -> Iterator[Variants]:
    """The base with a run that says "Mud."."""
    loaded = load_variants([read_run(runs / RUN)])
    yield asking._without_other_forms(loaded[0])


def _config(runs: Path, out: Path, **changes: object) -> RegressionsConfig:
    values = {"run": (RUN,), "runs": runs, "out": out, "max_new_tokens": 4, "limit": 16}
    return RegressionsConfig(**{**values, **changes})  # type: ignore[arg-type]


def test_the_base_is_asked_in_its_own_form_alone_and_each_run_in_its_own(part: Variants) -> None:
    assert part.names == ["base", RUN]


def test_log_likelihoods_are_those_of_each_text_alone(part: Variants) -> None:
    texts = ["The river is slow and wide.", "Mud."]
    pairs, expected = [], []
    for text in texts:
        ids = [part.tokenizer.bos_token_id, *part.tokenizer(text)["input_ids"]]
        pairs.append((ids[:1], ids[1:]))
        with torch.inference_mode():
            logits = part.model(input_ids=torch.tensor([ids]), **part.routed([RUN])).logits[0]
        chances = logits[:-1].log_softmax(-1)
        expected.append(sum(chances[place, token].item() for place, token in enumerate(ids[1:])))
    assert asking.log_likelihoods(part, RUN, pairs) == pytest.approx(expected, rel=1e-4)
    assert asking.log_likelihoods(part, "base", pairs) != pytest.approx(expected, rel=1e-3)


def test_bits_per_byte_are_nats_over_the_bytes_and_the_likelier_choice_is_taken(
    part: Variants,
) -> None:
    text = Item(id="t", text="The river is slow.")
    choice = Item(id="c", prompt="What does river 5 carry?", choices=("Ice.", "Mud."), right="Mud.")
    prompts = {name: part.ask(name, choice.example(), 4) for name in part.names}
    asked = {name: one.prompt_ids for name, one in prompts.items() if one is not None}
    ids = [part.tokenizer.bos_token_id, *part.tokenizer(text.text)["input_ids"]]
    (nats,) = asking.log_likelihoods(part, RUN, [(ids[:1], ids[1:])])
    of_text, of_choice = asking._scored(part, [text, choice], {"t": {}, "c": asked})
    expected = -nats / math.log(2) / len(text.text)
    assert of_text[RUN]["bits_per_byte"] == pytest.approx(expected, abs=1e-4)
    assert of_choice[RUN] == {"choice": "Mud."}


def test_what_is_too_long_for_the_model_is_left_out_and_said(runs: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    rows = [
        {"id": "long-text", "text": "The river is slow. " * 60},
        {"id": "long-prompt", "prompt": "What does the river carry? " * 60, "contains": ["mud"]},
    ]
    mine.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = _config(runs, tmp_path / "r.json", must_work=mine, limit=18)
    read = asking.compare_regressions(config)
    assert {"long-text", "long-prompt"} <= set(read.left_out)
    assert len(read.items) + len(read.left_out) == 18


def test_items_are_asked_of_every_kind_and_go_on_where_they_stopped(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.jsonl"
    rows = [
        {"id": "mud", "prompt": "What does river 3 carry?", "contains": ["mud"]},
        {"id": "choice", "prompt": "What does river 5 carry?", "choices": ["Mud.", "Ice."],
         "right": "Mud."},
        {"id": "short", "text": "The river is slow."},
    ]  # fmt: skip
    mine.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = _config(runs, tmp_path / "r.json", must_work=mine, limit=27)
    written, calls = asking.answer_batch, []

    def once(*args: object) -> object:
        if calls:
            raise KeyboardInterrupt
        calls.append(args)
        return written(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(asking, "answer_batch", once)
        with pytest.raises(KeyboardInterrupt):
            asking.compare_regressions(_config(runs, config.out, must_work=mine, batch_size=3))
    assert asking.compare_regressions(config) == read_regressions(config.out)
    read = read_regressions(config.out)
    by_id = {item.id: item for item in read.items}
    assert read.left_out == ("text-1", "text-2", "text-3")  # too long for so small a model
    assert len({item.kind for item in read.items}) == 8 and len(read.items) == 24
    assert by_id["mud"].answers[RUN].text == "Mud."
    assert by_id["choice"].answers[RUN].choice == "Mud."
    assert by_id["short"].answers["base"].bits_per_byte
    assert asking.is_up_to_date(config)
    mine.write_text(mine.read_text().replace("river 3", "river 4"))
    assert not asking.is_up_to_date(config)


def test_the_command_says_what_was_broken_and_notes_it_in_the_card_once(
    runs: Path, tmp_path: Path
) -> None:
    command = ["compare", "regressions", "--run", RUN, "--runs", str(runs), "--limit", "16"]
    command += ["--out", str(tmp_path / "r.json"), "--max-new-tokens", "2"]
    for _ in range(2):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
    assert f"{RUN}: And it broke nothing" in done.output and "left out as too long" in done.output
    assert "next: score report FILE --regressions" in done.output
    card = (runs / RUN / "README.md").read_text()
    assert card.count("## What it broke") == 1 and "| all | 14 |" in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"few_shot": 2}, "few_shot decides nothing for regressions"),
        ({"endpoint": ("a=http://localhost:1",)}, "endpoint decides nothing"),
        ({"turns": "last"}, "turns decides nothing"),
        ({"no_baselines": True}, "no_baselines decides nothing"),
    ],
)
def test_what_decides_nothing_is_refused(
    runs: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _config(runs, tmp_path / "r.json", **changes)


def test_device_and_processes_are_heard(runs: Path, tmp_path: Path) -> None:
    config = _config(runs, tmp_path / "r.json", device="cuda:7")
    with pytest.raises(InputError, match="--device cuda:7"):
        asking.compare_regressions(config)
    command = ["compare", "regressions", "--run", RUN, "--num-processes", "2"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2 and "regressions are asked in one process" in done.output


def test_a_base_alone_and_a_file_of_something_else_are_refused(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("[]")
    with pytest.raises(InputError, match="is no file of answers to general items"):
        asking.compare_regressions(_config(runs, tmp_path / "r.json"))
    alone = RegressionsConfig(model=("tiny",), out=tmp_path / "new.json")
    with pytest.raises(InputError, match="measured against the base"):
        asking.compare_regressions(alone)


def test_must_work_needs_the_word(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('["Who?"]')
    command = ["compare", str(tmp_path / "p.json"), "--model", "tiny", "--must-work", "x.json"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2 and "infer compare regressions" in done.output
