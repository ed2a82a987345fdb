"""Checks against references that are not ours."""
