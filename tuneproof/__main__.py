"""`python -m tuneproof`: the `tuneproof` command."""

from tuneproof.cli import main

main(prog_name="tuneproof")
