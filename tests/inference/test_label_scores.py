from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from tuneproof.inference import label_tree as labels
from tuneproof.inference.label_tree import label_log_probabilities
from tuneproof.inference.trie import trie_of

EOS = 0
LABELS = {
    "one token": [[5, EOS], [6, EOS], [7, EOS]],
    "many tokens": [[5, 8, 9, 11, EOS], [6, 12, EOS], [5, 8, 13, EOS]],
    "one begins another": [[5, 8, EOS], [5, 8, 9, EOS], [5, EOS]],
    "without EOS, one token": [[5], [6], [40]],
}
PROMPTS = [[3, 4, 9, 20, 21, 22, 23, 24], [17], [30, 31, 32]]


def gpt2() -> Any:
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=50, n_positions=64, n_embd=32, n_layer=2, n_head=2)
    )


def llama() -> Any:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=50,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    )


def by_full_forwards(model: Any, prompt: list[int], label: list[int]) -> float:
    logits = model(input_ids=torch.tensor([prompt + label])).logits[0].log_softmax(-1)
    places = range(len(prompt) - 1, len(prompt) + len(label) - 1)
    return sum(float(logits[place, token]) for place, token in zip(places, label, strict=True))


@pytest.mark.parametrize("make", [gpt2, llama])
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("logits", [1, labels.LOGITS])
@torch.no_grad()
def test_label_scores_equal_separate_full_forwards(
    make: Any, kind: str, logits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "LOGITS", logits)  # one prompt at a time, or all
    torch.manual_seed(1)
    model = make().eval()
    for value in model.parameters():  # far from uniform, so that a wrong position would show
        value.mul_(4 if value.ndim > 1 else 1)
    found, _ = label_log_probabilities(model, PROMPTS, trie_of(LABELS[kind]), pad_token_id=EOS)
    wanted = torch.tensor(
        [[by_full_forwards(model, prompt, label) for label in LABELS[kind]] for prompt in PROMPTS]
    )
    assert wanted.std() > 0.1
    assert torch.allclose(found, wanted, atol=1e-4, rtol=0)


def of_kind(kind: str, **changes: Any) -> Any:
    shape = {
        "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": None,
        "initializer_range": 0.3, **changes,
    }  # fmt: skip
    torch.manual_seed(1)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape)).eval()


@pytest.mark.parametrize("kind", ["mistral", "gemma2", "gemma3_text", "bloom", "mamba"])
@pytest.mark.parametrize("labels_of", LABELS)
@torch.no_grad()
def test_windows_and_models_that_take_no_tree_are_scored_too(kind: str, labels_of: str) -> None:
    small = {"n_head": 4} if kind == "bloom" else {} if kind == "mamba" else {"sliding_window": 8}
    model = of_kind(kind, **small)
    window = labels.tree_window(model, {})
    assert window == small.get("sliding_window", 0)
    trie = trie_of(LABELS[labels_of])
    found, _ = label_log_probabilities(model, PROMPTS, trie, pad_token_id=EOS, as_tree=False)
    wanted = torch.tensor(
        [
            [by_full_forwards(model, prompt, label) for label in LABELS[labels_of]]
            for prompt in PROMPTS
        ]
    )
    assert wanted.std() > 0.1
    assert torch.allclose(found, wanted, atol=2e-4, rtol=0)


def test_a_tree_is_read_wherever_it_is_right() -> None:
    assert labels.tree_window(gpt2().eval(), {}) == float("inf")
    assert labels.tree_window(llama().eval(), {}) == float("inf")
    sure = llama().eval()
    sure.lm_head.weight.data.mul_(300_000)  # as of a model that was tuned long
    assert labels.tree_window(sure, {}) == float("inf")


@pytest.mark.parametrize("make", [gpt2, llama])
@torch.no_grad()
def test_likeliest_tokens_are_those_of_separate_full_forwards(make: Any) -> None:
    model = make().eval()
    trie = trie_of(LABELS["many tokens"])
    _, best = label_log_probabilities(model, PROMPTS, trie, pad_token_id=EOS)
    assert best is not None
    before: list[list[int]] = [[], [5], [5, 8], [5, 8, 9], [6], [5, 8, 13]]
    nodes = [0, *(trie.tokens.index(path[-1]) + 1 for path in before[1:])]
    for prompt, row in zip(PROMPTS, best.tolist(), strict=True):
        for path, node in zip(before, nodes, strict=True):
            logits = model(input_ids=torch.tensor([prompt + path])).logits[0, -1]
            assert row[node] == int(logits.argmax())


def test_greedy_decoding_is_followed_as_far_as_labels_lead() -> None:
    trie = trie_of([[5, 8, EOS], [5, 9, EOS]])
    assert trie.tokens == [5, 8, 9]
    assert trie.greedy([5, 9, 7, EOS], {EOS}) == [5, 9, EOS]
    assert trie.greedy([5, EOS, 7, 7], {EOS}) == [5, EOS]
    assert trie.greedy([EOS, 7, 7, 7], {EOS}) == [EOS]
    assert trie.greedy([5, 9, EOS, 7], {EOS}) is None
    assert trie.greedy([7, 9, EOS, EOS], {EOS}) is None
    assert trie.greedy([5, 9, 7, EOS], ()) is None


def test_a_trie_shares_beginnings_and_reads_no_last_token() -> None:
    trie = trie_of([[5, 8, EOS], [5, 9, EOS], [5, EOS]])
    assert trie.tokens == [5, 8, 9]
    assert trie.parents == [-1, 0, 0]
    assert trie.depths() == [1, 2, 2]
    assert trie.paths == [
        [(-1, 5), (0, 8), (1, EOS)],
        [(-1, 5), (0, 9), (2, EOS)],
        [(-1, 5), (0, EOS)],
    ]
    assert trie.sees().tolist() == [[True, False, False], [True, True, False], [True, False, True]]


def tokens_read(prompts: list[list[int]], groups: list[list[int]], shared: int) -> int:
    tails = [max(len(prompts[index]) for index in group) - shared for group in groups]
    return sum(
        labels.PRICE + shared + tail * len(group) for tail, group in zip(tails, groups, strict=True)
    )


@pytest.mark.parametrize("shared", [0, 40])
def test_prompts_of_like_length_are_read_together(shared: int) -> None:
    lengths = [400, 60, 20, 390, 25, 900, 70]
    prompts = [[1] * shared + [2 + index] * length for index, length in enumerate(lengths)]
    groups = labels.groups_by_length(prompts, torch.device("cpu"))
    assert sorted(index for group in groups for index in group) == list(range(7))
    order = [index for group in groups for index in group]
    assert 1 < len(groups) < 7
    ways = [
        [order[start:stop] for start, stop in pairwise([0, *sorted(cuts), 7])]
        for count in range(7)
        for cuts in combinations(range(1, 7), count)
    ]
    least = min(tokens_read(prompts, way, shared) for way in ways)
    assert tokens_read(prompts, groups, shared) == least


def test_equal_prompts_and_one_prompt_are_one_reading() -> None:
    assert labels.groups_by_length([[5, 6]] * 4, torch.device("cpu")) == [[0, 1, 2, 3]]
    assert labels.groups_by_length([[5, 6]], torch.device("cpu")) == [[0]]
