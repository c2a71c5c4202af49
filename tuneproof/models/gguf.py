"""GGUF files as base models: a file is converted once into a folder of safetensors.

transformers can load such a file itself, but it takes many times as long as safetensors do, and the
model counts as quantised: it cannot be saved, trained, given a classification head, or held in 4
bits. The folder holds the dequantised weights in float32, which is exact, and lies in the user's
cache under the file's hash; it can be deleted at any time.
"""

from __future__ import annotations

import importlib.util
import logging
import struct
import tempfile
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, first_line
from tuneproof.files import cache_folder, existing_file, fingerprint, link, new_folder
from tuneproof.log import quiet_libraries, quiet_loading

_LOGGER = logging.getLogger(__name__)

DIGIT_SPLITTERS = (
    "codeshell",
    "command-r",
    "exaone",
    "minerva-7b",
    "refact",
    "smollm",
    "starcoder",
)
"""What llama.cpp calls tokenizers that cut every digit off, and the rest as GPT-2 does."""
GPT2_SPLITTERS = ("exaone4", "gpt-2", "jais", "mpt", "olmo", "phi-2", "trillion")
"""What it calls those that cut texts as GPT-2 does."""
SPLITS = {
    "llama-bpe": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "qwen2": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
"""What it calls those that cut texts by a regular expression, as their tokenizer.json has it."""

UNREADABLE = (ImportError, LookupError, OSError, RuntimeError, ValueError, struct.error)
"""What transformers and gguf raise at a file that is cut off, damaged, or of an unknown kind."""


def is_gguf(model: str) -> bool:
    """Return whether a model's name is that of a GGUF file, which need not exist."""
    return model.lower().endswith(".gguf") and not Path(model).expanduser().is_dir()


def weights_hash(file: Path) -> str:
    """Return the SHA-256 of a GGUF file; InputError where it is missing."""
    stat = existing_file(file).stat()
    return _fingerprint(file, stat.st_size, stat.st_mtime_ns)


@lru_cache
def _fingerprint(file: Path, _size: int, _mtime_ns: int) -> str:
    return fingerprint(file)


def converted(file: Path) -> Path:
    """Return the folder that holds a GGUF file's model, after converting it where that is new.

    Raises:
        InputError: There is no such file, or no model can be read from it.
    """
    folder = cache_folder() / "gguf" / weights_hash(file)
    if not folder.is_dir():
        _LOGGER.info("converting %s, which is done once, into %s", file, folder)
        try:
            with new_folder(folder) as new:
                convert(file, new)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
    return folder


def convert(file: Path, folder: Path) -> None:
    """Write a GGUF file's model into a folder: safetensors in float32, config and tokenizer.

    Raises:
        InputError: The package gguf is missing, or no causal language model can be read.
    """
    check_reader(file)
    quiet_libraries()
    with tempfile.TemporaryDirectory() as alone:  # other files of its folder would be read as well
        _name_alike(file.resolve(), Path(alone) / "model.gguf")
        try:
            with quiet_loading():
                tokenizer, model = _load(alone, "model.gguf")
        except UNREADABLE as error:
            reason = first_line(error).replace(alone, str(file.parent))
            raise InputError(f"cannot read a model from {file}: {reason}") from error
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


def _name_alike(file: Path, to: Path) -> None:
    """Let a file be found under another name, too."""
    try:
        to.symlink_to(file)
    except OSError:  # Windows lets few users make them
        link(file, to)


def check_reader(file: str | Path) -> None:
    """Raise InputError where the package that reads GGUF files is missing."""
    if importlib.util.find_spec("gguf") is None:
        raise InputError(f"{file} is read by the package gguf: pip install 'tuneproof[gguf]'")


def _load(folder: str, name: str) -> tuple[Any, Any]:
    """Return tokenizer and model, the latter dequantised to float32 and not marked as quantised."""
    import torch
    from tqdm import tqdm
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoTokenizer,
        GgufConfig,
        modeling_gguf_pytorch_utils,
    )

    modeling_gguf_pytorch_utils.tqdm = partial(tqdm, disable=None)  # a bar on terminals only
    config = AutoConfig.from_pretrained(folder, gguf_file=name)
    if config.model_type == "gpt2":  # transformers 5.23 reads the context as n_ctx alone
        config.n_positions = config.n_ctx
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    _split_as_trained(tokenizer, Path(folder, name))
    model, report = AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=name,
        config=config,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
        output_loading_info=True,
    )
    if report["missing_keys"]:  # transformers would go on with random weights instead
        listed = ", ".join(sorted(report["missing_keys"])[:3])
        raise ValueError(f"{listed} missing; a file in several parts must be joined first")
    return tokenizer, model


def _split_as_trained(tokenizer: Any, file: Path) -> None:
    """Cut texts before the merges as the model's own tokenizer does, where transformers does not.

    transformers 5.23 leaves GPT-2's way to every byte-level vocabulary that it does not know:
    SmolLM2 would get an empty line before a digit as two tokens, and was trained on one.
    """
    from gguf import GGUFReader
    from tokenizers import Regex, pre_tokenizers

    backend = tokenizer.backend_tokenizer
    if not isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel):
        return
    field = GGUFReader(file).fields.get("tokenizer.ggml.pre")
    kind = "" if field is None else field.contents()
    if kind in DIGIT_SPLITTERS:
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
    elif kind in SPLITS:
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(SPLITS[kind]), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    elif kind not in GPT2_SPLITTERS:
        _LOGGER.warning(
            "the tokenizer's kind %r is not known: texts are cut as GPT-2 cuts them, "
            "and some may become other tokens than the model was trained on",
            kind,
        )
