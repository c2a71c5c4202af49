from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.formats.template import Template
from tuneproof.prompts import template as templates

FOLDER = Path(__file__).parent / "chat_templates"
MARKS = {
    "chatml": ["<|im_start|>", "<|im_end|>"],
    "llama3": ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    "gemma": ["<start_of_turn>", "<end_of_turn>"],
    "mistral": [],
    "qwen3": ["<|im_start|>", "<|im_end|>"],
    "phi": ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
    "without-opening": ["<|im_start|>", "<|im_end|>"],
    "counting": ["<|im_start|>", "<|im_end|>"],
    "zephyr": [],
    "vicuna": [],
    "command": [
        "<|START_OF_TURN_TOKEN|>",
        "<|END_OF_TURN_TOKEN|>",
        "<|SYSTEM_TOKEN|>",
        "<|USER_TOKEN|>",
        "<|CHATBOT_TOKEN|>",
    ],
    "deepseek": ["<|User|>", "<|Assistant|>"],
    "olmo": [],
    "granite": ["<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"],
    "smollm3": ["<|im_start|>", "<|im_end|>"],
    "mistral-late": ["[INST]", "[/INST]"],
    "human": [],
    "default-system": ["<|im_start|>", "<|im_end|>"],
    "llama2": [],
    "thinker": ["<|User|>", "<|Assistant|>"],
}
"""The control tokens that a template writes, beside BOS and EOS."""
NOT_CALLED_SPECIAL = ("deepseek", "default-system")
"""Templates whose marks are added tokens that the tokenizer does not call special."""


@pytest.fixture(scope="session")
def chat(tokenizer: Any) -> Callable[..., tuple[Template, Any]]:
    """Return a chat template by name, and a tokenizer that knows its tokens and adds a BOS."""
    from tokenizers import AddedToken, processors
    from transformers import PreTrainedTokenizerFast

    def make(name: str, **variables: Any) -> tuple[Template, Any]:
        backend = type(tokenizer._tokenizer).from_str(tokenizer._tokenizer.to_str())
        backend.add_special_tokens(["<s>", *([] if name in NOT_CALLED_SPECIAL else MARKS[name])])
        backend.add_tokens([AddedToken(mark, normalized=False) for mark in MARKS[name]])
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", backend.token_to_id("<s>"))]
        )
        made = PreTrainedTokenizerFast(
            tokenizer_object=backend, bos_token="<s>", eos_token="<|endoftext|>",
            additional_special_tokens=[] if name in NOT_CALLED_SPECIAL else MARKS[name],
        )  # fmt: skip
        text = (FOLDER / f"{name}.jinja").read_text()
        made.chat_template = text
        return templates.own(text, variables), made

    return make
