"""One module per source: it maps the upstream fields to a Record, and nothing else."""
