"""The doctor's findings over a comparison: what went wrong, by name."""
