"""Load saved adapters: check that they fit their base, and what can be done with them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import fingerprint, read_json
from tuneproof.formats.run import Run
from tuneproof.models.load import weights_hash

WEIGHTS = "adapter_model.safetensors"
MISSING_KEYS = "Found missing adapter keys"
"""How PEFT's warning begins that an adapter lacks tensors, or is of another model."""


def check_base(run: Run) -> None:
    """Raise InputError where the base's weights are not those that the run was trained on."""
    if weights_hash(run.base.model) != run.base.weights_sha256:
        raise InputError(
            f"the weights of {run.base.model!r} are not those that {run.name!r} was trained on; "
            "an adapter means nothing on other weights"
        )


def check_files(adapter: Path) -> None:
    """Raise InputError where the weights of an adapter are missing; PEFT would ask the Hub."""
    if not (adapter / WEIGHTS).is_file():
        raise InputError(f"{adapter} holds no {WEIGHTS}")


def check_saved(run: Run) -> None:
    """Raise InputError where a run's weights are not, byte for byte, those that it was left with.

    The files are read once, which takes about a second per gigabyte. Of older runs, whose run.json
    has no hashes, only values that are no numbers are found.
    """
    if not run.is_whole:
        check_files(run.adapter)
    told = run.weights_sha256
    if told is None:
        for file in run.weights:
            if fault := _fault_in(file):
                raise InputError(f"{file}: {fault}; train again with `tune run --overwrite`")
        return
    for name, sha256 in told.items():
        file = run.saved / name
        if not file.is_file():
            raise InputError(f"{run.saved} holds no {name}")
        if fingerprint(file) != sha256:
            fault = _fault_in(file) or "it holds other numbers"
            raise InputError(
                f"{file} is not the file that the training of {run.name!r} left, whose SHA-256 "
                f"begins with {sha256[:12]}: {fault}. Put that file back, or train again with "
                "`tune run --overwrite`"
            )


def _fault_in(file: Path) -> str | None:
    """Return what is wrong with a file of weights in itself, or None."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - the handle is no mapping
                value = tensors.get_tensor(name)
                if value.is_floating_point() and not bool(value.isfinite().all()):
                    return f"{name} has values that are no numbers (NaN or infinite)"
    except (SafetensorError, OSError) as error:
        return f"it cannot be read ({error})"
    return None


def shares_base(run: Run) -> bool:
    """Return whether a run's adapter can answer in one batch with others, over one base.

    It cannot where the base was in 4 bits, where weights of the base itself were trained, or where
    PEFT has no batches of several adapters: LoRA without DoRA has them, and nothing else.
    """
    if run.is_whole or run.quantization is not None:
        return False
    config = adapter_config(run)
    return bool(
        config["peft_type"] == "LORA"
        and not config.get("use_dora")
        and config.get("bias") == "none"
    )


def can_merge(run: Run) -> bool:
    """Return whether a run has an adapter that is part of the weights; virtual tokens are none."""
    return not run.is_whole and "num_virtual_tokens" not in adapter_config(run)


def adapter_config(run: Run) -> dict[str, Any]:
    """Return what PEFT wrote of a run's adapter.

    Raises:
        InputError: There is no such file, or it is none of PEFT's.
    """
    file = run.adapter / "adapter_config.json"
    config = read_json(file)
    if not isinstance(config, dict) or not isinstance(config.get("peft_type"), str):
        raise InputError(f"{file}: not the configuration of an adapter: it has no peft_type")
    return config


def with_adapter(model: Any, adapter: Path, name: str = "default") -> Any:
    """Return a model with one more saved adapter on it, and its head where it has one.

    Raises:
        InputError: The adapter cannot be loaded, or lacks a head.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    check_files(adapter)
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
                return model
            return PeftModel.from_pretrained(model, str(adapter), adapter_name=name)
    except KeyError as error:
        raise InputError(f"the adapter in {adapter} lacks the head's {error}") from error
    except UserWarning as error:
        lacking = str(error).partition(":")[2].strip().split("\n")[0]
        raise InputError(f"the adapter in {adapter} lacks tensors: {lacking[:200]}") from error
    except (SafetensorError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"cannot load the adapter in {adapter}: {reason}") from error
