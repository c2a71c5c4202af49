"""`python -m eval`: the `score` command."""

from tuneproof.eval.cli import main

main(prog_name="score")
