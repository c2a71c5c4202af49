"""Reading labels behind documents: the log-probability of each, at one label's price.

A document is read once; then all inner nodes of the labels' trie follow it in one forward pass over
its KV cache, each node seeing the document and its own ancestors only. Where K labels cost K
readings of the document elsewhere, here they cost one.

Models that take no such mask (BLOOM), and those that see a window of tokens which a document is
longer than (Mistral, Gemma), go on from copies of the document's cache, one for each label; what
keeps no such cache (Mamba) reads every document with every label.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, TypeAlias

import torch
from transformers import DynamicCache

from tuneproof.inference.decode import left_padded
from tuneproof.inference.trie import Trie, trie_of
from tuneproof.kernels.answering import fast_answering
from tuneproof.kernels.probe import in_own_dtype
from tuneproof.models.adapters import core_of
from tuneproof.models.virtual_tokens import VirtualTokens

log = logging.getLogger(__name__)
LOGITS = 2**23
"""At a time on a CPU: 32 MB, which need no memory that the system would have to clear first."""
LOGITS_ON_GPU = 2**28
"""At a time on a GPU: 1 GB in float32."""
WORTH_SHARING = 16
"""Tokens that all prompts of a batch must begin with, for these to be read once."""
PRICE, PRICE_ON_GPU = 64, 4096
"""Of one more reading, in tokens that the machine reads meanwhile."""
WINDOWS = ("sliding_window", "window_size", "attention_chunk_size")
"""Names in models' configs of how many tokens some of their layers see at most."""
Best: TypeAlias = torch.Tensor | None
"""The likeliest token after a prompt, then after each node behind it, shape (1 + nodes,); None
where labels are not read as a tree."""
GAPS = {torch.float32: 1e-3}
"""Between two ways to compute a log-probability that are the same, by dtype; in nats."""
GAP = 0.2
"""Likewise in a dtype of two bytes."""
ROUNDING = 1e-4
"""What is allowed in addition, as a share: -88 nats for what a tuned model never says are -87.999
in another order of sums."""


def groups_by_length(prompts: Sequence[Sequence[int]], device: torch.device) -> list[list[int]]:
    """Return which prompts to read together, by index: those by which least is computed.

    Prompts are padded to the longest that is read with them, so like lengths belong together; but
    every further reading has a price, and reads again what all prompts begin with.
    """
    shared = _shared(prompts, WORTH_SHARING)
    price = shared + (PRICE if device.type == "cpu" else PRICE_ON_GPU)
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    lengths = [len(prompts[index]) - shared for index in order]
    cost, starts = [0], [0]  # of the first n prompts, and where their last group starts
    for stop in range(1, len(order) + 1):
        ways = [
            (cost[start] + price + lengths[start] * (stop - start), start) for start in range(stop)
        ]
        least, start = min(ways)
        cost.append(least)
        starts.append(start)
    groups, stop = [], len(order)
    while stop:
        groups.append(order[starts[stop] : stop])
        stop = starts[stop]
    return groups


def _shared(prompts: Sequence[Sequence[int]], least: int) -> int:
    """Return how many tokens all prompts begin with and can be read once; 0 for fewer than least.

    The last token of a prompt is not among them, as its logits count.
    """
    columns = zip(*(prompt[:-1] for prompt in prompts), strict=False)
    shared = sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, columns))
    return shared if shared >= least else 0


def tree_window(model: Any, forward: Mapping[str, Any]) -> float:
    """Return up to how many tokens a model can read labels as a tree behind a document.

    0 where it cannot: that is tried on a few tokens. Infinity where nothing limits it.

    Args:
        model: A causal language model in eval mode.
        forward: Further arguments of the model, for two rows.
    """
    config = model.config.get_text_config()
    windows = [getattr(config, name, None) for name in WINDOWS]
    window = min((size for size in windows if isinstance(size, int) and size > 0), default=None)
    trie, prompts = trie_of([[3, 1, 2, 3], [3, 2, 1], [2, 1]]), [[1, 2, 3, 1], [1, 2]]
    ways = {"pad_token_id": 0, "forward": forward}
    with in_own_dtype(model):
        try:
            tree, _ = label_log_probabilities(model, prompts, trie, **ways, share_from=1)
        except (ValueError, RuntimeError, TypeError, AttributeError, IndexError):
            tree = torch.tensor(torch.nan)  # it takes no such mask, or keeps no such cache
        rows, _ = label_log_probabilities(model, prompts, trie, **ways, as_tree=False)
    if not bool(torch.isclose(tree, rows, rtol=ROUNDING, atol=GAPS.get(model.dtype, GAP)).all()):
        log.info("labels are read one by one: %s takes no tree", type(model).__name__)
        return 0
    return float("inf") if window is None else window


