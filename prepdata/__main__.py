"""`python -m prepdata`: the `prepdata` command."""

from tuneproof.prepdata.cli import main

main(prog_name="prepdata")
