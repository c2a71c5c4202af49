"""Plan a training on GPUs that need not be here: memory, batch and time from a model's config."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from tuneproof.errors import InputError, unknown
from tuneproof.formats.data_folder import FILES, open_to_train
from tuneproof.formats.run import Counts
from tuneproof.kernels.decoding_attention import queries_per_key
from tuneproof.kernels.training import fast_paths
from tuneproof.models import load as models
from tuneproof.models.device import torch_dtype
from tuneproof.models.virtual_tokens import virtual_tokens_of
from tuneproof.text import duration
from tuneproof.tuning import adapters, runs
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.cost.flops import Rates, rates_of
from tuneproof.tuning.cost.kept import Load, kept_by, padded
from tuneproof.tuning.cost.machine import Memory, memory_of
from tuneproof.tuning.device import weights_dtype
from tuneproof.tuning.methods import METHODS

Sharding = Literal["none", "full"]
SPARE = 0.08
"""Share of a GPU's memory that is left free, for CUDA itself and what fragments."""
FOUR_BITS = 0.516
"""Bytes of a weight in 4 bits, its part of the scales included."""
UNIT = 2
"""Layers whose weights FSDP has gathered at a time: the one at work, and the next."""
FUSED = "tuneproof_fused"
"""The name under which transformers finds attention as a GPU has it."""
EXAMPLES = 1000
"""Examples that are planned for where there are no data."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A kind of GPU, by its maker's data sheet."""

    memory: float
    """GiB that torch sees."""
    teraflops: float
    """10^12 operations a second of dense 16-bit matrix products."""
    has_bfloat16: bool = True
    """Whether it multiplies bfloat16, or float16 only."""


GPUS = {
    "a10": Gpu(memory=22.0, teraflops=125),
    "a100-40": Gpu(memory=39.4, teraflops=312),
    "a100": Gpu(memory=79.1, teraflops=312),
    "h100": Gpu(memory=79.1, teraflops=989),
    "h200": Gpu(memory=139.8, teraflops=989),
    "l4": Gpu(memory=22.0, teraflops=121),
    "l40s": Gpu(memory=44.4, teraflops=362),
    "rtx3090": Gpu(memory=23.6, teraflops=71),
    "rtx4090": Gpu(memory=23.6, teraflops=165),
    "t4": Gpu(memory=14.6, teraflops=65, has_bfloat16=False),
    "v100": Gpu(memory=31.7, teraflops=125, has_bfloat16=False),
}
"""The kinds of GPU by name."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a training would take."""

    config: TuneConfig
    """The settings."""
    gpus: int
    """How many there are; each holds a process."""
    gpu: Gpu
    """Their kind."""
    memory: Memory
    """Of one process, with the settings' batch."""
    largest_batch: int
    """Most examples at once on a GPU; 0 where not even one fits."""
    parameters: tuple[int, int]
    """How many are trained, and all."""
    counts: Counts
    """The examples that are trained on."""
    is_assumed: bool
    """Whether there are no data, so that every example is taken to have max_length tokens."""
    epochs: float
    """Passes over the examples until the training ends."""
    flops: float
    """Operations until then."""
    seconds: float
    """Of the steps, evaluations apart."""

    def lines(self) -> Iterator[str]:
        """Yield the plan as lines of text."""
        trained, total = self.parameters
        config, memory = self.config, self.memory
        yield f"{config.model}: {total / 1e9:.3g} B parameters, {trained / 1e6:.3g} M are trained"
        parts = ("weights", "trained", "activations", "logits", "libraries")
        named = ", ".join(f"{name} {getattr(memory, name) / 2**30:.2f}" for name in parts)
        batch = config.per_device_train_batch_size
        fits = "fits" if memory.total <= (1 - SPARE) * self.gpu.memory * 2**30 else "does not fit"
        yield f"memory per GPU with a batch of {batch}: {memory.total / 2**30:.2f} GiB ({named})"
        yield f"that {fits} in {self.gpu.memory:g} GiB; the largest batch is {self.largest_batch}"
        step = batch * config.gradient_accumulation_steps * self.gpus
        counts = self.counts
        of = f"{counts.tokens:,} tokens"
        if self.is_assumed:
            of = f"of {config.max_length} tokens each, since {config.data} holds none"
        epochs = f"{self.epochs:.3g} epochs of {counts.examples:,} examples ({of})"
        yield f"a step: {step} examples; {epochs}: {self.flops:.3g} operations"
        yield f"time: about {duration(round(self.seconds))} on {self.gpus} GPUs, evaluations apart"


