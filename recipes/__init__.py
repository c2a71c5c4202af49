"""The experiments as YAML, and the `recipe` command that runs all four stages."""
