"""A decoding loop that gives the tokens of transformers' `generate`, with less copying.

`generate` copies the whole cache at every step, and computes all rows until the last one ends. Here
the cache is allocated once and written in place, and rows that have ended leave the batch. Where
attention can leave padding out (tuneproof/kernels/decoding_attention.py), prompts are read without
it, one variant after the other, and the cache before the beginning of a row is never read.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary, proxy

import torch
from transformers.cache_utils import (
    Cache,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

from tuneproof.inference.cache import PreallocatedLayer
from tuneproof.inference.config import Decoding
from tuneproof.inference.cuda_graph import StaticStep, static_step
from tuneproof.kernels import decoding_attention
from tuneproof.kernels.answering import fast_answering
from tuneproof.kernels.lora_rows import runs
from tuneproof.kernels.memory import trim
from tuneproof.kernels.probe import Calls, in_own_dtype, is_same, sliding_layers
from tuneproof.models.adapters import core_of
from tuneproof.models.four_bit import quantized_modules
from tuneproof.models.virtual_tokens import VirtualTokens

log = logging.getLogger(__name__)
Router = Callable[[Sequence[str]], dict[str, Any]]
"""Returns what the model needs to know about rows of the given variants."""
SHRINK = 0.75
"""The batch is made smaller when no more than this share of its rows is still going on."""
SHRINK_STATIC = 0.5
"""The same where steps are repeated by a graph, which has to be made anew for fewer rows."""
WORTH = 16
"""Steps from which on a graph is worth making: that takes as long as about five."""
AT_ONCE = 512
"""Tokens of prompts that a CPU reads in one go, unless one prompt is longer: more is no faster."""
AT_ONCE_ON_GPU = 2**15
"""Tokens of prompts, padding counted, that a GPU reads in one go."""
_LEAVES_OUT: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
"""Models that have been tried, and whether they answer without padding."""


class Stopwatch:
    """Charges the time that a batch takes to the variants that take it.

    The time of a step in which tokens are made goes to the rows that make one: those that have
    ended, and wait for the others, cost nothing.
    """

    def __init__(self) -> None:
        """Begin."""
        self.seconds: dict[str, float] = defaultdict(float)
        """By variant."""
        self.step_seconds: dict[str, float] = defaultdict(float)
        """Those of the steps that made a token of every row, without reading the prompts."""
        self.step_tokens: Counter[str] = Counter()
        """The tokens that were made in these steps, by variant."""
        self._last = time.perf_counter()

    def start(self) -> None:
        """Leave out what has passed since the last time."""
        self._last = time.perf_counter()

    def charge(self, names: Sequence[str], *, is_step: bool = False) -> None:
        """Charge what has passed since the last time to rows of these variants, in equal parts.

        Args:
            names: The variant of each row.
            is_step: Whether every row made one token.
        """
        now = time.perf_counter()
        for name in names:
            self.seconds[name] += (now - self._last) / len(names)
            if is_step:
                self.step_seconds[name] += (now - self._last) / len(names)
                self.step_tokens[name] += 1
        self._last = now


def can_decode(model: Any) -> bool:
    """Return whether the loop here can write a model's answers.

    Every layer must keep all keys and values, as those of GPT-2 and Llama do; layers that see a
    window of them may do so where attention leaves padding out, which is told the window.
    """
    core = core_of(model)
    kinds = _kinds_of_layers(core)
    return kinds == {DynamicLayer} or (bool(kinds) and not is_padded(model))


def prompts_read_at_once(model: Any, longest: int) -> int | None:
    """Return how many padded prompts a GPU reads in one go; None: all there are.

    A CPU reads all; so do models that read virtual tokens first, with an empty cache.
    """
    if model.device.type == "cpu" or isinstance(model, VirtualTokens):
        return None
    return max(1, AT_ONCE_ON_GPU // longest)


def uses_static_steps(model: Any) -> bool:
    """Return whether a CUDA graph repeats decoding steps: of models with whole weights."""
    if model.device.type != "cuda" or isinstance(model, VirtualTokens):
        return False
    return model.config._attn_implementation == "sdpa" and not quantized_modules(model)


def is_padded(model: Any) -> bool:
    """Return whether the rows of a batch are padded to the longest one."""
    core = core_of(model)
    may = not isinstance(model, VirtualTokens) and core.device.type == "cpu"
    if not may or core.config._attn_implementation != "sdpa" or not _kinds_of_layers(core):
        return True
    if core not in _LEAVES_OUT:
        _LEAVES_OUT[core] = _leaves_padding_out(core)
        if not _LEAVES_OUT[core]:
            log.info("answers are padded: %s attends in a way of its own", type(core).__name__)
    return not _LEAVES_OUT[core]


def _kinds_of_layers(core: Any) -> set[type]:
    """Return of which kinds the layers of a model's cache are; none where it has none like that."""
    kinds = {type(layer) for layer in DynamicCache(config=core.config).layers}
    taken = inspect.signature(core.forward).parameters
    is_known = {"position_ids", "logits_to_keep"} <= taken.keys()
    return kinds if is_known and kinds <= {DynamicLayer, DynamicSlidingWindowLayer} else set()


