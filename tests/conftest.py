"""What several rooms test with: a small tokenizer, and the folder of public data where it is."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models are too small to share out

ROOT = Path(__file__).parents[1]
EOS = "<|endoftext|>"


@pytest.fixture(scope="session", autouse=True)
def small_matrix_products() -> Iterator[None]:
    """Every training measures the machine's matrix products: one of 2 MFLOP is enough here."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ROWS", "WIDTH", "OUT"):
            patch.setattr(f"tuneproof.tuning.cost.machine.{name}", 100)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_sample_answers() -> Iterator[None]:
    """A training answers no samples unless a test asks for them: they are a tenth of its time."""
    from tuneproof.tuning.config import TuneConfig

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TuneConfig.__init__.__kwdefaults__, "sample_prompts", 0)
        yield


@cache
def take_modules_from_garbage_collection() -> None:
    """Let the objects that there are stay, unseen; once."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def imported_modules_are_no_garbage() -> None:
    """Every training collects garbage several times; going through the modules took 0.3 s each."""
    if "trl" in sys.modules:
        take_modules_from_garbage_collection()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data: $TUNEPROOF_TEST_DATA, or shared/data in or beside the checkout."""
    named = os.environ.get("TUNEPROOF_TEST_DATA")
    folders = [Path(named)] if named else [ROOT / "shared/data", ROOT.parent / "shared/data"]
    for folder in folders:
        if folder.is_dir():
            return folder
    pytest.skip("no public data; set TUNEPROOF_TEST_DATA to the folder that holds it")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of SmolLM2-135M-Instruct, where `tune fetch smollm2` left it."""
    from tuneproof.models.fetch import folder_of

    if not (folder_of("smollm2") / "config.json").is_file():
        pytest.skip("no SmolLM2; `make smollm2` fetches it")
    return folder_of("smollm2")


HEAVY = {
    "torch", "transformers", "trl", "peft", "datasets", "numpy", "accelerate", "matplotlib",
    "scipy", "sklearn", "pyarrow", "rensa", "jinja2", "optuna", "sqlalchemy", "starlette",
    "uvicorn",
}  # fmt: skip


@pytest.fixture(scope="session")
def heavy_imports_of_help() -> Callable[[str, str], list[str]]:
    """Run `--help` of a room's command in a process of its own; return what it imported."""

    def run(room: str, command: str) -> list[str]:
        code = (
            f"import sys\nfrom tuneproof.{room}.cli import main\n"
            f"try: main([*{command.split()!r}, '--help'])\nexcept SystemExit: pass\n"
            f"print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith("Usage: ")
        return done.stderr.split()

    return run


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A browser whose downloads go to tmp_path; see `tests.browser`."""
    from tests.browser import Browser

    driven = Browser(tmp_path / "profile", tmp_path)
    yield driven
    driven.close()


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """A byte-level BPE of 400 tokens with GPT-2's EOS, made in memory."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = [
        "### Instruction:\nWhat does the river carry to the sea?\n\n### Response:\nMud and stones.",
        "### Input:\nThe river is slow and wide; in the winter there is ice on it, tons of ice.",
    ]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token=EOS, eos_token=EOS)


SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {
        "n_positions": 128,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 2,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
    },
    "llama": {
        "max_position_embeddings": 128,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    },
}
"""Minute models: 2 layers, 32 wide, 128 tokens of context."""


@pytest.fixture(scope="session")
def make_model(tokenizer: Any) -> Callable[..., Path]:
    """Save a random model of a type with the small tokenizer; weights are far from zero."""

    def make(folder: Path, kind: str = "gpt2", seed: int = 0, **changes: Any) -> Path:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        eos = tokenizer.eos_token_id
        shape = {**SHAPES.get(kind, SHAPES["llama"]), **changes}
        config = AutoConfig.for_model(
            kind, vocab_size=len(tokenizer), bos_token_id=eos, eos_token_id=eos,
            pad_token_id=None, initializer_range=0.2, **shape,
        )  # fmt: skip
        torch.manual_seed(seed)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session", params=sorted(SHAPES))
def kind(request: pytest.FixtureRequest) -> str:
    """Each of the two shapes of models: Conv1D with learned positions, Linear with rotary ones."""
    return str(request.param)


@pytest.fixture(scope="session")
def base_models(make_model: Callable[..., Path], tmp_path_factory: Any) -> dict[str, Path]:
    """A minute random model of each shape."""
    folder = tmp_path_factory.mktemp("models")
    return {kind: make_model(folder / kind, kind) for kind in SHAPES}


@pytest.fixture(scope="session")
def write_data() -> Callable[..., Path]:
    """Write a data folder of records that all have the same answer."""

    def write(folder: Path, answer: str = "Mud.", train: int = 24, validation: int = 4) -> Path:
        rows = [
            {
                "id": f"r{number}",
                "task": "river",
                "instruction": f"What does river {number} carry?" + " Say it." * (number % 3),
                "input": "The river is slow and wide." * (number % 2),
                "output": answer,
            }
            for number in range(train + validation)
        ]
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in (("train", rows[:train]), ("val", rows[train:]), ("test", [])):
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
        return folder

    return write


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Any]:
    """Write the run.json of a finished run of a name, with changes."""
    from tuneproof.formats import run as formats

    counts = formats.Counts(examples=1200, tokens=9000, longest=64, trained_tokens=900, shortened=0)

    def make(name: str, **changes: Any) -> formats.Run:
        values = {
            "state": "finished",
            "config": {"model": "tiny", "method": "lora", "objective": "generate"},
            "template": formats.Template(name="mine", text="{{ instruction }}{{ input }}"),
            "quantization": None,
            "base": formats.Base(model="tiny", weights_sha256="0" * 64),
            "data": formats.Data(
                folder="data", fingerprint="1", tasks=["river"], labels={}, train=counts,
                validation=counts,
            ),
            "parameters": formats.Parameters(trainable=5, total=1000),
            "adapted_layers": ["c_attn"],
            "versions": {},
            "learning_rate": 1e-3,
            "products": "float32",
            "made_by": "tune run",
            "result": formats.Result(
                steps=3, epochs=1.0, examples_seen=9, tokens_seen=90, first_loss=2.0,
                last_loss=1.25, best_validation_loss=None, best_step=None, wall_seconds=90.0,
                peak_memory_bytes=7,
            ),
        }  # fmt: skip
        run = formats.Run(folder=tmp_path / name, **{**values, **changes})
        formats.write_run(run)
        return run

    return make


@pytest.fixture(scope="session")
def runs(
    base_models: dict[str, Path], write_data: Callable[..., Path], tmp_path_factory: Any
) -> Path:
    """Runs gpt2-mud, gpt2-ice, llama-mud and llama-ice, each tuned to one answer of its own."""
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    folder: Path = tmp_path_factory.mktemp("tuned")
    for answer in ("Mud.", "tons of ice"):
        name = answer.strip(".").split()[-1].lower()
        data = write_data(folder / f"data-{name}", answer)
        for model_kind, model in base_models.items():
            config = TuneConfig(
                data=data, model=str(model), name=f"{model_kind}-{name}", runs=folder / "runs",
                max_length=96, num_train_epochs=12, per_device_train_batch_size=4,
                learning_rate=1e-2, lora_r=4,
            )  # fmt: skip
            finetune(config)
    return folder / "runs"
