"""Adapters of implementations that nobody here wrote: see `README.md` of the folder above."""
