"""`python -m tuning`: the `tune` command."""

from tuneproof.tuning.cli import main

main(prog_name="tune")
