from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.errors import InputError
from tuneproof.eval.cli import main as score
from tuneproof.files import fingerprint
from tuneproof.formats.run import read_run
from tuneproof.inference.cli import main as infer
from tuneproof.tuning.cli import main as tune
from tuneproof.tuning.export.config import ExportConfig
from tuneproof.tuning.export.export import export_run

pytest.importorskip("gguf")


def invoke(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    rows = [
        {"prompt": f"What does river {number} carry?", "reference": "Mud."} for number in range(24)
    ]
    (tmp_path / "prompts.json").write_text(json.dumps(rows))
    return tmp_path / "prompts.json"


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_what_is_served_is_shown_to_be_what_was_measured(
    runs: Path, kind: str, prompts: Path, tmp_path: Path
) -> None:
    run, out = f"{kind}-mud", tmp_path / "served"
    done = invoke(tune, "export", run, "--runs", runs, "--to", "ollama", "--out", out)
    assert done.exit_code == 0, done.output
    assert "read back: tokens, special tokens and chat template are the same" in done.output
    assert "greedy answers that are the same: 3 of 3" in done.output
    file = out / f"{run}.Q8_0.gguf"
    assert sorted(path.name for path in out.iterdir()) == [
        "Modelfile", "README.md", "export.json", file.name,
    ]  # fmt: skip
    record = json.loads((out / "export.json").read_text())
    assert record["files"][file.name] == fingerprint(file)
    assert "### Instruction:" in (out / "Modelfile").read_text()

    compared = tmp_path / "comparison.json"
    done = invoke(
        infer, "compare", prompts, "--runs", runs, "--run", run, "--merged", run,
        "--gguf", f"{run}-q8={file}", "--max-new-tokens", 8, "--out", compared,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = {row["name"]: row for row in json.loads(compared.read_text())["variants"]}
    for name in (f"{run}-merged", f"{run}-q8"):
        assert rows[name]["serves"] == {"run": run, "prompts": 24, "same_prompts": 24}
    done = invoke(score, "same", compared, "--run", run)
    assert done.exit_code == 0, done.output
    assert f"{run}-q8 and {run}: the same within 0.020 of ROUGE-L" in done.output
    assert "24 of 24 answers are the same" in done.output


@pytest.mark.slow
def test_folder_for_vllm_holds_the_merged_model_and_its_command(runs: Path, tmp_path: Path) -> None:
    run, out = read_run(runs / "gpt2-mud"), tmp_path / "vllm"
    exported = export_run(run, ExportConfig(to="vllm", out=out))
    assert (out / "model.safetensors").is_file()
    text = (out / "vllm.sh").read_text()
    assert "vllm serve . --served-model-name gpt2-mud --dtype float32" in text
    shown = "\n".join(exported.lines())
    assert "--enable-lora --max-lora-rank 8 --lora-modules" in shown
    assert "--endpoint gpt2-mud-vllm=gpt2-mud@http://localhost:8000/v1" in shown
    assert "chat_template" in " ".join(path.name for path in out.iterdir())
    assert stat.S_IMODE((out / "vllm.sh").stat().st_mode) & stat.S_IXUSR


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["turned", "template"])
def test_file_that_is_not_what_was_measured_is_not_left(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "turned":  # rotary halves left as transformers has them
        monkeypatch.setattr("tuneproof.tuning.export.gguf._rotary_heads", lambda *_: None)
        message = "logits differ from its weights' by"
    else:
        from gguf import GGUFWriter

        monkeypatch.setattr(GGUFWriter, "add_chat_template", lambda *_: None)
        message = "chat_template is None"
    config = ExportConfig(to="gguf", quantization="f32", out=tmp_path / "out")
    with pytest.raises(InputError, match=message):
        export_run(read_run(runs / "llama-mud"), config)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_one_line(make_run: Callable[..., Any], tmp_path: Path) -> None:
    from tuneproof.formats.run import Head

    head = Head(labels=["a", "b"], modules=["score"], pad_token_id=0)
    config = {"model": "tiny", "method": "lora", "objective": "classify"}
    make_run("head", head=head, config=config, template=None)
    done = invoke(tune, "export", "head", "--runs", tmp_path, "--to", "gguf")
    assert done.exit_code == 2
    assert "trained a classification head, which --to gguf has no form for" in done.output
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("Dear")
    done = invoke(tune, "export", "head", "--runs", tmp_path, "--out", tmp_path / "full")
    assert done.exit_code == 2
    assert "is not empty; choose another --out" in done.output


def test_a_gguf_file_needs_a_run_to_be_compared_with(prompts: Path) -> None:
    done = invoke(infer, "compare", prompts, "--gguf", "a.gguf")
    assert done.exit_code == 2
    assert "nothing to ask; name a run with --run" in done.output
