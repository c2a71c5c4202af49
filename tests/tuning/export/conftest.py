"""Minute models with a chat template, and what reads a GGUF file back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_positions": 128, "n_embd": 32, "n_layer": 2, "n_head": 2},
    "llama": {"num_key_value_heads": 2, "hidden_size": 64, "num_attention_heads": 4},
    "mistral": {"num_key_value_heads": 1, "head_dim": 32},
    "qwen2": {"num_key_value_heads": 1},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 128},
}


@pytest.fixture(scope="session")
def folders(make_model: Any, tmp_path_factory: Any) -> dict[str, Path]:
    """A minute random model of every architecture that is written, with tied and untied heads."""
    folder = tmp_path_factory.mktemp("to-export")
    common = {
        "max_position_embeddings": 128, "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 2,
    }  # fmt: skip
    made = {}
    for kind, changes in SHAPES.items():
        shape = changes if kind == "gpt2" else {**common, **changes}
        made[kind] = make_model(folder / kind, kind, tie_word_embeddings=kind != "llama", **shape)
    return made


@pytest.fixture
def chat_tokenizer(tokenizer: Any) -> Any:
    """The small tokenizer with marks of turns and a template in ChatML with a default system."""
    import copy

    made = copy.deepcopy(tokenizer)
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    made.chat_template = CHATML
    return made
