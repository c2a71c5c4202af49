"""Kinds of operations in a training step, told from the names that torch's profiler gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

MATRIX = "matrix products"
ATTENTION = "attention"
COPIES = "copies and casts"
ELEMENTS = "element-wise and norms"
LOSS = "softmax and loss"
OPTIMIZER = "optimizer and clipping"
BATCHES = "putting batches together"
PYTHON = "Python and autograd"
REST = "rest: views, allocations, indices"

KINDS: dict[str, tuple[str, ...]] = {
    MATRIX: ("mm", "mm_out", "addmm", "addmm_", "matmul", "linear"),
    ATTENTION: (
        "bmm", "baddbmm", "baddbmm_", "scaled_dot_product_attention",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention_for_cpu_backward",
        "_scaled_dot_product_attention_math",
    ),
    COPIES: (
        "copy_", "_to_copy", "to", "clone", "contiguous", "cat", "stack", "fill_", "zero_",
        "zeros", "zeros_like", "full", "ones", "repeat", "repeat_interleave", "_foreach_copy_",
    ),
    ELEMENTS: (
        "add", "add_", "sub", "sub_", "rsub", "mul", "mul_", "div", "div_", "neg", "abs", "pow",
        "sqrt", "rsqrt", "mean", "sum", "tanh", "tanh_backward", "gelu", "gelu_backward", "silu",
        "silu_backward", "relu", "threshold_backward", "sigmoid", "where", "masked_fill",
        "masked_fill_", "addcmul", "addcmul_", "clamp", "native_layer_norm",
        "native_layer_norm_backward", "native_dropout", "native_dropout_backward", "bernoulli_",
        "random_", "ge", "lt", "eq", "ne", "bitwise_and", "bitwise_xor_", "__and__", "__ixor__",
        "__lshift__", "triu_",
    ),
    LOSS: (
        "_softmax", "_softmax_backward_data", "_log_softmax", "_log_softmax_backward_data",
        "softmax", "log_softmax", "logsumexp", "nll_loss_forward", "nll_loss_backward",
        "cross_entropy_loss", "exp", "exp_", "log", "amax", "gather", "scatter_add_",
    ),
    OPTIMIZER: (
        "_fused_adamw_", "linalg_vector_norm", "_foreach_norm", "_foreach_add_", "_foreach_mul_",
        "_foreach_lerp_", "_foreach_addcdiv_", "_foreach_addcmul_", "_foreach_sqrt",
        "_foreach_div_",
    ),
}  # fmt: skip
"""Kind -> names of torch's operations, without ``aten::``."""
WITHIN = {
    "_Attention": ATTENTION,
    "_AttentionBackward": ATTENTION,
    "_Apart": ATTENTION,
    "_ApartBackward": ATTENTION,
    "_Join": ATTENTION,
    "_JoinBackward": ATTENTION,
    "aten::scaled_dot_product_attention": ATTENTION,
    "_Losses": LOSS,
    "_LossesBackward": LOSS,
    "ChunkedLogProbFunction": LOSS,
    "ChunkedLogProbFunctionBackward": LOSS,
    "Optimizer.step": OPTIMIZER,
    "Optimizer.zero_grad": OPTIMIZER,
    "enumerate(DataLoader)": BATCHES,
}
"""What encloses operations -> their kind, whatever they are by themselves; a matrix product of the
loss stays one, since the output head is a layer as any other."""
_KIND_OF = {f"aten::{name}": kind for kind, names in KINDS.items() for name in names} | {
    "mkldnn::_linear_pointwise": MATRIX
}


def kind_of(names: Sequence[str]) -> str:
    """Return the kind of an operation.

    Args:
        names: Its own, then those of what encloses it, from the inside out.
    """
    found = [name.partition("#")[0] for name in names]
    outer = next((WITHIN[name] for name in found if name in WITHIN), None)
    own = _KIND_OF.get(found[0], REST if found[0].startswith("aten::") else PYTHON)
    is_head = outer == LOSS and own == MATRIX
    return own if outer is None or is_head else outer


def times(events: Iterable[Any]) -> dict[str, dict[str, float]]:
    """Return by kind and name the seconds that the operations took themselves.

    Args:
        events: Of torch's profiler; an operation's own time leaves out what it calls.
    """
    found: dict[str, dict[str, float]] = {}
    for event in events:
        names = list(_outward(event))
        of_kind, name = found.setdefault(kind_of(names), {}), names[0].removeprefix("aten::")
        of_kind[name] = of_kind.get(name, 0.0) + event.self_cpu_time_total / 1e6
    return found


def _outward(event: Any) -> Iterator[str]:
    while event is not None:
        yield event.name
        event = event.cpu_parent
