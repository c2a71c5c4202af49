"""The embedded base model: weights, tokenizer, card, and the script that trained it."""
