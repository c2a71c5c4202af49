"""Checks over runs: after a training, over a run folder, and over a loaded run."""
