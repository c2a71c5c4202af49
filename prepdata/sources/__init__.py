"""One module per source: it maps the upstream fields to a Example, and nothing else."""
