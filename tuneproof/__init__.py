"""Fine-tune a small language model, and prove whether it helped."""
