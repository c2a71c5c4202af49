"""`python -m recipes`: the `recipe` command."""

from tuneproof.recipes.cli import main

main(prog_name="recipe")
