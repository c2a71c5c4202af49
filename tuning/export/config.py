"""The settings of `tune export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuneproof.models.device import check_device

Target = Literal["safetensors", "gguf", "ollama", "vllm"]
Quantization = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q4_1"]


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """What is written, and where."""

    to: Target = "safetensors"
    """safetensors: one merged model; gguf: one file for llama.cpp and others; ollama: the same with
    a Modelfile; vllm: the merged model with the command that serves it."""
    quantization: Quantization = "q8_0"
    """What the matrices of a GGUF file are stored as."""
    out: Path | None = None
    """The folder to write; by default runs/RUN/export/ with what it is called in --to."""
    device: str = "auto"
    """Where it is merged and compared: auto, cpu, cuda, cuda:N or mps."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        check_device(self.device)

    @property
    def needs_gguf(self) -> bool:
        """Whether a GGUF file is written."""
        return self.to in ("gguf", "ollama")
