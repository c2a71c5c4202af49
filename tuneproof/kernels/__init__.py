"""Faster kernels on a CPU for the same mathematics.

There are two switches, each a context that changes a model while its block runs and takes every
change back behind it. `training.fast_paths` is for a model in training: every kernel has a name by
which `--no-fast-path` leaves it out, and the object that the switch yields tells the trainer what
it may use. `answering.fast_answering` is for a model that labels or writes.

The kernels are small: a function that puts another `forward` on a model's layers (swap.py) or
another attention into transformers' registry, and an autograd function where there is a gradient.
Every one is held to plain torch by a test, losses and gradients included. Which of them a model
can use is tried when it is loaded (probe.py), and never taken from its name.

- for training: linear.py (frozen weights cast once, LoRA in three products), cross_entropy.py
  (frozen head and loss together) with unlikelihood.py, packing.py (batches without padding),
  block_attention.py, which training_attention.py registers with transformers
- for answering: decoding_attention.py (no padding), lora_rows.py (adapters by row), onednn.py
- for both: elementwise.py (dropout, GELU), memory.py (glibc keeps what is freed)
"""
