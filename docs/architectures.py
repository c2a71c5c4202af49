"""Try every step on small random models of many architectures, and write docs/architectures.md.

`python -m docs.architectures` trains a model of each, asks it, scores labels, merges, exports and
trains a head, and writes down what worked. Answers and probabilities are compared with those of
plain forward passes without any cache, so that a step that ends is also right.
"""

from __future__ import annotations

import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError

PAGE = Path(__file__).parent / "architectures.md"
STEPS = ("train", "answers", "labels", "merge", "export", "classify")
SMALL: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128,
}  # fmt: skip
"""The shape of a model by the names that most configs have."""
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
WINDOW = {"sliding_window": 16}
"""Of models that see only so many tokens: the examples are longer."""
FEW_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
KINDS: dict[str, dict[str, Any]] = {
    "gpt2": GPT,
    "gpt_neo": {
        **SMALL, "num_layers": 2, "num_heads": 4, "window_size": 16,
        "attention_types": [[["global", "local"], 1]],
    },
    "gptj": {**GPT, "rotary_dim": 4},
    "gpt_neox": SMALL,
    "gpt_bigcode": GPT,
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "opt": {**SMALL, "ffn_dim": 48, "word_embed_proj_dim": 32},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "phi": SMALL,
    "phi3": {**SMALL, **WINDOW},
    "llama": SMALL,
    "smollm3": {**SMALL, "no_rope_layers": [1, 0]},
    "qwen2": SMALL,
    "qwen3": SMALL,
    "qwen3_moe": {**SMALL, **FEW_EXPERTS, "num_experts": 4},
    "mistral": {**SMALL, **WINDOW},
    "mixtral": {**SMALL, **WINDOW, "num_local_experts": 4},
    "gemma": SMALL,
    "gemma2": {**SMALL, **WINDOW, "query_pre_attn_scalar": 8},
    "gemma3_text": {**SMALL, **WINDOW, "query_pre_attn_scalar": 8, "num_hidden_layers": 4,
                    "layer_types": ["sliding_attention", "full_attention"] * 2},
    "gemma3": {},
    "olmo": SMALL,
    "olmo2": SMALL,
    "stablelm": SMALL,
    "starcoder2": {**SMALL, **WINDOW},
    "granite": SMALL,
    "cohere": SMALL,
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "time_step_rank": 4},
    "bert": SMALL,
    "t5": {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
    "bart": {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 48,
             "decoder_ffn_dim": 48, "encoder_attention_heads": 4, "decoder_attention_heads": 4},
}  # fmt: skip
"""Type of the config -> the settings in which it differs from transformers' defaults."""
LABELS = ("red clay", "red sand", "ice")
NEW = 6
"""Tokens of an answer."""
GAP = 1e-3
"""Between two logits or probabilities that are the same."""


@dataclass(kw_only=True)
class Trial:
    """What became of every step with one architecture."""

    kind: str
    """Type of the config."""
    steps: dict[str, str] = field(default_factory=dict)
    """Step -> ``yes``, or the error's text."""
    fast_paths: Mapping[str, int] = field(default_factory=dict)
    """What was turned on in training, see kernels/training.py."""
    is_unpadded: bool = False
    """Whether answers are written without padding."""

    def cell(self, step: str) -> str:
        """Return what became of a step, in a word."""
        return {"yes": "yes", None: "-"}.get(self.steps.get(step), "no")

    def speed(self) -> tuple[str, str]:
        """Return how batches are trained, and whether answers need no padding."""
        used = self.fast_paths
        way = "packed" if "packing" in used else "in blocks" if "attention" in used else "-"
        return way, "no padding" if self.is_unpadded else "-"


def trial(kind: str, folder: Path) -> Trial:
    """Return what works with an architecture; the folder is for its files."""
    result = Trial(kind=kind)
    make_model(kind, folder / "model")
    _write_data(folder / "data")
    for step in STEPS:
        if step != "classify" and result.steps.get("train", "yes") != "yes":
            continue
        try:
            with _quiet():
                _DOES[step](folder, result)
            result.steps[step] = "yes"
        except InputError as error:
            result.steps[step] = str(error).replace(str(folder / "model"), "MODEL")
        except Exception as error:
            result.steps[step] = f"{type(error).__name__}: {error}"
    return result


