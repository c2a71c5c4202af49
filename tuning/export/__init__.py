"""Export a run to what other programs serve: safetensors, GGUF, Ollama, vLLM."""
