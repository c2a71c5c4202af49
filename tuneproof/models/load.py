"""Find and load base models: embedded, fetched, a local folder, a GGUF file, or the Hub.

Weights are read from safetensors and GGUF only and no code from a model's repository is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError, first_line, is_out_of_memory
from tuneproof.files import read_json
from tuneproof.formats.run import FourBit
from tuneproof.log import quiet_libraries, quiet_loading
from tuneproof.models import fetch, gguf
from tuneproof.models.device import Dtype, choose_device, placed, torch_dtype
from tuneproof.models.four_bit import (
    check_whole,
    head_patterns,
    loading_arguments,
    prepare_four_bit,
)

TINY = (Path(__file__).parents[1] / "tiny").resolve()

ENCODER_HINT = ". An encoder (BERT, DistilBERT, ...) is tuned with --objective classify"
Purpose = Literal["generate", "classify", "count"]


def location(model: str) -> str:
    """Return what transformers is to load: a folder's path or a Hub id.

    A GGUF file is converted where that was not done before.

    Raises:
        InputError: The model looks like a path, and there is no model in it.
    """
    if model == "tiny":
        return str(TINY)
    if model in fetch.MODELS:
        return str(fetch.fetched(model))
    path = Path(model).expanduser()
    if gguf.is_gguf(model):
        return str(gguf.converted(path.resolve()))
    if path.is_dir():
        if not (path / "config.json").is_file():
            files = sorted(path.glob("*.gguf"))
            hint = f"; give the file itself: --model {files[0]}" if files else ""
            raise InputError(f"{path} holds no model: config.json is missing{hint}")
        return str(path.resolve())
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1 or path.is_file():
        raise InputError(f"no such model folder: {model}")
    return model


def stable_name(model: str) -> str:
    """Return the model's name as a run records it: valid from any working folder."""
    if model == "tiny" or model in fetch.MODELS:
        return model
    if gguf.is_gguf(model):
        return str(Path(model).expanduser().resolve())
    return location(model)


def load_tokenizer(model: str, *, purpose: Purpose = "generate") -> Any:
    """Return a model's fast tokenizer; a missing pad token becomes EOS (masks go by position).

    Args:
        model: ``tiny``, ``smollm2``, a folder, a GGUF file, or a Hub id.
        purpose: To ``generate``, there must be an EOS to end answers. To ``classify``, padding is
            on the right, since learned positions count from the first token. To ``count`` tokens,
            any tokenizer will do as it is, also from a folder without a model.

    Raises:
        InputError: There is none that will do; the message says what to type instead.
    """
    from transformers import AutoTokenizer

    source, option = None, "--model"
    if purpose == "count":
        option, folder = "--tokenizer", Path(model).expanduser()
        source = str(folder) if any(folder.glob("tokenizer*")) else None
        if source is None and folder.is_dir():
            raise InputError(f"{folder} holds no tokenizer; give {option} a folder that does")
    with _one_clear_error(model, "tokenizer", source, option):
        tokenizer = AutoTokenizer.from_pretrained(
            source or location(model), trust_remote_code=False
        )
    if purpose == "count":
        return tokenizer
    if tokenizer.eos_token_id is None and purpose == "generate":
        raise InputError(
            f"the tokenizer of {model!r} has no EOS token; nothing could teach it to stop"
            f"{ENCODER_HINT}"
        )
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise InputError(f"the tokenizer of {model!r} has neither a padding nor an EOS token")
        tokenizer.pad_token = tokenizer.eos_token
    if purpose == "classify":
        tokenizer.padding_side = tokenizer.truncation_side = "right"
    return tokenizer


def chat_template(model: str) -> str | None:
    """Return the text of a model's own chat template, or None where it has none.

    Where there are several by name, it is the one called ``default``. A folder's files are read
    without loading a tokenizer.
    """
    folder = Path(location(model))
    if not folder.is_dir():
        return chat_text(load_tokenizer(model).chat_template)
    return chat_template_in(folder)


def chat_template_in(folder: Path) -> str | None:
    """Return the text of the chat template that a folder's files hold, or None."""
    if (file := folder / "chat_template.jinja").is_file():
        return file.read_text(encoding="utf-8")
    for name in ("chat_template.json", "tokenizer_config.json"):
        if (folder / name).is_file() and (text := chat_text(_entry(folder / name))):
            return text
    return None


def _entry(file: Path) -> Any:
    row = read_json(file)
    return row.get("chat_template") if isinstance(row, dict) else None


def chat_text(value: Any) -> str | None:
    """Return the default of a tokenizer's chat templates: one text, or several by name."""
    if isinstance(value, list):
        value = {row.get("name"): row.get("template") for row in value if isinstance(row, dict)}
    if isinstance(value, dict):
        value = value.get("default")
    return value if isinstance(value, str) and value else None


