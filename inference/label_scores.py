"""Scoring a label set: the exact probability of every label as the answer, at one label's price.

The labels' tokens (EOS included) form a trie. A document is read once; then all inner nodes of the
trie follow it in one forward pass over its KV cache, each node seeing the document and its own
ancestors only. Where K labels cost K readings of the document elsewhere, here they cost one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from transformers import DynamicCache

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.formats.template import Template
from tuneproof.inference.baselines import pick_label
from tuneproof.inference.decode import left_padded
from tuneproof.inference.variants import Variants
from tuneproof.kernels.answering import fast_answering
from tuneproof.prompts.fit import completion_ids

Calibration = Literal["none", "prior"]
LOGITS = 2**23
"""At a time: 32 MB, which need no memory that the system would have to clear first."""


def longest_label(variants: Variants, labels: Sequence[str]) -> int:
    """Return the tokens of the longest label in any variant's template, its end counted."""
    return max(
        len(completion_ids(form.template, variants.tokenizer, label))
        for form in variants.forms.values()
        for label in labels
    )


class LabelScorer:
    """Gives every label's probability after a prompt, normalised over the label set."""

    def __init__(
        self, variants: Variants, labels: Sequence[str], calibrate: Calibration = "none"
    ) -> None:
        """Tokenise the labels, for each variant as its template ends an answer.

        Args:
            variants: The loaded models.
            labels: The label set.
            calibrate: ``prior`` divides what the base gives a label by what it gives it after the
                same prompt with an empty input (Zhao et al. 2021, "Calibrate Before Use").

        Raises:
            InputError: Two labels have the same tokens.
        """
        self._variants = variants
        self._labels = tuple(labels)
        self._tries = {
            name: trie_of(sequences_of(form.template, variants.tokenizer, labels))
            for name, form in variants.forms.items()
        }
        self._calibrated = variants.untuned if calibrate == "prior" else []
        self._priors: dict[tuple[str, tuple[int, ...]], torch.Tensor] = {}

    def score(
        self, prompts: Sequence[Example], ids: Sequence[Mapping[str, Sequence[int]]]
    ) -> list[dict[str, dict[str, float]]]:
        """Return each label's probability, for each prompt by variant.

        Args:
            prompts: What is asked.
            ids: The same as token ids, by variant.
        """
        rows: list[dict[str, dict[str, float]]] = [{} for _ in prompts]
        for name in self._variants.names:
            scores = self._log_probabilities(name, [list(row[name]) for row in ids])
            if name in self._calibrated:
                scores = scores - torch.stack([self._prior(name, prompt) for prompt in prompts])
            for row, chances in zip(rows, scores.double().softmax(-1).tolist(), strict=True):
                row[name] = dict(zip(self._labels, chances, strict=True))
        return rows

    def _prior(self, name: str, prompt: Example) -> torch.Tensor:
        """Return the log-probability of every label without the input, shape (labels,)."""
        encoded = self._variants.ask(name, replace(prompt, input=""), 1)
        assert encoded is not None  # it fitted with an input
        key = name, tuple(encoded.prompt_ids)
        if key not in self._priors:
            self._priors[key] = self._log_probabilities(name, [encoded.prompt_ids])[0]
        return self._priors[key]

    def _log_probabilities(self, name: str, rows: list[list[int]]) -> torch.Tensor:
        """Return a variant's log-probabilities, shape (rows, labels)."""
        return label_log_probabilities(
            self._variants.model,
            rows,
            self._tries[name],
            pad_token_id=self._variants.tokenizer.pad_token_id,
            forward=self._variants.routed([name] * len(rows)),
        ).cpu()


def sequences_of(template: Template, tokenizer: Any, labels: Sequence[str]) -> list[list[int]]:
    """Return the labels' tokens, each with its end; InputError where two are the same."""
    sequences = [completion_ids(template, tokenizer, label) for label in labels]
    for place, sequence in enumerate(sequences):
        if sequence in sequences[:place]:
            twin = labels[sequences.index(sequence)]
            raise InputError(
                f"the labels {twin!r} and {labels[place]!r} are the same to the tokenizer"
            )
    return sequences


def labelled(probabilities: Mapping[str, float], text: str) -> dict[str, Any]:
    """Return probabilities as a comparison file's answer holds them, with the label they give."""
    return {
        "label": pick_label(probabilities, text),
        "label_probabilities": {name: float(f"{p:.6g}") for name, p in probabilities.items()},
    }


