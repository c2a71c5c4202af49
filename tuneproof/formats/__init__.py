"""The documented files that stages hand on: their types, readers and writers."""