def _config_file(place: str) -> Path | None:
    """Return the config of a model's folder, or of a Hub id that was loaded before."""
    if Path(place).is_dir():
        return Path(place) / "config.json"
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(place, "config.json")
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


def stored_four_bit(model: str) -> FourBit | None:
    """Return how a model's files hold its weights in 4 bits; None where they are whole.

    Of a model on the Hub the config in the cache is read; where none is, nothing is known yet.

    Raises:
        InputError: They are quantised in another way than bitsandbytes' 4 bits, or config.json is
            no object.
    """
    file = _config_file(location(model))
    if file is None:
        return None
    try:
        config = read_json(file)
    except InputError:  # the loader says what is wrong with it
        return None
    stored = config.get("quantization_config") if isinstance(config, dict) else None
    if not isinstance(stored, dict):
        return None
    if not stored.get("load_in_4bit"):
        raise InputError(
            f"the weights of {model!r} are quantised ({stored.get('quant_method')}); give a base "
            "in full precision, or one in bitsandbytes' 4 bits"
        )
    names = {field.name for field in fields(FourBit)}
    return FourBit(**{name: value for name, value in stored.items() if name in names})


def load_model(
    model: str,
    *,
    dtype: Dtype = "auto",
    device: str | None = None,
    four_bit: FourBit | None = None,
    attn_implementation: str | None = None,
) -> Any:
    """Return a causal language model on a device, ready for training or generation.

    Args:
        model: ``tiny``, ``smollm2``, a folder, a GGUF file, or a Hub id.
        dtype: Of the weights; ``auto`` is bfloat16 on a GPU (float16 on one without it) and
            float32 on a CPU.
        device: ``cpu``, ``cuda``, ``cuda:N``, ``mps``; ``auto`` or None picks the fastest there
            is.
        four_bit: How linear layers are held in 4 bits; None leaves them as the files hold them.
            A model whose files are in 4 bits stays as it is.
        attn_implementation: How attention is computed; None leaves it to transformers.

    Raises:
        InputError: It cannot be loaded, there is no such device, or not enough memory on it.
    """
    from transformers import AutoModelForCausalLM

    _check_decodes_alone(model)
    device = choose_device(device)
    stored = stored_four_bit(model)
    how = {"device_map": {"": device}} if stored else loading_arguments(four_bit, device)
    with _one_clear_error(model, "model"):
        loaded, report = AutoModelForCausalLM.from_pretrained(
            location(model),
            dtype=torch_dtype(dtype, device),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            attn_implementation=attn_implementation,
            **(how or placed(device)),
        )
    prepare_four_bit(loaded)
    if report["missing_keys"]:  # transformers would go on with random weights instead
        listed = ", ".join(sorted(report["missing_keys"])[:3])
        raise InputError(
            f"the weights of {model!r} are not those of a causal language model: {listed} missing"
            f"{ENCODER_HINT}"
        )
    if _sees_ahead(loaded):  # an encoder with the head of its masked language modelling
        raise InputError(
            f"{model!r} is no causal language model: it sees the tokens it is to predict"
            f"{ENCODER_HINT}"
        )
    check_finite(loaded, model)
    return loaded if stored or four_bit else loaded.to(device)


def empty_model(model: str, dtype: Any) -> Any:
    """Return a causal language model without values, by its config alone, on torch's ``meta``.

    Args:
        model: As in `load_model`.
        dtype: torch's, of the weights that it would have.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with _one_clear_error(model, "config"):
        config = AutoConfig.from_pretrained(location(model), trust_remote_code=False)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, dtype=dtype)


def _check_decodes_alone(model: str) -> None:
    """Raise InputError for a model with encoder and decoder, such as T5 or BART."""
    from transformers import AutoConfig

    with _one_clear_error(model, "model"):
        config = AutoConfig.from_pretrained(location(model), trust_remote_code=False)
    if config.is_encoder_decoder:
        raise InputError(
            f"{model!r} is an encoder with a decoder ({config.model_type}); these are not "
            "supported. Take a decoder (GPT-2, Llama, Qwen, ...), or with --objective classify an "
            "encoder (BERT, DistilBERT, ...)"
        )


def _sees_ahead(model: Any) -> bool:
    """Return whether a model's logits at a token depend on the next token."""
    import torch

    if getattr(model.config, "is_decoder", None) is not False:  # only encoders can be both
        return False
    with torch.inference_mode():
        rows = (torch.tensor([[5, ahead]], device=model.device) for ahead in (6, 7))
        one, other = (model(input_ids=row).logits[0, 0].float() for row in rows)
    return not torch.allclose(one, other, atol=1e-3)