def make_model(kind: str, folder: Path) -> None:
    """Save a model with random weights and a small tokenizer."""
    import torch
    import transformers

    tokenizer = _tokenizer()
    ends = {name: tokenizer.eos_token_id for name in ("bos_token_id", "eos_token_id")}
    shared = {"vocab_size": len(tokenizer), "pad_token_id": None, "initializer_range": 0.2, **ends}
    torch.manual_seed(0)
    if kind == "gemma3":
        text = {**KINDS["gemma3_text"], **shared}
        vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                  "num_attention_heads": 2, "image_size": 28, "patch_size": 14}  # fmt: skip
        config: Any = transformers.Gemma3Config(
            text_config=text, vision_config=vision, mm_tokens_per_image=4, **ends
        )
        model = transformers.Gemma3ForConditionalGeneration(config)
    else:
        config = transformers.AutoConfig.for_model(kind, **KINDS[kind], **shared)
        auto = {"bert": "AutoModel", "t5": "AutoModelForSeq2SeqLM", "bart": "AutoModelForSeq2SeqLM"}
        model = getattr(transformers, auto.get(kind, "AutoModelForCausalLM")).from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    text = "### Instruction:\nWhat does the river carry?\n\n### Input:\n### Response:\n"
    made.train_from_iterator([text, "the slow river carries red clay sand ice to the sea"], trainer)
    ends = dict.fromkeys(("bos_token", "eos_token", "pad_token"), "<|endoftext|>")
    return PreTrainedTokenizerFast(tokenizer_object=made, **ends)