@torch.no_grad()  # type: ignore[untyped-decorator]
def label_log_probabilities(
    model: Any,
    prompts: Sequence[Sequence[int]],
    trie: Trie,
    *,
    pad_token_id: int,
    forward: Mapping[str, Any] | None = None,
    as_tree: bool = True,
    share_from: int = WORTH_SHARING,
) -> tuple[torch.Tensor, Best]:
    """Return the log-probability of every sequence of the trie after every prompt, in nats.

    Args:
        model: A causal language model in eval mode.
        prompts: Token ids of each document; none empty.
        trie: Of the labels' token sequences.
        pad_token_id: Fills the prompts on the left; it is masked.
        forward: Further arguments of the model, such as PEFT's `adapter_names` per prompt.
        as_tree: Whether the trie is read at once; else label by label, which every model can.
        share_from: How many tokens all prompts must begin with to be read once for all.

    Returns:
        Shape (prompts, sequences), float32; not normalised over the sequences. Then, where the trie
        is read at once, the likeliest token at its root and after each node, shape (prompts,
        1 + nodes).
    """
    extra = dict(forward or {})
    with fast_answering(model):
        if not as_tree:
            return _label_by_label(model, prompts, trie, pad_token_id, extra), None
        read, mask = _read_prompts(model, prompts, pad_token_id, extra, share_from)
        steps = [step for path in trie.paths for step in path]
        at_root = sorted({token for node, token in steps if node < 0})
        root = read.logits[:, -1:]
        log_probs, best = _chosen(root, [(-1, token) for token in at_root], offset=1)
        deeper = sorted({step for step in steps if step[0] >= 0})
        if deeper:
            below, after = _after_nodes(model, trie, deeper, mask, read.past_key_values, extra)
            log_probs, best = log_probs | below, torch.cat([best, after], 1)
    return torch.stack([sum(log_probs[step] for step in path) for path in trie.paths], 1), best


def _read_prompts(
    model: Any,
    prompts: Sequence[Sequence[int]],
    pad: int,
    extra: Mapping[str, Any],
    share_from: int,
) -> tuple[Any, torch.Tensor]:
    """Return the model's output on prompts, what all begin with read once, and their mask.

    The mask, of shape (prompts, tokens in the cache), is 0 on padding, which stands between the
    common beginning and the rest of a prompt.
    """
    shared = _shared(prompts, share_from)
    if len(prompts) == 1 or not shared or isinstance(model, VirtualTokens):
        ids, mask = left_padded(prompts, pad, model.device)
        return _read(model, ids, mask, extra), mask
    beginning = torch.tensor([prompts[0][:shared]], device=model.device)
    of_one = {name: value[:1] for name, value in extra.items()}
    cache = _read(model, beginning, torch.ones_like(beginning), of_one).past_key_values
    cache.batch_repeat_interleave(len(prompts))
    ids, mask = left_padded([prompt[shared:] for prompt in prompts], pad, model.device)
    mask = torch.cat([mask.new_ones(len(prompts), shared), mask], 1)
    return _read(model, ids, mask, extra, cache, kept=1), mask


def _read(
    model: Any,
    ids: torch.Tensor,
    mask: torch.Tensor,
    extra: Mapping[str, Any],
    cache: Any = None,
    kept: int | None = None,
) -> Any:
    """Return the model's output on tokens, behind those of a cache if there is one.

    Args:
        model: The model.
        ids: Shape (rows, tokens).
        mask: 0 on padding, for the tokens of the cache and these.
        extra: Further arguments of the model.
        cache: What has been read; None: nothing.
        kept: Of how many last tokens logits are wanted, 0: of all; None: of one where nothing has
            been read, else of all.
    """
    core = core_of(model)
    taken = inspect.signature(core.forward).parameters
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    arguments = {
        "position_ids": positions,
        "past_key_values": cache,
        "logits_to_keep": kept if kept is not None else int(cache is None),
    }
    known = {name: value for name, value in arguments.items() if name in taken}
    return model(input_ids=ids, attention_mask=mask, use_cache=True, **known, **extra)


