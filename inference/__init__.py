"""Stage three, `infer`: load models, generate in batches, compare."""
