"""What `python -m benchmarks auto` compares, and how."""

from __future__ import annotations

import argparse

import pytest

from benchmarks.speed import auto
from benchmarks.speed.timing import Timing

STOCK = ["embedding", "strided", "embedding_bag", "sorted", "sparse_csr", "dense"]


def timed(seconds: list[float]) -> Timing:
    return Timing(0.0, seconds)


def test_the_quotient_is_the_median_within_rounds() -> None:
    """A slow round, slow for all, changes nothing."""
    timings = {
        "torch auto": timed([1.0, 9.0, 1.0]),
        "torch dense": timed([0.5, 4.5, 0.5]),
        "torch sorted": timed([1.0, 1.0, 1.0]),
    }
    assert auto.verdict(timings, "torch auto") == auto.Verdict("torch dense", 2.0, 1e3, 500.0)


@pytest.mark.parametrize(
    ("framework", "native", "names"),
    [
        ("torch", True, [*STOCK, "cpu"]),
        ("torch", False, STOCK),
        ("jax", False, ["lookup", "dense"]),
    ],
)
def test_contenders_are_those_that_auto_chooses_from(
    framework: str, native: bool, names: list[str]
) -> None:
    given = argparse.Namespace(framework=framework, native=native, compiled=False, device="cpu")
    labels = [c.label for c in auto.contenders(given)]
    assert labels == [f"{framework} {name}" for name in ["auto", *names]]
