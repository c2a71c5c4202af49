"""`python -m inference`: the `infer` command."""

from tuneproof.inference.cli import main

main(prog_name="infer")
