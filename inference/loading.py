"""Loading what answers: a base with adapters, a run alone, merged, or in 4 bits; with the costs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import read_json
from tuneproof.formats.run import described
from tuneproof.models import load as models
from tuneproof.models.four_bit import FourBit, four_bit_of, weights_bytes
from tuneproof.models.virtual_tokens import VirtualTokens

Row = dict[str, Any]
"""A variant as the comparison file records it."""


@dataclass(frozen=True, kw_only=True)
class Loading:
    """Loads models, and notes what each costs."""

    dtype: models.Dtype
    """Of the weights that are not in 4 bits."""

    def together(self, base: str, adapters: Sequence[Path]) -> tuple[Any, list[Row]]:
        """Return a base with adapters `v1`, `v2`, ..., and what it costs alone and with each."""
        model, cost = _timed(lambda: _loaded(base, self.dtype))
        costs = [cost]
        for index, adapter in enumerate(adapters, 1):
            before = weights_bytes(model)
            model, more = _timed(lambda: with_adapter(model, adapter, f"v{index}"))  # noqa: B023
            costs.append(
                {
                    "load_seconds": round(cost["load_seconds"] + more["load_seconds"], 3),
                    "weights_bytes": cost["weights_bytes"] + more["weights_bytes"] - before,
                }
            )
        return model.eval(), costs

    def run(self, folder: Path, facts: dict[str, Any]) -> tuple[Any, Row]:
        """Return a run with a model of its own, over the base as it was trained on."""
        whole, adapter = folder / "model", folder / "adapter"
        if whole.is_dir():
            model, cost = _timed(lambda: _loaded(str(whole), self.dtype).eval())
            return model, described(folder, facts, None) | cost
        base, held = facts["base"]["model"], four_bit_of(facts)
        model, cost = _timed(lambda: with_adapter(_loaded(base, self.dtype, held), adapter).eval())
        if model.active_peft_config.is_prompt_learning:
            model = VirtualTokens(model)
        return model, described(folder, facts, adapter) | cost

    def merged(self, folder: Path, facts: dict[str, Any]) -> tuple[Any, Row]:
        """Return a run merged into its full-precision base, in memory.

        Raises:
            InputError: There is nothing that could be merged.
        """
        if (folder / "model").is_dir() or not can_merge(folder):
            raise InputError(f"run {folder.name!r} has no adapter that can be merged")
        base, adapter = facts["base"]["model"], folder / "adapter"
        model, cost = _timed(
            lambda: with_adapter(_loaded(base, self.dtype), adapter).merge_and_unload().eval()
        )
        row = described(folder, facts, adapter, f"{folder.name}-merged")
        return model, row | {"quantization": None, "merged": True} | cost

    def four_bit(self, base: str, held: FourBit) -> tuple[Any, Row]:
        """Return the base in 4 bits."""
        model, cost = _timed(lambda: _loaded(base, self.dtype, held).eval())
        row = {"name": "base-4bit", "model": base, "adapter": None, "quantization": asdict(held)}
        return model, row | cost


def shares_base(folder: Path, facts: dict[str, Any]) -> bool:
    """Return whether a run's adapter can answer in one batch with others, over one base.

    It cannot where the base was in 4 bits, where weights of the base itself were trained, or where
    PEFT has no batches of several adapters: LoRA without DoRA has them, and nothing else.
    """
    if (folder / "model").is_dir() or four_bit_of(facts) is not None:
        return False
    told = read_json(folder / "adapter" / "adapter_config.json")
    return bool(
        told["peft_type"] == "LORA" and not told.get("use_dora") and told.get("bias") == "none"
    )


def can_merge(folder: Path) -> bool:
    """Return whether a run's adapter is part of the weights; virtual tokens are none."""
    return "num_virtual_tokens" not in read_json(folder / "adapter" / "adapter_config.json")


def with_adapter(model: Any, adapter: Path, name: str = "default") -> Any:
    """Return a model with one more saved adapter on it; InputError where it cannot be loaded."""
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        with warnings.catch_warnings():
            # PEFT 0.21 looks for AdaLoRA's ranks by layer, and they are by tensor
            warnings.filterwarnings("ignore", message=".*rank_pattern keys did not match")
            # 4-bit layers are (out, in); those of a whole GPT-2 are not, and PEFT sees to it
            warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")
            if isinstance(model, PeftModel):
                model.load_adapter(str(adapter), adapter_name=name)
                return model
            return PeftModel.from_pretrained(model, str(adapter), adapter_name=name)
    except (SafetensorError, RuntimeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"cannot load the adapter in {adapter}: {reason}") from error


def _timed(load: Callable[[], Any]) -> tuple[Any, Row]:
    """Return a model, with the time its loading took and the memory its weights take."""
    began = time.perf_counter()
    model = load()
    seconds = round(time.perf_counter() - began, 3)
    return model, {"load_seconds": seconds, "weights_bytes": weights_bytes(model)}


def _loaded(model: str, dtype: models.Dtype, four_bit: FourBit | None = None) -> Any:
    loaded = models.load_model(model, dtype=dtype, four_bit=four_bit)
    _forget_decoding(loaded)
    return loaded


def _forget_decoding(model: Any) -> None:
    """Drop what the model's files say about decoding, its stop tokens apart.

    `generate` would fill in a repetition penalty, say, that the comparison does not record.
    """
    from transformers import GenerationConfig

    stops = model.generation_config.eos_token_id
    model.generation_config = GenerationConfig(eos_token_id=stops)
