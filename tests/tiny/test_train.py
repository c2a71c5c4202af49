from __future__ import annotations

import itertools
import math
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.models.load import load_model, load_tokenizer
from tuneproof.tiny import train
from tuneproof.tiny.objective import Objective, repetition


def record(task: str) -> Example:
    return Example(id="1", task=task, instruction="ask", input="text", output="answer", group="1")


def test_no_label_of_a_classification_is_seen() -> None:
    for task in ("imdb", "twitter-topics", "complaints"):
        assert train.text_of(record(task)) == "text"
    assert train.text_of(record("dolly")) == "ask\n\ntext\n\nanswer"


def test_batches_follow_the_documents_and_overlap_by_the_predicted_token() -> None:
    documents = [np.arange(9000, dtype=np.uint16)]
    batch = next(train.batches(documents, np.random.default_rng(0), 512))
    assert batch.shape == (16, 513)
    assert batch[0].tolist() == list(range(513))
    assert batch[1, 0] == 512


def test_too_little_text_is_an_error() -> None:
    with pytest.raises(InputError, match="less than one sequence"):
        next(train.batches([np.arange(100, dtype=np.uint16)], np.random.default_rng(0), 512))


def test_learning_rate_warms_up_stays_and_ends_at_nothing() -> None:
    assert train.rate_factor(0.0) == 0.0
    assert train.rate_factor(0.01) == pytest.approx(0.5)
    assert train.rate_factor(0.2) == 1.0
    assert train.rate_factor(1.0) == 0.0


def test_bits_per_byte_of_a_uniform_model() -> None:
    class Uniform:
        device = "cpu"

        def __call__(self, input_ids: torch.Tensor) -> Any:
            logits = torch.zeros(1, input_ids.shape[1], train.VOCABULARY)
            return type("Output", (), {"logits": logits})

    tokenizer = load_tokenizer("tiny")
    text = "The film was good."
    bits = len(tokenizer(text)["input_ids"]) * math.log2(train.VOCABULARY)
    found = train.bits_per_byte(Uniform(), tokenizer, [text])
    assert found == pytest.approx(bits / len(text.encode()), rel=1e-5)


@pytest.mark.slow
def test_loss_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "BATCH_TOKENS", 1024)
    for name, value in (("WIDTH", 32), ("LAYERS", 1), ("HEADS", 2), ("VOCABULARY", 64)):
        monkeypatch.setattr(train, name, value)
    documents = [np.arange(3000, dtype=np.uint16) % 50]
    clock = SimpleNamespace(perf_counter=itertools.count(step=0.05).__next__)
    monkeypatch.setattr(train, "time", clock)  # a step takes 0.05 seconds, however busy others are
    torch.manual_seed(0)
    model = train.new_model()
    feed = partial(train.batches, documents, np.random.default_rng(0))
    last = list(train.train(model, feed, 3.0, compiled=False))[-1]
    assert last["loss"] < 0.8 * math.log(64)


def test_embedded_model_is_what_the_card_says() -> None:
    folder = Path(train.__file__).parent
    model, tokenizer = load_model("tiny", device="cpu"), load_tokenizer("tiny")
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    assert model.num_parameters() <= 8_000_000
    assert size <= 16_000_000
    assert model.config.n_positions == 1024
    assert tokenizer.decode(tokenizer("Grüße, 12 €\n")["input_ids"]) == "Grüße, 12 €\n"
    assert f"{model.num_parameters() / 1e6:.1f} million" in (folder / "README.md").read_text()


def test_embedded_model_predicts_english() -> None:
    model, tokenizer = load_model("tiny", device="cpu").eval(), load_tokenizer("tiny")
    good = train.bits_per_byte(model, tokenizer, ["This is one of the best films of the year."])
    bad = train.bits_per_byte(model, tokenizer, ["Year this the of films the best one is of."])
    assert good < 2.0 < bad


def test_repetition_is_priced_from_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 5, (2, 9), generator=generator)
    logs = torch.randn(2, 8, 5, generator=generator).log_softmax(-1)
    wanted = 0.0
    for row in range(2):
        for place in range(8):
            said = {int(token) for token in ids[row, : place + 1]} - {int(ids[row, place + 1])}
            wanted -= sum(math.log(1 - math.exp(logs[row, place, token])) for token in said)
    assert float(repetition(logs, ids)) == pytest.approx(wanted / 16, rel=1e-5)


@torch.no_grad()  # type: ignore[untyped-decorator]
def test_no_price_leaves_the_cross_entropy() -> None:
    model = load_model("tiny", device="cpu").eval()
    ids = torch.arange(20)[None]
    plain = float(Objective(model)(ids))
    assert plain == pytest.approx(float(model(ids, labels=ids).loss), rel=1e-5)
    assert float(Objective(model, 1.0)(ids)) > plain
