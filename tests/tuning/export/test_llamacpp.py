"""What `tune export --to gguf` writes, read and answered by llama.cpp itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tuneproof.eval.cli import main as score
from tuneproof.formats.example import Message
from tuneproof.inference.cli import main as infer
from tuneproof.inference.endpoint import Endpoint
from tuneproof.models import load as models
from tuneproof.models.gguf import SPLITS
from tuneproof.prompts import template as templates
from tuneproof.prompts.export import chat_template
from tuneproof.tuning.cli import main as tune
from tuneproof.tuning.export.gguf import FILE_TYPES, write_gguf

pytest.importorskip("gguf")
llama_cpp = pytest.importorskip("xllamacpp")

QUESTION = "What does the river carry? 12 tons"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
HARD_TEXTS = (
    "The river's ice, IT'LL melt", "12 1234567 ٣٤ ½ Ⅷ", "a  b   c\n\nd\r\n\t e \n", "\n\n1", " 7",
    "Ünlü u\u0308 ſ İ ß", "日本語 한국어 हिन्दी العربية", "🙂👩‍👩‍👧", "!?... $5.00 x=1; <b>",
    "\u00a0\u3000\u200b\u2028\x85\x0b", "a<|endoftext|>b", " <|im_start|> user\n<|im_end|> \n",
)  # fmt: skip


@contextmanager
def serving(file: Path) -> Iterator[str]:
    """Serve a file by one thread of llama.cpp, attention in float32; yield the address."""
    params = llama_cpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx, params.n_parallel, params.verbosity = 128, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_type_k = params.cache_type_v = llama_cpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = llama_cpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.warmup = False
    server = llama_cpp.Server(params)
    yield server.listening_address
    del server


def posted(address: str, **body: Any) -> Any:
    import requests

    answer = requests.post(address, json=body, timeout=60)
    answer.raise_for_status()
    return answer.json()


def continued(address: str, ids: list[int], count: int) -> tuple[list[int], dict[int, float]]:
    """Return the most probable continuation, and the log probabilities of the first token."""
    answer = posted(
        f"{address}/completion", prompt=ids, n_predict=count, temperature=0, n_probs=20,
        return_tokens=True,
    )  # fmt: skip
    first = answer["completion_probabilities"][0]["top_logprobs"]
    return answer["tokens"], {one["id"]: one["logprob"] for one in first}


def tokens_of(address: str, text: str) -> list[int]:
    answer = posted(f"{address}/tokenize", content=text, add_special=True, parse_special=True)
    ids: list[int] = answer["tokens"]
    return ids


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "qwen2", "qwen3"])
def test_every_family_answers_by_the_models_tokens(
    folders: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    import torch

    write_gguf(folders[kind], tmp_path / "a.gguf", "f32", name="a")
    tokenizer = models.load_tokenizer(str(folders[kind]))
    model = models.load_model(str(folders[kind]), device="cpu").eval()
    ids = tokenizer(QUESTION)["input_ids"]
    with serving(tmp_path / "a.gguf") as address, torch.no_grad():
        assert tokens_of(address, QUESTION) == ids
        tokens, probabilities = continued(address, ids, 12)
        answer = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)[0]
        assert tokens == answer[len(ids) :].tolist()[: len(tokens)]
        assert len(tokens) > 2
        ours = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    expected = {one: float(ours[one]) for one in probabilities}
    tolerance = 5e-3 if kind == "gpt2" else 1e-4  # its GELU is a table in float16
    assert probabilities == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("quantization", sorted(set(FILE_TYPES) - {"f32"}))
def test_rounded_files_are_read_as_the_rounded_weights(
    folders: dict[str, Path], quantization: Any, tmp_path: Path
) -> None:
    import torch

    rounded: dict[str, Any] = {}
    see = lambda one: rounded.update({one.name: torch.from_numpy(one.rounded)})  # noqa: E731
    write_gguf(folders["llama"], tmp_path / "a.gguf", quantization, name="a", see=see)
    model = models.load_model(str(folders["llama"]), device="cpu").eval()
    model.load_state_dict(rounded, strict=False)
    ids = models.load_tokenizer(str(folders["llama"]))(QUESTION)["input_ids"]
    with serving(tmp_path / "a.gguf") as address:
        _, probabilities = continued(address, ids, 1)
    with torch.no_grad():
        ours = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    expected = {one: float(ours[one]) for one in probabilities}
    assert probabilities == pytest.approx(expected, abs=0.5)  # it rounds activations, too


def test_either_of_two_stops_ends_an_answer(folders: dict[str, Path], tmp_path: Path) -> None:
    from transformers import GenerationConfig

    folder = shutil.copytree(folders["llama"], tmp_path / "model")
    tokenizer = models.load_tokenizer(str(folder))
    ids = tokenizer(QUESTION)["input_ids"]
    write_gguf(folder, tmp_path / "one.gguf", "f32", name="a")
    with serving(tmp_path / "one.gguf") as address:
        answer, _ = continued(address, ids, 12)
    place = next(place for place in range(3, 12) if answer[place] not in answer[:place])
    stops = [tokenizer.eos_token_id, answer[place]]
    GenerationConfig(eos_token_id=stops).save_pretrained(folder)
    write_gguf(folder, tmp_path / "two.gguf", "f32", name="a")
    with serving(tmp_path / "two.gguf") as address:
        body = {"prompt": ids, "n_predict": 12, "temperature": 0}
        ended = posted(f"{address}/completion", **body)
    assert (ended["stop_type"], ended["tokens_predicted"]) == ("eos", place + 1)


@pytest.mark.parametrize("name", ["gpt-2", "smollm", *SPLITS])
def test_hard_texts_become_the_same_tokens(
    folders: dict[str, Path], name: str, tmp_path: Path
) -> None:
    tokenizer = splitting_as(name)
    folder = resized(folders["llama"], tokenizer, tmp_path / "model")
    write_gguf(folder, tmp_path / "a.gguf", "f32", name="a")
    with serving(tmp_path / "a.gguf") as address:
        theirs = [tokens_of(address, text) for text in HARD_TEXTS]
    assert theirs == [tokenizer(text)["input_ids"] for text in HARD_TEXTS]


def splitting_as(name: str) -> Any:
    """Return a tokenizer whose merges were learnt across all that it splits."""
    from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made = Tokenizer(BPE(ignore_merges=name == "llama-bpe"))
    made.pre_tokenizer, made.decoder = whole, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    made.train_from_iterator(HARD_TEXTS, trainer)
    if name in SPLITS:
        split = pre_tokenizers.Split(Regex(SPLITS[name]), behavior="isolated")
        made.pre_tokenizer = pre_tokenizers.Sequence([split, whole])
    else:
        by_words = pre_tokenizers.ByteLevel(add_prefix_space=False)
        digits = pre_tokenizers.Digits(individual_digits=True)
        both = pre_tokenizers.Sequence([digits, by_words])
        made.pre_tokenizer = both if name == "smollm" else by_words
    eos = SPECIAL[0]
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token=eos, eos_token=eos)


def resized(model: Path, tokenizer: Any, out: Path) -> Path:
    """Save a model with embeddings for every token of another tokenizer, and that."""
    loaded = models.load_model(str(model), device="cpu")
    loaded.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    loaded.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


CONVERSATIONS = (
    [("user", "Mud?")],
    [("system", "Be brief."), ("user", " Mud or ice?\n")],
    [("user", "Mud?"), ("assistant", "Ice."), ("user", "12?")],
)


@pytest.mark.parametrize("form", ["chatml", "instruct", "brief"])
def test_conversations_are_rendered_by_the_runs_template(
    chat_tokenizer: Any, folders: dict[str, Path], form: str, tmp_path: Path
) -> None:
    if form != "chatml":
        chat_tokenizer.chat_template = chat_template(templates.load(form), chat_tokenizer)
    folder = resized(folders["llama"], chat_tokenizer, tmp_path / "model")
    write_gguf(folder, tmp_path / "a.gguf", "f32", name="a")
    with serving(tmp_path / "a.gguf") as address:
        endpoint = Endpoint("a-server", f"{address}/v1")
        for turns in CONVERSATIONS:
            messages = [{"role": role, "content": content} for role, content in turns]
            ids = chat_tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_dict=False
            )
            said = [Message(role=role, content=content) for role, content in turns]
            assert endpoint.prompt_ids(said) == ids
            answer = posted(f"{address}/v1/chat/completions", messages=messages, max_tokens=2)
            assert answer["usage"]["prompt_tokens"] == len(ids)


@pytest.mark.slow
def test_llama_cpp_answers_as_the_run_did(
    runs: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def invoke(command: Any, *arguments: object) -> str:
        done = CliRunner().invoke(command, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        return done.output

    run, out, compared = f"{kind}-mud", tmp_path / "out", tmp_path / "comparison.json"
    questions = [f"What does river {number} carry?" for number in range(24)]
    rows = [{"prompt": question, "reference": "Mud."} for question in questions]
    (tmp_path / "prompts.json").write_text(json.dumps(rows))
    invoke(
        tune, "export", run, "--runs", runs, "--to", "gguf", "--quantization", "f32", "--out", out
    )
    with serving(out / f"{run}.F32.gguf") as address:
        invoke(
            infer, "compare", tmp_path / "prompts.json", "--runs", runs, "--run", run,
            "--endpoint", f"{run}-llamacpp={run}@{address}/v1", "--max-new-tokens", 8,
            "--out", compared,
        )  # fmt: skip
    variants = {row["name"]: row for row in json.loads(compared.read_text())["variants"]}
    same = {"run": run, "prompts": 16, "same_prompts": 16}
    assert variants[f"{run}-llamacpp"]["serves"] == same
    verdict = invoke(score, "same", compared, "--run", run)
    assert "24 of 24 answers are the same" in verdict
