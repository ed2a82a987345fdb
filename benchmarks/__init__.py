"""Side-by-side measurements: what runs (`cases`, `competitors`), how (`timing`), what came out.

Run from the repository root: `python -m benchmarks --help`.
"""
