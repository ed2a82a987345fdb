"""Studies of conditioning and accuracy: each a module with a command of its own.

They append rows to CSV files under `benchmarks/results` and skip what is there, so that a run may
be stopped and started again.
"""
