"""From scores to report.html, report.md and report.json."""
