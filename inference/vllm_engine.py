"""vLLM in the place of the built-in loop: base and LoRA adapters as requests to one engine.

Prompts go there as token ids, and what ends an answer is told as token ids too, so that template,
special tokens and finish reasons are those of the built-in loop. Sampled answers are other draws.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.inference.config import Decoding
from tuneproof.inference.decode import Stopwatch
from tuneproof.models import load as models
from tuneproof.models.adapters import settings_of, shares_base, vllm_rank
from tuneproof.models.device import Dtype, choose_device, torch_dtype
from tuneproof.models.weights import check_files
from tuneproof.text import one_line

PACKAGE = "vllm"
PATTERNS = ("rank_pattern", "alpha_pattern")
"""Settings of an adapter that vLLM does not read: it would answer with other weights."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """What the rest of a comparison asks of a model that lies in the engine."""

    config: Any
    """The model's configuration."""
    generation_config: Any
    """Its tokens that end an answer."""
    device: str
    """Where the engine is."""


class Engine:
    """A base and adapters over it in vLLM; they are loaded when the first prompt is asked."""

    prompts_at_once = 256
    """Prompts handed over at once; vLLM batches them itself, and answers are kept after each."""

    def __init__(self, base: str, adapters: Mapping[str, Path], dtype: Dtype) -> None:
        """Check what is to be loaded.

        Args:
            base: The model.
            adapters: By variant.
            dtype: Of the weights.

        Raises:
            InputError: vLLM is not installed, or an adapter is none that it reads.
        """
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        try:
            import vllm
        except ImportError as error:
            raise InputError(
                "--engine vllm needs the package vllm, which is not installed here; install it "
                "(pip install 'tuneproof[vllm]'), or leave --engine out"
            ) from error
        self.version: str = vllm.__version__
        self._base, self._adapters = base, dict(adapters)
        for name, adapter in self._adapters.items():
            check_reads(name, adapter)
        self.model = _described(base)
        self._dtype = str(torch_dtype(dtype, self.model.device)).removeprefix("torch.")
        self._tokens: int | None = None
        self._loaded: Any = None

    def make_room(self, tokens: int) -> None:
        """Say how many tokens the longest prompt and its answer have together."""
        self._tokens = tokens

    def answer(
        self,
        rows: Sequence[list[int]],
        names: Sequence[str],
        stops: set[int],
        decoding: Decoding,
        seed: int,
        watch: Stopwatch,
    ) -> list[list[int]]:
        """Return each row's new tokens, the one that ended it among them.

        Args:
            rows: Token ids of the prompts.
            names: The variant of each.
            stops: What ends an answer.
            decoding: How tokens are chosen.
            seed: For sampling.
            watch: Is told of the time, by the tokens that each variant made.
        """
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest

        if self._loaded is None:
            self._loaded = self._load()
        requests = {
            name: LoRARequest(name, number, str(adapter.resolve()))
            for number, (name, adapter) in enumerate(self._adapters.items(), 1)
        }
        watch.start()
        outputs = self._loaded.generate(
            [{"prompt_token_ids": row} for row in rows],
            [
                SamplingParams(**_settings(decoding, stops, seed + index))
                for index in range(len(rows))
            ],
            lora_request=[requests.get(name) for name in names],
            use_tqdm=False,
        )
        new = [_tokens(output.outputs[0], stops) for output in outputs]
        watch.charge([name for name, row in zip(names, new, strict=True) for _ in row])
        return new

    def _load(self) -> Any:
        """Return vLLM's engine; InputError where it cannot hold the model or its adapters."""
        from vllm import LLM

        lora: dict[str, Any] = {}
        if self._adapters:
            ranks = [settings_of(adapter).get("r", 8) for adapter in self._adapters.values()]
            count = len(self._adapters)
            lora = {"enable_lora": True, "max_loras": count, "max_lora_rank": vllm_rank(max(ranks))}
        try:
            return LLM(
                model=models.location(self._base),
                dtype=self._dtype,
                max_model_len=self._tokens,
                generation_config=PACKAGE,  # else the model's own file may bring penalties
                trust_remote_code=False,
                seed=0,
                **lora,
            )
        except (NotImplementedError, RuntimeError, ValueError) as error:
            raise InputError(
                f"vLLM cannot load {self._base!r}: {one_line(str(error), 300)}; leave --engine out"
            ) from error


def check_reads(name: str, adapter: Path) -> None:
    """Raise InputError where vLLM would not answer as an adapter was trained."""
    check_files(adapter)
    settings = settings_of(adapter)
    if not shares_base(adapter) or any(settings.get(key) for key in PATTERNS):
        raise InputError(
            f"--engine vllm answers by plain LoRA adapters, and {name!r} is none; leave --engine "
            "out"
        )


def _described(base: str) -> Described:
    """Return what is known of a model without its weights."""
    from transformers import AutoConfig, GenerationConfig

    folder = models.location(base)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    try:
        stops = GenerationConfig.from_pretrained(folder).eos_token_id
    except OSError:  # it has no such file
        stops = config.get_text_config().eos_token_id
    return Described(
        config=config,
        generation_config=GenerationConfig(eos_token_id=stops),
        device=choose_device(None),
    )


def _settings(decoding: Decoding, stops: set[int], seed: int) -> dict[str, Any]:
    """Return the settings of vLLM's SamplingParams for one answer."""
    drawn: dict[str, Any] = {"temperature": 0.0}
    if decoding.do_sample:
        drawn = {"temperature": decoding.temperature, "top_p": decoding.top_p, "seed": seed}
    return {
        **drawn,
        "max_tokens": decoding.max_new_tokens,
        "stop_token_ids": sorted(stops),
        "ignore_eos": True,  # it is among these where it ends an answer
        "detokenize": False,
    }


def _tokens(output: Any, stops: set[int]) -> list[int]:
    """Return the tokens of an answer, with the one that ended it."""
    tokens = list(output.token_ids)
    if output.finish_reason == "stop" and not (tokens and tokens[-1] in stops):
        tokens.append(output.stop_reason if output.stop_reason in stops else min(stops))
    return tokens