def _label_by_label(
    model: Any,
    prompts: Sequence[Sequence[int]],
    trie: Trie,
    pad: int,
    extra: Mapping[str, Any],
) -> torch.Tensor:
    """Return the log-probabilities as `label_log_probabilities` does, with a row for each label."""
    count = len(trie.paths)
    inner = [[token for _, token in path[:-1]] for path in trie.paths]
    longest = max(map(len, inner))
    vocabulary = model.config.get_text_config().vocab_size
    most = max(1, LOGITS // (count * (longest + 1) * vocabulary))
    ends, kept = left_padded([row[::-1] for row in inner], pad, model.device)
    ends, kept = ends.long().flip(1), kept.long().flip(1)  # padded on the right
    targets = torch.tensor(
        [[token for _, token in path] + [pad] * (longest + 1 - len(path)) for path in trie.paths],
        device=model.device,
    )
    is_target = torch.cat([kept.new_ones(count, 1), kept], 1)
    parts = []
    for start in range(0, len(prompts), most):
        some = prompts[start : start + most]
        rows = {name: value[start : start + most] for name, value in extra.items()}
        logits = _with_labels(model, some, ends, kept, pad, rows)
        logs = logits.float().log_softmax(-1)  # (prompts, labels, longest + 1, vocabulary)
        chosen = logs.gather(-1, targets.expand(len(some), -1, -1)[..., None])[..., 0]
        parts.append((chosen * is_target).sum(-1))
    return torch.cat(parts)


def _with_labels(
    model: Any,
    prompts: Sequence[Sequence[int]],
    labels: torch.Tensor,
    kept: torch.Tensor,
    pad: int,
    extra: Mapping[str, Any],
) -> torch.Tensor:
    """Return the logits at each prompt's end and after each label's tokens.

    Args:
        model: The model.
        prompts: Token ids.
        labels: The labels' tokens without the last, shape (labels, longest).
        kept: 0 on their padding.
        pad: Fills prompts up.
        extra: Further arguments of the model, by prompt.

    Returns:
        Shape (prompts, labels, longest + 1, vocabulary).
    """
    count, longest = labels.shape
    ids, mask = left_padded(prompts, pad, model.device)
    many = {name: [one for one in value for _ in range(count)] for name, value in extra.items()}
    read = _read(model, ids, mask, extra)
    cache = getattr(read, "past_key_values", None)
    behind, kept = labels.repeat(len(ids), 1), kept.repeat(len(ids), 1)
    if cache is None:
        rows = [[*prompt, *label] for prompt in prompts for label in labels.tolist()]
        logits = [
            model(input_ids=torch.tensor([row], device=model.device), **one).logits[
                :, -longest - 1 :
            ]
            for row, one in zip(rows, _one_by_one(many, len(rows)), strict=True)
        ]
        return torch.cat(logits).unflatten(0, (-1, count))
    first = read.logits[:, -1:].repeat_interleave(count, 0)
    if longest == 0:
        return first.unflatten(0, (-1, count))
    cache.batch_repeat_interleave(count)
    seen = torch.cat([mask.repeat_interleave(count, 0), kept], 1)
    after = _read(model, behind, seen, many, cache).logits
    return torch.cat([first, after], 1).unflatten(0, (-1, count))


def _one_by_one(extra: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    return [{name: values[row : row + 1] for name, values in extra.items()} for row in range(count)]


def _chosen(
    logits: torch.Tensor, steps: Sequence[tuple[int, int]], offset: int = 0
) -> tuple[dict[tuple[int, int], torch.Tensor], torch.Tensor]:
    """Return the log-probability of each step (from which node, to which token) in every prompt.

    With them comes the likeliest token after each node, shape (prompts, nodes).

    Args:
        logits: Shape (prompts, nodes, vocabulary).
        steps: Nodes and tokens.
        offset: What is added to a node to find its row.
    """
    rows = torch.tensor([node + offset for node, _ in steps], device=logits.device)
    tokens = torch.tensor([token for _, token in steps], device=logits.device)
    logits = logits.float()
    values = logits[:, rows, tokens] - logits.logsumexp(-1)[:, rows]  # (prompts, steps)
    return dict(zip(steps, values.unbind(1), strict=True)), logits.argmax(-1)


def _after_nodes(
    model: Any,
    trie: Trie,
    steps: Sequence[tuple[int, int]],
    mask: torch.Tensor,
    cache: Any,
    extra: Mapping[str, Any],
) -> tuple[dict[tuple[int, int], torch.Tensor], torch.Tensor]:
    """Return what `_chosen` does after every node, a few prompts at a time."""
    vocabulary = model.config.get_text_config().vocab_size
    logits = LOGITS if mask.device.type == "cpu" else LOGITS_ON_GPU
    most = max(1, logits // (len(trie.tokens) * vocabulary))
    parts = []
    for start in range(0, len(mask), most):
        rows = slice(start, start + most)
        data = [(layer.keys[rows], layer.values[rows]) for layer in cache.layers]
        held = DynamicCache(data, config=model.config)
        extra_of_rows = {name: value[rows] for name, value in extra.items()}
        parts.append(_chosen(_read_nodes(model, trie, mask[rows], held, extra_of_rows), steps))
    values = {step: torch.cat([part[step] for part, _ in parts]) for step in steps}
    return values, torch.cat([best for _, best in parts])


def _read_nodes(
    model: Any, trie: Trie, mask: torch.Tensor, cache: Any, extra: Mapping[str, Any]
) -> torch.Tensor:
    """Return the logits after every node, shape (prompts, nodes, vocabulary)."""
    count, device = mask.shape[0], mask.device
    tokens = torch.tensor(trie.tokens, device=device).expand(count, -1)
    depths = torch.tensor(trie.depths(), device=device)
    among = trie.sees().to(device).expand(count, -1, -1)  # (prompts, nodes, nodes)
    document = mask.bool()[:, None, :].expand(-1, tokens.shape[1], -1)
    visible = torch.cat([document, among], 2)[:, None]  # (prompts, 1, nodes, document + nodes)
    blocked = torch.zeros(visible.shape, dtype=model.dtype, device=device)
    blocked = blocked.masked_fill(~visible, torch.finfo(model.dtype).min)
    output = model(
        input_ids=tokens,
        attention_mask=blocked,
        position_ids=mask.sum(1, keepdim=True) - 1 + depths,
        past_key_values=cache,
        use_cache=True,
        **extra,
    )
    return output.logits
