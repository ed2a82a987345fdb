"""How fast layers are, beside others: the verbs of `python -m benchmarks`."""
