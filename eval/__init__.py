"""Stage four, `score`: metrics, statistics and reports. Needs no torch."""
