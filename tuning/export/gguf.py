"""Write a model as a GGUF file, in the layout that llama.cpp's own converter writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.models import load as models
from tuneproof.models.gguf import check_reader
from tuneproof.models.weights import weight_files
from tuneproof.tuning.export.config import Quantization
from tuneproof.tuning.export.vocabulary import add_tokenizer

FILE_TYPES: Mapping[str, str] = {
    "f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0",
    "q5_1": "MOSTLY_Q5_1", "q4_1": "MOSTLY_Q4_1",
}  # fmt: skip
"""What llama.cpp calls files of such weights."""
KEPT_WHOLE = ("norm", "position_embd")
"""Parts of the names of tensors that llama.cpp never rounds; neither are those of one dimension."""
TRANSPOSED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
"""GPT-2's Conv1D weights are (in, out), those of GGUF (out, in)."""
ARCHITECTURES: Mapping[str, str] = {
    "gpt2": "GPT2", "llama": "LLAMA", "mistral": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3",
}  # fmt: skip
"""Architectures by what transformers calls them."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A tensor as the file holds it."""

    name: str
    """What transformers calls it."""
    rounded: Any
    """Its values after rounding, in transformers' layout; float32."""


def write_gguf(
    folder: Path,
    out: Path,
    quantization: Quantization,
    *,
    name: str,
    see: Callable[[Written], None] = lambda _: None,
) -> None:
    """Write a folder's model with its tokenizer as one GGUF file.

    Args:
        folder: A causal language model in safetensors.
        out: The file.
        quantization: What matrices are stored as; vectors and positions stay float32.
        name: What the file says the model is called.
        see: Is shown every tensor as it was rounded.

    Raises:
        InputError: The package gguf is missing, or the model or its tokenizer cannot be written.
    """
    check_reader(out)
    import gguf

    config, tokenizer = config_of(folder), models.load_tokenizer(str(folder))
    arch = getattr(gguf.MODEL_ARCH, ARCHITECTURES[config.model_type])
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[arch])
    writer.add_type("model")
    writer.add_name(name)
    _add_shape(writer, config)
    writer.add_file_type(getattr(gguf.LlamaFileType, FILE_TYPES[quantization]))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    stops = stop_ids(folder, tokenizer)
    add_tokenizer(writer, tokenizer, stops, config.vocab_size)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    for key, values in _tensors(folder, config):
        known = names.get_name(key, (".weight", ".bias"))
        if known is None:
            raise InputError(f"{folder}: GGUF has no name for the tensor {key}")
        turned = _turned(key, values, config)
        kind = _kind(known, turned, quantization)
        data = gguf.quants.quantize(turned, kind)
        writer.add_tensor(known, data, raw_dtype=kind)
        rounded = gguf.quants.dequantize(data, kind)
        see(Written(name=key, rounded=_turned_back(key, rounded, config)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def stop_ids(folder: Path, tokenizer: Any) -> list[int]:
    """Return the tokens that end an answer of a saved model, the tokenizer's EOS first."""
    from transformers import GenerationConfig

    known: list[int] = []
    if (folder / "generation_config.json").is_file():
        known = models.end_ids(GenerationConfig.from_pretrained(str(folder)))
    return list(dict.fromkeys([tokenizer.eos_token_id, *known]))


def config_of(folder: Path) -> Any:
    """Return a model's configuration; InputError where GGUF or this module has no form for it."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    if config.model_type not in ARCHITECTURES:
        raise InputError(
            f"{config.model_type} models are not written to GGUF here, only "
            f"{', '.join(ARCHITECTURES)}; convert the folder of `--to safetensors` with "
            "llama.cpp's convert_hf_to_gguf.py"
        )
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default":
        raise InputError(
            f"rope_type {rope['rope_type']!r} is not written to GGUF here; convert the folder of "
            "`--to safetensors` with llama.cpp's convert_hf_to_gguf.py"
        )
    return config


def _add_shape(writer: Any, config: Any) -> None:
    """Add what GGUF says of the sizes of a model."""
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    if config.model_type == "gpt2":
        writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    width = _head_dim(config)
    writer.add_vocab_size(config.vocab_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(float((config.rope_parameters or {}).get("rope_theta", 10_000.0)))
    writer.add_rope_dimension_count(width)
    writer.add_key_length(width)
    writer.add_value_length(width)


def _head_dim(config: Any) -> int:
    width = getattr(config, "head_dim", None)
    return int(width or config.hidden_size // config.num_attention_heads)


def _tensors(folder: Path, config: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and float32 values of every tensor but an output head that is the embeddings."""
    import torch
    from safetensors import safe_open

    for file in weight_files(str(folder)):
        with safe_open(str(file), "pt") as held:
            for key in held.keys():  # noqa: SIM118 - no mapping
                if key.endswith((".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq")):
                    continue  # masks and frequencies of older files, which are no weights
                if key == "lm_head.weight" and config.tie_word_embeddings:
                    continue
                yield key, held.get_tensor(key).to(torch.float32).numpy()


def _kind(name: str, values: Any, quantization: Quantization) -> Any:
    """Return how a tensor is stored: rounded where it is a matrix whose rows are whole blocks."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if values.ndim < 2 or any(part in name for part in KEPT_WHOLE):
        return GGMLQuantizationType.F32
    kind = GGMLQuantizationType[quantization.upper()]
    block = GGML_QUANT_SIZES[kind][0]
    return kind if values.shape[-1] % block == 0 else GGMLQuantizationType.F16


def _turned(key: str, values: Any, config: Any) -> Any:
    """Return values in GGUF's layout: (out, in), rotary pairs side by side."""
    import numpy as np

    if config.model_type == "gpt2":
        return np.ascontiguousarray(values.T) if key.endswith(TRANSPOSED) else values
    count = _rotary_heads(key, config)
    if count is None:
        return values
    halves = values.reshape(count, 2, values.shape[0] // count // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(values.shape)


def _turned_back(key: str, values: Any, config: Any) -> Any:
    """Return values of GGUF's layout in transformers'."""
    import numpy as np

    if config.model_type == "gpt2":
        return np.ascontiguousarray(values.T) if key.endswith(TRANSPOSED) else values
    count = _rotary_heads(key, config)
    if count is None:
        return values
    pairs = values.reshape(count, values.shape[0] // count // 2, 2, *values.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(values.shape)


def _rotary_heads(key: str, config: Any) -> int | None:
    """Return the heads whose rotary halves llama.cpp wants as pairs of neighbours, or None."""
    if ARCHITECTURES[config.model_type] != "LLAMA":
        return None
    if ".q_proj." in key:
        return int(config.num_attention_heads)
    return int(config.num_key_value_heads) if ".k_proj." in key else None