@torch.inference_mode()  # type: ignore[untyped-decorator]
def _leaves_padding_out(core: Any) -> bool:
    """Try on two short texts whether a model's logits are the same without padding."""
    vocabulary = int(core.get_input_embeddings().weight.shape[0])
    draw = torch.Generator().manual_seed(0)
    texts = [torch.randint(vocabulary, (size,), generator=draw).tolist() for size in (4, 7)]
    layers = len(DynamicCache(config=core.config).layers)

    def compute() -> torch.Tensor:
        reader = _Reader(core, lambda _: {}, len(texts), 8, Stopwatch(), is_unpadded=True)
        before = reader.read([text[:-1] for text in texts], ["", ""])
        Calls.forget()
        last = torch.tensor([text[-1] for text in texts])
        after = reader.go_on(last, ["", ""], [3, 0], 7)
        return torch.stack([before, after], 1)

    with in_own_dtype(core):
        wanted = [core(input_ids=torch.tensor([text])).logits[0, -2:] for text in texts]
        with fast_answering(core, is_unpadded=True):
            is_right = is_same(compute, torch.stack(wanted))
    return is_right and Calls.all == layers and Calls.windows == sliding_layers(core.config)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    names: Sequence[str],
    route: Router,
    stops: set[int],
    decoding: Decoding,
    stopwatch: Stopwatch | None = None,
    on_token: Callable[[int, int], None] | None = None,
) -> list[list[int]]:
    """Return each row's new tokens; the last one is a stop token unless the limit was reached.

    Args:
        model: A causal language model in eval mode for which `can_decode` is true.
        prompts: Token ids of every row.
        names: The variant that answers each row.
        route: Returns the model's arguments for rows of these variants.
        stops: Tokens that end an answer.
        decoding: How tokens are chosen.
        stopwatch: Counts the time that each variant takes.
        on_token: Is given the row and the token of every new token, as it comes.
    """
    watch = stopwatch or Stopwatch()
    watch.start()
    rank = {name: index for index, name in enumerate(dict.fromkeys(names))}
    order = sorted(range(len(prompts)), key=lambda row: (rank[names[row]], len(prompts[row])))
    answers: list[list[int]] = [[] for _ in prompts]
    rows = list(order)  # the index in `answers` of each row of the batch
    longest = max(map(len, prompts))
    room = longest + decoding.max_new_tokens
    is_unpadded = not is_padded(model)
    with fast_answering(model, is_unpadded=is_unpadded, rows=len(rows)):
        reader = _Reader(model, route, len(rows), room, watch, is_unpadded=is_unpadded)
        starts = [longest - len(prompts[row]) for row in rows]
        logits = reader.read([prompts[row] for row in rows], [names[row] for row in rows])
        for held in range(longest + 1, room + 1):
            new = _chosen(logits, decoding)
            tokens = new.tolist()
            made = [index for index, row in enumerate(rows) if not _has_ended(answers[row], stops)]
            watch.charge([names[rows[index]] for index in made], is_step=held > longest + 1)
            going = []
            for index in made:
                token = tokens[index]
                answers[rows[index]].append(token)
                if on_token is not None:
                    on_token(rows[index], token)
                if token not in stops:
                    going.append(index)
            if not going or held == room:
                break
            if len(going) <= reader.shrink * len(rows):
                rows, starts = ([values[index] for index in going] for values in (rows, starts))
                new = new[reader.keep(going, starts)]
            logits = reader.go_on(new, [names[row] for row in rows], starts, held)
        del reader, logits  # before memory that is kept is given back
    return answers


