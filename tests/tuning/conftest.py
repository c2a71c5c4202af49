"""Short trainings: data folders, the settings, functions that run them, and minute encoders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.tuning.config import TuneConfig

LABELS = ["mud", "ice", "sand"]


@pytest.fixture
def settings(
    base_models: dict[str, Path], write_data: Callable[..., Path], tmp_path: Path
) -> Callable[..., TuneConfig]:
    """Settings of a training of a few steps in the test's own folder."""
    write_data(tmp_path / "data")

    def make(**changes: Any) -> TuneConfig:
        plain = {
            "data": tmp_path / "data", "model": str(base_models["gpt2"]), "name": "short",
            "runs": tmp_path / "runs", "max_length": 96, "num_train_epochs": 1,
            "per_device_train_batch_size": 8, "learning_rate": 1e-2, "lora_r": 2,
            "mixed_precision": "no",
        }  # fmt: skip
        return TuneConfig(**{**plain, **changes})

    return make


@pytest.fixture
def tuned(settings: Callable[..., TuneConfig]) -> Callable[..., Any]:
    """Train, and return the run."""
    from tuneproof.tuning.run import finetune

    return lambda **changes: finetune(settings(**changes))


@pytest.fixture(scope="session")
def word_tokenizer() -> Any:
    """A WordPiece of whole words with BERT's special tokens, made in memory; it has no EOS."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    text = "[PAD] [UNK] [CLS] [SEP] the river carries mud ice sand to sea slow and wide"
    words = {word: number for number, word in enumerate(text.split())}
    made = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]",
    )  # fmt: skip


@pytest.fixture(scope="session")
def encoders(word_tokenizer: Any, tmp_path_factory: Any) -> dict[str, Path]:
    """Minute random encoders as they are published: a DistilBERT, and a BERT without a pooler."""
    import torch
    from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

    folder: Path = tmp_path_factory.mktemp("encoders")
    torch.manual_seed(0)
    distilbert = DistilBertModel(
        DistilBertConfig(
            vocab_size=len(word_tokenizer), dim=32, hidden_dim=64, n_layers=2, n_heads=2,
            max_position_embeddings=64, pad_token_id=0, initializer_range=0.2,
        )
    )  # fmt: skip
    bert = BertModel(
        BertConfig(
            vocab_size=len(word_tokenizer), hidden_size=32, intermediate_size=64,
            num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=64,
            pad_token_id=0, initializer_range=0.2,
        ),
        add_pooling_layer=False,
    )  # fmt: skip
    for name, model in (("distilbert", distilbert), ("bert", bert)):
        model.save_pretrained(folder / name)
        word_tokenizer.save_pretrained(folder / name)
    return {name: folder / name for name in ("distilbert", "bert")}


@pytest.fixture(scope="session")
def write_labelled() -> Callable[..., Path]:
    """Write a data folder of texts that name their label, with a manifest that names the labels."""

    def write(
        folder: Path, labels: list[str] = LABELS, train: int = 36, validation: int = 12
    ) -> Path:
        rows = [
            {
                "id": f"r{number}",
                "task": "river",
                "instruction": "What is in it?",
                "input": "the slow river " * (number % 4) + f"carries {labels[number % 3]} to sea",
                "output": labels[number % 3],
            }
            for number in range(train + validation)
        ]
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in (("train", rows[:train]), ("val", rows[train:]), ("test", [])):
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
        manifest = {"schema": "tuneproof/data@1", "labels": {"river": labels}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return write


@pytest.fixture(scope="session")
def all_models(base_models: dict[str, Path], encoders: dict[str, Path]) -> dict[str, Path]:
    """Every minute base a head can be put on."""
    return {**base_models, **encoders}


@pytest.fixture
def classify(
    all_models: dict[str, Path], write_labelled: Callable[..., Path], tmp_path: Path
) -> Callable[..., TuneConfig]:
    """Settings of a classification of a few steps; `kind` chooses the shape of the model."""
    write_labelled(tmp_path / "labelled")

    def make(kind: str = "gpt2", **changes: Any) -> TuneConfig:
        plain = {
            "data": tmp_path / "labelled", "model": str(all_models[kind]), "name": "short",
            "runs": tmp_path / "runs", "max_length": 32, "num_train_epochs": 1,
            "per_device_train_batch_size": 8, "learning_rate": 1e-2, "lora_r": 2,
            "mixed_precision": "no",
            "objective": "classify",
        }  # fmt: skip
        return TuneConfig(**{**plain, **changes})

    return make


@pytest.fixture
def classified(classify: Callable[..., TuneConfig]) -> Callable[..., Any]:
    """Train a classifier, and return the run."""
    from tuneproof.tuning.run import finetune

    return lambda *kind, **changes: finetune(classify(*kind, **changes))