@dataclass(frozen=True, kw_only=True)
class Trie:
    """Token sequences that share their beginnings."""

    tokens: list[int]
    """The token of every inner node; a parent stands before its children."""
    parents: list[int]
    """The node before each node; -1 is the root, where the document ends."""
    paths: list[list[tuple[int, int]]]
    """For every sequence its steps: from which node (-1: the root) to which token."""

    def depths(self) -> list[int]:
        """Return how many tokens lead to each node; the root's children have 1."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(1 if parent < 0 else depths[parent] + 1)
        return depths

    def sees(self) -> torch.Tensor:
        """Return which nodes each node sees (itself and its ancestors), bool (nodes, nodes)."""
        matrix = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                matrix[node] |= matrix[parent]
        return matrix


def trie_of(sequences: Sequence[Sequence[int]]) -> Trie:
    """Return the trie of token sequences; none may be empty.

    The last token of a sequence is predicted but never read, so it is a step and not a node.
    """
    tokens: list[int] = []
    parents: list[int] = []
    paths: list[list[tuple[int, int]]] = []
    nodes: dict[tuple[int, int], int] = {}
    for sequence in sequences:
        at = -1
        path: list[tuple[int, int]] = []
        for place, token in enumerate(sequence):
            path.append((at, token))
            if place == len(sequence) - 1:
                break
            if (at, token) not in nodes:
                nodes[at, token] = len(tokens)
                tokens.append(token)
                parents.append(at)
            at = nodes[at, token]
        paths.append(path)
    return Trie(tokens=tokens, parents=parents, paths=paths)


@torch.no_grad()  # type: ignore[untyped-decorator]
def label_log_probabilities(
    model: Any,
    prompts: Sequence[Sequence[int]],
    trie: Trie,
    *,
    pad_token_id: int,
    forward: Mapping[str, Any] | None = None,
) -> torch.Tensor:
    """Return the log-probability of every sequence of the trie after every prompt, in nats.

    Args:
        model: A causal language model in eval mode.
        prompts: Token ids of each document; none empty.
        trie: Of the labels' token sequences.
        pad_token_id: Fills the prompts on the left; it is masked.
        forward: Further arguments of the model, such as PEFT's `adapter_names` per prompt.

    Returns:
        Shape (prompts, sequences), float32; not normalised over the sequences.
    """
    extra = dict(forward or {})
    ids, mask = left_padded(prompts, pad_token_id, model.device)
    with fast_answering(model, attends=False):
        read = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            use_cache=True,
            logits_to_keep=1,
            **extra,
        )
        steps = [step for path in trie.paths for step in path]
        at_root = sorted({token for node, token in steps if node < 0})
        found = _chosen(read.logits[:, -1:], [(-1, token) for token in at_root], offset=1)
        deeper = sorted({step for step in steps if step[0] >= 0})
        if deeper:
            found |= _after_nodes(model, trie, deeper, mask, read.past_key_values, extra)
    return torch.stack([sum(found[step] for step in path) for path in trie.paths], 1)


def _chosen(
    logits: torch.Tensor, steps: Sequence[tuple[int, int]], offset: int = 0
) -> dict[tuple[int, int], torch.Tensor]:
    """Return the log-probability of each step (from which node, to which token) in every prompt.

    Args:
        logits: Shape (prompts, nodes, vocabulary).
        steps: Nodes and tokens.
        offset: What is added to a node to find its row.
    """
    rows = torch.tensor([node + offset for node, _ in steps], device=logits.device)
    tokens = torch.tensor([token for _, token in steps], device=logits.device)
    logits = logits.float()
    values = logits[:, rows, tokens] - logits.logsumexp(-1)[:, rows]  # (prompts, steps)
    return dict(zip(steps, values.unbind(1), strict=True))


def _after_nodes(
    model: Any,
    trie: Trie,
    steps: Sequence[tuple[int, int]],
    mask: torch.Tensor,
    cache: Any,
    extra: Mapping[str, Any],
) -> dict[tuple[int, int], torch.Tensor]:
    """Return the log-probability of each step in every prompt, a few prompts at a time."""
    vocabulary = model.config.get_text_config().vocab_size
    most = max(1, LOGITS // (len(trie.tokens) * vocabulary))
    parts = []
    for start in range(0, len(mask), most):
        rows = slice(start, start + most)
        data = [(layer.keys[rows], layer.values[rows]) for layer in cache.layers]
        held = DynamicCache(data, config=model.config)
        extra_of_rows = {name: value[rows] for name, value in extra.items()}
        parts.append(_chosen(_read_nodes(model, trie, mask[rows], held, extra_of_rows), steps))
    return {step: torch.cat([part[step] for part in parts]) for step in steps}


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