def plan(
    config: TuneConfig,
    *,
    gpus: int,
    gpu: str,
    sharding: Sharding = "none",
    share_of_peak: float = 0.35,
) -> Plan:
    """Return what a training would take; nothing but the model's config and tokenizer is read.

    Args:
        config: The settings.
        gpus: How many GPUs, each with a process of its own.
        gpu: Their kind, a name in `GPUS`.
        sharding: ``full`` deals weights and the optimizer's state out over all, as FSDP does.
        share_of_peak: Which part of the data sheet's operations a second is reached.

    Raises:
        InputError: An unknown kind of GPU, or an objective or model that cannot be planned.
    """
    kind = _checked(config, gpus, gpu, share_of_peak)
    model, four_bit_saving = _model(config)
    counts, is_assumed = _counts(config)
    is_half = config.mixed_precision == "fp16" or not kind.has_bfloat16
    products = "float16" if is_half else "bfloat16"
    settings = runs.recorded(config)
    reaches_layers = METHODS[config.method].reaches_layers
    with fast_paths(model, config.no_fast_path) as paths:
        kept = kept_by(model, products, reaches_layers=reaches_layers)

    def memory(batch: int) -> Memory:
        load = _load(model, counts, batch)
        whole = memory_of(model, settings, kept, load, products, paths)
        whole = replace(whole, weights=whole.weights - four_bit_saving)
        return whole if sharding == "none" else _sharded(whole, model, gpus)

    limit = (1 - SPARE) * kind.memory * 2**30
    rates = rates_of(model, is_checkpointing=config.gradient_checkpointing)
    flops = _flops_of_epoch(rates, counts)
    seconds = flops / (gpus * kind.teraflops * 1e12 * share_of_peak)
    epochs = _epochs(config, counts, gpus, flops, seconds)
    sizes = [value.numel() for value in model.parameters() if value.requires_grad]
    return Plan(
        config=config,
        gpus=gpus,
        gpu=kind,
        memory=memory(config.per_device_train_batch_size),
        largest_batch=_largest(lambda size: memory(size).total <= limit, counts.examples),
        parameters=(sum(sizes), sum(value.numel() for value in model.parameters())),
        counts=counts,
        is_assumed=is_assumed,
        epochs=epochs,
        flops=epochs * flops,
        seconds=epochs * seconds,
    )


def _checked(config: TuneConfig, gpus: int, gpu: str, share_of_peak: float) -> Gpu:
    """Return the kind of GPU; InputError where something cannot be planned."""
    if gpu not in GPUS:
        raise unknown("GPU", gpu, GPUS)
    if gpus < 1 or not 0 < share_of_peak <= 1:
        raise InputError(
            f"--gpus must be at least 1 and --share-of-peak over 0 and at most 1, got {gpus} and "
            f"{share_of_peak}"
        )
    if config.objective != "generate":
        raise InputError("`tune plan` knows the objective generate only")
    precision, kind = config.mixed_precision, GPUS[gpu]
    if precision == "no":
        raise InputError(f"--mixed-precision no: `tune plan` knows a {gpu}'s speed in 16 bits only")
    if precision == "bf16" and not kind.has_bfloat16:
        raise InputError(f"--mixed-precision bf16: a {gpu} has no bfloat16; give fp16 or auto")
    return kind


