"""The doctor's findings over data, runs and loaded models: what went wrong, by name."""