def load_classifier(
    model: str,
    labels: Sequence[str],
    *,
    pad_token_id: int,
    dtype: Dtype = "auto",
    device: str | None = None,
    four_bit: FourBit | None = None,
    attn_implementation: str | None = None,
) -> tuple[Any, list[str]]:
    """Return a model with a classification head on a device, and the names of its head's modules.

    A head that the base does not have yet begins with random weights from torch's global state. It
    is in float32 whatever the dtype of the rest, since it is trained.

    Args:
        model: As in `load_model`, of any architecture that transformers classifies by.
        labels: The label set; logits are in its order.
        pad_token_id: The padding; decoders classify by the last token before it.
        dtype: Of the weights below the head; ``auto`` as in `load_model`.
        device: As in `load_model`.
        four_bit: How the linear layers below the head are held in 4 bits; None leaves them whole.
        attn_implementation: As in `load_model`.
    """
    from transformers import AutoModelForSequenceClassification

    from tuneproof.models.head import in_float32, new_modules

    _check_decodes_alone(model)
    device = choose_device(device)
    with _one_clear_error(model, "model"), quiet_loading():
        whole = head_patterns(location(model), labels) if four_bit else None
        loaded, report = AutoModelForSequenceClassification.from_pretrained(
            location(model),
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
            problem_type="single_label_classification",
            ignore_mismatched_sizes=True,  # a head for other labels; the rest is checked below
            dtype=torch_dtype(dtype, device),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            attn_implementation=attn_implementation,
            **(loading_arguments(four_bit, device, whole) or placed(device)),
        )
    for config in (loaded.config, loaded.config.get_text_config()):
        config.pad_token_id = pad_token_id
        config.use_cache = False
    new = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    head = new_modules(loaded, new, where=model)
    check_whole(loaded, head, where=model)
    prepare_four_bit(loaded)
    in_float32(loaded, head)
    check_finite(loaded, model)
    return loaded if four_bit else loaded.to(device), head


def check_finite(model: Any, name: str) -> None:
    """Raise InputError where a weight of a model is NaN or infinite; all answers would be garbage.

    Args:
        model: As it is loaded.
        name: What it was loaded from.
    """
    import torch

    for key, value in model.named_parameters():
        if value.is_floating_point() and value.numel() and not value.is_meta:
            ends = torch.stack(torch.aminmax(value.detach()))
            if not bool(ends.isfinite().all()):
                raise InputError(
                    f"the weights of {name!r} are no numbers (NaN or infinite): {key}; the file is "
                    "damaged, or its dtype too narrow"
                )


def check_vocabulary(model: Any, tokenizer: Any) -> None:
    """Raise InputError when the tokenizer has tokens that the model has no embedding for."""
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise InputError(
            f"the tokenizer of {tokenizer.name_or_path!r} has {len(tokenizer):,} tokens, "
            f"its model only {rows:,} embeddings"
        )


def context_length(model: Any) -> int | None:
    """Return how many tokens the model can read at once, or None where it has no such limit."""
    value = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(value) if value else None


def end_ids(generation_config: Any) -> list[int]:
    """Return the tokens that end an answer by a generation config, which has one, several or none.

    Args:
        generation_config: Of transformers.
    """
    named = generation_config.eos_token_id
    return [token for token in (named if isinstance(named, list) else [named]) if token is not None]


def width(model: Any) -> int:
    """Return the size of the model's hidden states."""
    return int(model.config.get_text_config().hidden_size)


@contextmanager
def _one_clear_error(
    model: str, what: str, source: str | None = None, option: str = "--model"
) -> Iterator[None]:
    """Turn the loaders' many errors into one line that says what to type instead."""
    quiet_libraries()
    from safetensors import SafetensorError

    from tuneproof.hub import hub_or_cache

    source = source or location(model)
    try:
        with nullcontext() if Path(source).is_dir() else hub_or_cache():
            yield
    except InputError:
        raise
    except (
        OSError, ValueError, KeyError, ImportError, SafetensorError, RuntimeError, MemoryError,
    ) as error:  # fmt: skip
        if is_out_of_memory(error):
            raise InputError(
                f"the {what} of {model!r} does not fit in the memory that is free; "
                "give a smaller --dtype, a model in 4 bits, or, on a GPU, --device cpu"
            ) from error
        reason = first_line(error).rstrip(".") or type(error).__name__
        hint = "" if Path(source).is_dir() else f". {option} tiny needs no network"
        if "AutoModelForCausalLM" in reason:
            hint = ENCODER_HINT
        if "AutoModelForSequenceClassification" in reason:
            reason = "transformers has no classification head for this architecture"
            hint = ". --objective generate learns labels by writing them"
        raise InputError(f"cannot load the {what} of {model!r}: {reason}{hint}") from error
