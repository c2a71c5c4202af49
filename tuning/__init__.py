"""Stage two, `tune`: teach a model to answer or to label, list runs, merge."""
