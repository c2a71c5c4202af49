"""Load saved adapters: check that they fit their base, and what can be done with them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, first_line
from tuneproof.files import read_json
from tuneproof.models.weights import ADAPTER_WEIGHTS, check_files, fault_in

CONFIG = "adapter_config.json"
FETCHED = (
    CONFIG, ADAPTER_WEIGHTS,
    "chat_template.jinja", "chat_template.json", "tokenizer_config.json",
)  # fmt: skip
"""What is fetched of an adapter on the Hub."""
APART = (
    "use_dora", "use_qalora", "use_bdlora", "layer_replication", "trainable_token_indices",
    "alora_invocation_tokens", "arrow_config", "target_parameters", "modules_to_save",
)  # fmt: skip
"""Settings of LoRA that answer in no batch with others, or change the base itself."""
VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM can be set up for."""
MISSING_KEYS = "Found missing adapter keys"
"""How PEFT's warning begins that an adapter lacks tensors, or is of another model."""


def core_of(model: Any) -> Any:
    """Return the model inside PEFT's wrapper, or inside ours for virtual tokens; else itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds an adapter of PEFT."""
    return (folder / CONFIG).is_file()


def settings_of(adapter: Path) -> dict[str, Any]:
    """Return what an adapter's configuration holds.

    Raises:
        InputError: It is no configuration of PEFT.
    """
    values = read_json(adapter / CONFIG)
    if not isinstance(values, dict) or not isinstance(values.get("peft_type"), str):
        raise InputError(f"{adapter / CONFIG} is no adapter of PEFT: it has no peft_type")
    return values


def checked(adapter: Path) -> dict[str, Any]:
    """Return the configuration of an adapter that answers prompts.

    Raises:
        InputError: It is of another kind, or its weights are missing.
    """
    values = settings_of(adapter)
    task = values.get("task_type")
    if task not in (None, "CAUSAL_LM"):
        raise InputError(
            f"{adapter} is an adapter of task_type {task}: it answers no prompts; one of CAUSAL_LM "
            "is needed"
        )
    check_files(adapter)
    if fault := fault_in(adapter / ADAPTER_WEIGHTS):
        raise InputError(f"{adapter / ADAPTER_WEIGHTS}: {fault}")
    return values


def find(text: str) -> Path:
    """Return the folder of an adapter: a local one, or that of the Hub's cache.

    Args:
        text: A folder, or a Hub id.

    Raises:
        InputError: There is no adapter in the folder, or the Hub does not give one.
    """
    folder = Path(text).expanduser()
    if folder.is_dir():
        if not is_adapter(folder):
            hint = "; its folder adapter does" if is_adapter(folder / "adapter") else ""
            raise InputError(f"{folder} holds no {CONFIG}{hint}")
        return folder
    if folder.is_absolute() or text.startswith((".", "~")) or text.count("/") != 1:
        raise InputError(f"no such adapter folder: {text}")
    return _fetched(text)


def _fetched(name: str) -> Path:
    from huggingface_hub import snapshot_download

    from tuneproof.hub import hub_or_cache

    try:
        with hub_or_cache() as answers:
            folder = Path(snapshot_download(name, allow_patterns=list(FETCHED)))
    except (OSError, ValueError) as error:
        reason = first_line(error).rstrip(".")
        if not answers:
            reason = "the Hub does not answer, and it was not fetched before"
        raise InputError(f"cannot fetch the adapter {name!r}: {reason}; give a folder") from error
    if not is_adapter(folder):
        raise InputError(f"{name!r} on the Hub holds no {CONFIG}; it is no adapter")
    return folder


def shares_base(adapter: Path) -> bool:
    """Return whether an adapter can answer in one batch with others, over one whole base.

    It cannot where weights of the base itself were trained, or where PEFT has no batches of several
    adapters: plain LoRA has them, and nothing else.
    """
    config = settings_of(adapter)
    return bool(
        config["peft_type"] == "LORA"
        and config.get("bias") == "none"
        and not any(config.get(name) for name in APART)
    )


def vllm_rank(rank: int) -> int:
    """Return what vLLM is set up for so that it takes adapters of a rank, as `max_lora_rank`."""
    return next((one for one in VLLM_RANKS if one >= rank), VLLM_RANKS[-1])


def can_merge(adapter: Path) -> bool:
    """Return whether an adapter can become part of the weights; virtual tokens cannot."""
    return "num_virtual_tokens" not in settings_of(adapter)


def with_adapter(model: Any, adapter: Path, name: str = "default") -> Any:
    """Return a model with one more saved adapter on it, and its head where it has one.

    Raises:
        InputError: The adapter cannot be loaded, lacks weights or a head, or is another model's.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    check_files(adapter)
    if fault := fault_in(adapter / ADAPTER_WEIGHTS):
        raise InputError(f"cannot load the adapter in {adapter}: {fault}")
    try:
        with warnings.catch_warnings():
            # PEFT 0.21 looks for AdaLoRA's ranks by layer, and they are by tensor
            warnings.filterwarnings("ignore", message=".*rank_pattern keys did not match")
            # PEFT would go on with a part of the adapter as it is before any training
            warnings.filterwarnings("error", message=MISSING_KEYS)
            # 4-bit layers are (out, in); those of a whole GPT-2 are not, and PEFT sees to it
            warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")
            if isinstance(model, PeftModel):
                model.load_adapter(str(adapter), adapter_name=name)
            else:
                model = PeftModel.from_pretrained(model, str(adapter), adapter_name=name)
    except KeyError as error:
        raise InputError(f"the adapter in {adapter} lacks the head's {error}") from error
    except UserWarning as error:
        lacking = str(error).partition(":")[2].strip().split("\n")[0]
        raise InputError(f"the adapter in {adapter} lacks tensors: {lacking[:200]}") from error
    except (SafetensorError, RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"cannot load the adapter in {adapter}: {first_line(error)[:300]}"
        ) from error
    if settings_of(adapter)["peft_type"] == "LORA":
        _check_all_used(model, adapter, name)
    return model


def _check_all_used(model: Any, adapter: Path, name: str) -> None:
    """Raise InputError where the file holds LoRA weights of layers that the base does not have."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(str(adapter / ADAPTER_WEIGHTS), "pt") as file:
        held = {key for key in file.keys() if ".lora_" in key}  # noqa: SIM118 - no mapping
    used = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
    if extra := sorted(held - used.keys()):
        raise InputError(
            f"the adapter in {adapter} does not fit the base: {len(extra)} of its weights have no "
            f"place in it, such as {extra[0]}"
        )
