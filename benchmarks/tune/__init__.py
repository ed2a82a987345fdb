"""The tables by which `impl="auto"` chooses, measured: a command for each framework.

`python -m benchmarks.tune.torch` and `python -m benchmarks.tune.jax` write the `selection.json` of
the installed package; `measurement` is what they share.
"""
