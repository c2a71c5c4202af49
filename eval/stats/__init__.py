"""Intervals, tests, corrections: everything a verdict rests on."""
