"""What several rooms test with: a small tokenizer, and the folder of public data where it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
EOS = "<|endoftext|>"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data: $TUNEPROOF_TEST_DATA, or shared/data in or beside the checkout."""
    named = os.environ.get("TUNEPROOF_TEST_DATA")
    folders = [Path(named)] if named else [ROOT / "shared/data", ROOT.parent / "shared/data"]
    for folder in folders:
        if folder.is_dir():
            return folder
    pytest.skip("no public data; set TUNEPROOF_TEST_DATA to the folder that holds it")


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """A byte-level BPE of 400 tokens with GPT-2's EOS, made in memory."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = [
        "### Instruction:\nWhat does the river carry to the sea?\n\n### Response:\nMud and stones.",
        "### Input:\nThe river is slow and wide; in the winter there is ice on it, tons of ice.",
    ]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token=EOS, eos_token=EOS)
