"""Stage one, `prepdata`: sources become records, splits and JSONL files."""