def _model(config: TuneConfig) -> tuple[Any, float]:
    """Return the model with its adapter, without values, and what 4 bits save of its weights."""
    import torch
    from transformers.pytorch_utils import Conv1D

    is_four_bit = config.four_bit is not None
    # what a base in 4 bits, or PiSSA's first factors, are made from are values
    method = "lora" if config.method in ("qlora", "pissa") else config.method
    plain = replace(config, method=method, load_in_4bit=False)
    dtype = torch_dtype(weights_dtype(plain, "cuda"), "cuda")
    model = models.empty_model(config.model, dtype)
    _attend_as_a_gpu(model, config.attn_implementation)
    layers = [
        module.weight.numel() * module.weight.element_size()
        for module in model.modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
        and module is not model.get_output_embeddings()
    ]
    saving = sum(layers) * (1 - FOUR_BITS / dtype.itemsize) if is_four_bit else 0.0
    with torch.device("meta"):
        adapted = adapters.adapt(plain, model).model
    adapters.train_in_float32(adapted)
    return adapted, saving


def _attend_as_a_gpu(model: Any, implementation: str | None) -> None:
    """Have a model without values keep what a GPU's fused attention keeps; torch's keeps scores."""
    from transformers import AttentionInterface

    AttentionInterface.register(FUSED, _fused)
    wanted = implementation or model.config._attn_implementation
    model.config._attn_implementation = "eager" if wanted == "eager" else FUSED


def _fused(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Any, None]:
    """Attend as transformers asks: (batch, heads, tokens, width) in, (batch, tokens, ...) out."""
    import torch
    from transformers.integrations.sdpa_attention import repeat_kv

    if (groups := queries_per_key(module)) > 1:  # as for a batch with padding
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    attend = torch.ops.aten._scaled_dot_product_flash_attention
    out = attend(query, key, value, dropout, True, scale=scaling)[0]
    return out.transpose(1, 2), None


def _counts(config: TuneConfig) -> tuple[Counts, bool]:
    """Return the counts of the data, or of examples of the greatest length where there are none."""
    if not (config.data / FILES["train"]).is_file():
        examples = config.limit or EXAMPLES
        tokens = examples * config.max_length
        return Counts(
            examples=examples, tokens=tokens, longest=config.max_length, trained_tokens=tokens,
            shortened=0,
        ), True  # fmt: skip
    from tuneproof.tuning.generate import check_fits, encode, labels_to_name

    data = open_to_train(config.data, config.limit)
    tokenizer = models.load_tokenizer(config.model)
    template, labels = runs.template_of(config), labels_to_name(config, data)
    limit, train_on = config.max_length, config.train_on
    rows = encode(data.train, template, tokenizer, limit, train_on, labels=labels)
    check_fits(rows, limit)
    return rows.counts, False


def _load(model: Any, counts: Counts, batch: int) -> Load:
    """Return the first batch: it holds the longest example, and is filled up to that."""
    rows, longest = min(batch, counts.examples), counts.longest or 0
    share = (counts.trained_tokens or 0) / max(1, counts.tokens)
    longest += virtual_tokens_of(model)
    return padded(model, rows, longest, trained=round(share * rows * longest))


def _flops_of_epoch(rates: Rates, counts: Counts) -> float:
    """Return the operations of one epoch, without padding."""
    examples = max(1, counts.examples)
    of_layers = rates.batch(1, round(counts.tokens / examples))
    return of_layers * examples + rates.per_output * (counts.trained_tokens or 0)


def _epochs(config: TuneConfig, counts: Counts, gpus: int, flops: float, seconds: float) -> float:
    """Return how often the examples are read: until the first limit, or for the epochs asked for.

    Args:
        config: The settings.
        counts: The examples.
        gpus: How many take part in a step.
        flops: Of one epoch.
        seconds: Of one epoch.
    """
    step = config.per_device_train_batch_size * config.gradient_accumulation_steps * gpus
    limits = (
        (config.max_steps, counts.examples / step),
        (config.max_tokens, counts.tokens),
        (config.max_flops, flops),
        (config.max_seconds, seconds),
    )
    ends = [limit / of_one for limit, of_one in limits if limit is not None]
    return min(ends, default=config.num_train_epochs)


def _sharded(whole: Memory, model: Any, gpus: int) -> Memory:
    """Return the memory where weights and the optimizer's state are dealt out over GPUs."""
    layers = int(model.config.get_text_config().num_hidden_layers)
    gathered = UNIT * whole.weights / layers
    return replace(whole, weights=whole.weights / gpus + gathered, trained=whole.trained / gpus)


def _largest(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest size up to `most` that fits; 0 where not even one does."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