def _write_data(folder: Path) -> None:
    rows = [
        {
            "id": f"r{number}", "task": "river", "instruction": "What does the river carry?",
            "input": "the slow river " * (number % 3) + f"carries {LABELS[number % 3]} to the sea",
            "output": LABELS[number % 3],
        }
        for number in range(16)
    ]  # fmt: skip
    folder.mkdir()
    for name, part in (("train", rows[:8]), ("val", rows[8:12]), ("test", rows[12:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    manifest = {"schema": "tuneproof/data@1", "labels": {"river": list(LABELS)}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    asked = [
        f"What does river {number} carry? {'the slow sea ' * 2 * number}" for number in range(3)
    ]
    (folder.parent / "prompts.json").write_text(json.dumps(asked))


def _settings(folder: Path, **changes: Any) -> Any:
    from tuneproof.tuning.config import TuneConfig

    return TuneConfig(
        data=folder / "data", model=str(folder / "model"), runs=folder / "runs", max_length=96,
        max_steps=2, per_device_train_batch_size=4, learning_rate=1e-2, lora_r=2,
        mixed_precision="no", **{"name": "lora", **changes},
    )  # fmt: skip


def _train(folder: Path, result: Trial) -> None:
    from tuneproof.tuning.run import finetune

    result.fast_paths = finetune(_settings(folder)).fast_paths or {}


def _answers(folder: Path, result: Trial) -> None:
    """Compare base and run, and check every answer against plain forward passes."""
    from tuneproof.inference.decode import is_padded

    loaded, items = _compared(folder, "prompts.json")
    result.is_unpadded = not is_padded(loaded[0].model)
    for item in items:
        for variants, name in _each(loaded):
            new: list[int] = []
            ids = variants.ask(name, item, NEW).prompt_ids
            while len(new) < NEW:
                new.append(int(_logits(variants, name, [*ids, *new])[-1].argmax()))
                if new[-1] == variants.tokenizer.eos_token_id:
                    break
            wanted = variants.tokenizer.decode(new, skip_special_tokens=True).strip()
            if (written := (item.answers[name].text or "").strip()) != wanted:
                raise ValueError(f"{name} answers {written!r}, not {wanted!r}")


def _labels(folder: Path, _: Trial) -> None:
    """Compare base and run on labels, and check the probabilities against plain forward passes."""
    import torch

    from tuneproof.prompts.fit import completion_ids

    loaded, items = _compared(folder, "data/test.jsonl")
    for item in items:
        for variants, name in _each(loaded):
            totals = []
            ids = variants.ask(name, item, NEW).prompt_ids
            for label in LABELS:
                tokens = completion_ids(variants.forms[name].template, variants.tokenizer, label)
                logs = _logits(variants, name, [*ids, *tokens[:-1]]).log_softmax(-1)
                totals.append(logs[len(ids) - 1 :][range(len(tokens)), tokens].sum())
            wanted = torch.stack(totals).softmax(0).tolist()
            scored = [(item.answers[name].label_probabilities or {})[label] for label in LABELS]
            gap = max(abs(one - other) for one, other in zip(wanted, scored, strict=True))
            if not gap <= GAP:
                raise ValueError(f"{name}: a probability is off by {gap:.2g}")


def _each(loaded: Sequence[Any]) -> list[tuple[Any, str]]:
    """Return every variant by its name, with what it is loaded in."""
    return [(variants, name) for variants in loaded for name in variants.names]


def _compared(folder: Path, prompts: str) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return base and run as loaded, and what both have answered to the prompts of a file."""
    from tuneproof.formats.run_names import finished_run
    from tuneproof.inference.compare import compare
    from tuneproof.inference.config import CompareConfig
    from tuneproof.inference.variants import load_variants

    config = CompareConfig(
        run=("lora",), runs=folder / "runs", out=folder / f"{Path(prompts).stem}-comparison.json",
        max_new_tokens=NEW, no_baselines=True, few_shot=0, dtype="float32",
    )  # fmt: skip
    comparison = compare(folder / prompts, config)
    scored = LABELS if comparison.labels else ()
    run = finished_run(config.runs, "lora")
    return load_variants([run], dtype="float32", labels=scored), comparison.items


def _logits(variants: Any, name: str, ids: Sequence[int]) -> Any:
    """Return the logits after each token of one text: a plain forward pass, shape (tokens, all)."""
    import torch

    is_base = variants.adapters and name not in variants.adapters
    alone = variants.model.disable_adapter() if is_base else nullcontext()
    with torch.inference_mode(), alone:
        return variants.model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0]


def _merge(folder: Path, _: Trial) -> None:
    from tuneproof.formats.run_names import finished_run
    from tuneproof.tuning.merge import merge_run

    merge_run(finished_run(folder / "runs", "lora"), folder / "merged")


def _export(folder: Path, _: Trial) -> None:
    """Read what was saved by transformers and PEFT alone; both must say the same."""
    import torch
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    given = AutoTokenizer.from_pretrained(folder / "merged")("the slow river", return_tensors="pt")
    ids = given["input_ids"]
    logits = []
    for kind, part in (
        (AutoModelForCausalLM, "merged"),
        (AutoPeftModelForCausalLM, "runs/lora/adapter"),
    ):
        with torch.inference_mode():
            logits.append(kind.from_pretrained(folder / part).eval()(input_ids=ids).logits)
    if (gap := float((logits[0] - logits[1]).abs().max())) > GAP:
        raise ValueError(f"merged weights and adapter differ by {gap:.2g}")


def _classify(folder: Path, _: Trial) -> None:
    """Train a head, and label texts by it."""
    from tuneproof.formats.example import read_prompts
    from tuneproof.formats.run_names import finished_run
    from tuneproof.inference.classifier import load_head
    from tuneproof.tuning.run import finetune

    finetune(_settings(folder, name="head", objective="classify"))
    head = load_head(finished_run(folder / "runs", "head"), LABELS, dtype="float32")
    head.answer(read_prompts(folder / "data/test.jsonl"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings and logs out of the way."""
    import warnings

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


_DOES: dict[str, Callable[[Path, Trial], None]] = {
    "train": _train, "answers": _answers, "labels": _labels, "merge": _merge, "export": _export,
    "classify": _classify,
}  # fmt: skip


TABLE = re.compile(r"(<!-- trials -->\n).*?(<!-- end -->\n)", re.DOTALL)


def table(trials: Sequence[Trial]) -> str:
    """Return a table of what works, with the reasons of what does not below it."""
    head = ("architecture", *STEPS, "in training", "in answering")
    lines = [[f"`{one.kind}`", *map(one.cell, STEPS), *one.speed()] for one in trials]
    rows = (f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *lines))
    notes: dict[str, list[str]] = {}
    for one in trials:
        for step, said in one.steps.items():
            if said != "yes":
                notes.setdefault(said, []).append(f"`{one.kind}` {step}")
    return (
        "".join(rows) + "".join(f"\n- {', '.join(w)}: {said}" for said, w in notes.items()) + "\n"
    )


def main() -> None:
    """Try every architecture, and write the page."""
    trials = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            trials.append(trial(kind, Path(folder)))
        print(trials[-1], flush=True)
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda m: m[1] + table(trials) + m[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
