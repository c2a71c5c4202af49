"""A trie of labels' tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch


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

    def greedy(self, best: Sequence[int], stops: Collection[int]) -> list[int] | None:
        """Return what greedy decoding writes, its stop token included; None where it leaves here.

        Args:
            best: The likeliest token at the root, then after each node.
            stops: Tokens that end an answer.
        """
        steps = zip(self.parents, self.tokens, strict=True)
        children = {step: node for node, step in enumerate(steps)}
        written, node = [best[0]], -1
        while written[-1] not in stops:
            step = (node, written[-1])
            if step not in children:
                return None
            node = children[step]
            written.append(best[node + 1])
        return written


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
        for position, token in enumerate(sequence):
            path.append((at, token))
            if position == len(sequence) - 1:
                break
            if (at, token) not in nodes:
                nodes[at, token] = len(tokens)
                tokens.append(token)
                parents.append(at)
            at = nodes[at, token]
        paths.append(path)
    return Trie(tokens=tokens, parents=parents, paths=paths)
