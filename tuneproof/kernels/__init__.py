"""Faster ways on a CPU through the same mathematics, each of which can be switched off."""