def _has_ended(answer: list[int], stops: set[int]) -> bool:
    return bool(answer) and answer[-1] in stops


class _Reader:
    """A model with its cache: reads the prompts of a batch, then one token of every row a time."""

    def __init__(
        self,
        model: Any,
        route: Router,
        rows: int,
        room: int,
        watch: Stopwatch,
        *,
        is_unpadded: bool,
    ) -> None:
        self._model, self._route, self._watch, self._is_unpadded = model, route, watch, is_unpadded
        count = model.config.get_text_config().num_hidden_layers
        self._cache = Cache(layers=[PreallocatedLayer(rows, room) for _ in range(count)])
        self._room = room
        self._step: StaticStep | None = None
        self._is_static = uses_static_steps(model)

    @property
    def shrink(self) -> float:
        """The share of rows going on from which the others are dropped."""
        return SHRINK if self._step is None else SHRINK_STATIC

    def read(self, prompts: list[Sequence[int]], names: list[str]) -> torch.Tensor:
        """Read the prompts, those of a variant as neighbours; return the logits after each."""
        longest = max(map(len, prompts))
        if not self._is_unpadded:
            return self._read_padded(prompts, names, longest)
        logits = []
        for name, rows in (part for run in runs(tuple(names)) for part in _parts(run, prompts)):
            some = prompts[rows]
            lengths = [len(prompt) for prompt in some]
            for layer in self._cache.layers:
                layer.fill(longest, list(enumerate(lengths, rows.start)))
            ids = torch.tensor([token for prompt in some for token in prompt])[None]
            positions = torch.cat([torch.arange(length) for length in lengths])[None]
            ends = torch.tensor(lengths).cumsum(0) - 1
            arguments = {"attention_mask": torch.ones_like(ids), "position_ids": positions}
            logits.append(self._logits(ids, [name], ends, lengths=lengths, **arguments)[0])
            self._watch.charge([name])
        for layer in self._cache.layers:
            layer.fill(longest, None)
        trim()  # free what reading prompts needed before the cache fills
        return torch.cat(logits)

    def _read_padded(
        self, prompts: list[Sequence[int]], names: list[str], longest: int
    ) -> torch.Tensor:
        """Read padded prompts: on a CPU all at once, on a GPU as many as it needs to be busy."""
        ids, _ = left_padded(prompts, 0, self._model.device)
        starts = [longest - len(prompt) for prompt in prompts]
        most = prompts_read_at_once(self._model, longest) or len(prompts)
        logits = []
        for first in range(0, len(prompts), most):
            part = slice(first, first + most)
            for layer in self._cache.layers if most < len(prompts) else ():
                layer.fill_rows(part)
            masked = self._masked(starts[part], longest)
            logits.append(self._logits(ids[part], names[part], **masked)[:, -1])
        for layer in self._cache.layers if most < len(prompts) else ():
            layer.fill_rows(None)
        return torch.cat(logits)

    def go_on(
        self, new: torch.Tensor, names: list[str], starts: list[int], held: int
    ) -> torch.Tensor:
        """Read a new token of every row, shape (rows,); return the logits after each.

        Args:
            new: The tokens.
            names: The variant of each row.
            starts: Where in the cache each row begins.
            held: How many tokens the cache holds with the new ones.
        """
        if self._step is not None:
            return self._step.run(new, held)
        arguments = self._masked(starts, held)
        arguments["position_ids"] = arguments["position_ids"][:, -1:]
        if self._is_unpadded:
            arguments["seen"] = decoding_attention.spans(starts, held)
            arguments["attention_mask"] = torch.ones_like(new)[:, None]
        logits = self._logits(new[:, None], names, **arguments)[:, -1]
        if self._is_static and self._room - held >= WORTH:
            self._make_static(new, names, starts, held, logits)
        return logits

    def _make_static(
        self, new: torch.Tensor, names: list[str], starts: list[int], held: int, plain: torch.Tensor
    ) -> None:
        """Have the next steps repeated, where that gives the logits of the plain step.

        The step does not keep the reader alive: a graph that only the garbage collector frees
        holds its memory meanwhile, and breaks the capture of another that it is freed in.
        """
        reader = proxy(self)

        def forward(ids: torch.Tensor, **arguments: torch.Tensor) -> Any:
            return reader._logits(ids, names, **arguments)[:, -1]

        layers = self._cache.layers
        self._step = static_step(layers, starts, self._room, forward, new, held, plain)
        for layer in layers:
            layer.fill(held, None)
        self._is_static = self._step is not None  # it is not tried again

    def keep(self, indices: list[int], starts: list[int]) -> torch.Tensor:
        """Drop all other rows; return the kept indices as a tensor.

        Args:
            indices: The rows that stay.
            starts: Where in the cache each of them begins.
        """
        self._step = None
        kept = torch.tensor(indices, device=self._model.device)
        if self._is_unpadded:
            for layer in self._cache.layers:
                layer.select(indices, starts)
        else:
            self._cache.batch_select_indices(kept)
        return kept

    def _masked(self, starts: list[int], held: int) -> dict[str, torch.Tensor]:
        """Return which tokens of the cache each row sees, and their positions in its text."""
        device = self._model.device
        positions = torch.arange(held, device=device) - torch.tensor(starts, device=device)[:, None]
        return {"attention_mask": (positions >= 0).long(), "position_ids": positions.clamp(min=0)}

    def _logits(
        self, ids: torch.Tensor, names: list[str], kept: int | torch.Tensor = 1, **arguments: Any
    ) -> torch.Tensor:
        """Return the logits of the last, or of the given positions."""
        out: torch.Tensor = self._model(
            input_ids=ids,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=kept,
            **arguments,
            **self._route(names),
        ).logits
        return out


def left_padded(
    rows: Sequence[Sequence[int]], pad: int, device: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask, both of shape (rows, longest)."""
    longest = max(map(len, rows))
    ids = [[pad] * (longest - len(row)) + list(row) for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _parts(run: tuple[str, slice], prompts: Sequence[Sequence[int]]) -> Iterator[tuple[str, slice]]:
    """Cut the rows of a variant into parts of `AT_ONCE` tokens at most, or of one prompt."""
    name, rows = run
    start, tokens = rows.start, 0
    for row in range(rows.start, rows.stop):
        tokens += len(prompts[row])
        if tokens > AT_ONCE and row > start:
            yield name, slice(start, row)
            start, tokens = row, len(prompts[row])
    yield name, slice(start, rows.stop)


def _chosen(logits: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """Return the next token of each row, shape (rows,), for logits of (rows, vocabulary)."""
    if not decoding.do_sample:
        return logits.argmax(-1)
    from transformers import TopPLogitsWarper

    warped = logits.float() / decoding.temperature
    if decoding.top_p < 1:
        warped = TopPLogitsWarper(decoding.top_p)(None, warped)
    return torch.multinomial(warped.softmax(-1), 1)[:, 0]
