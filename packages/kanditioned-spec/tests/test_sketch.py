"""Summaries of a stream: exact while small, bounded after."""

from __future__ import annotations

import numpy as np
import pytest

from kanditioned_spec.sketch import CAPACITY, LARGEST, Sketch


def filled(values: np.ndarray, pieces: int = 1) -> Sketch:
    sketch = Sketch()
    for part in np.array_split(values, pieces):
        sketch.add(part)
    return sketch


@pytest.mark.parametrize("pieces", [1, 7])
def test_as_many_numbers_as_fit_are_kept_as_they_are(pieces: int) -> None:
    x = np.random.default_rng(0).integers(0, 50, CAPACITY).astype(float)
    values, weights = filled(x, pieces).distribution()
    want, counts = np.unique(x, return_counts=True)
    np.testing.assert_array_equal(values, want)
    np.testing.assert_array_equal(weights, counts)


@pytest.mark.parametrize("pieces", [1, 10, 1000])
@pytest.mark.parametrize("order", ["random", "rising"])
def test_ranks_of_a_long_stream_are_off_by_little(pieces: int, order: str) -> None:
    """A standard deviation of 1/CAPACITY, and never five of them here."""
    x = np.random.default_rng(0).permutation(300_000).astype(float)
    x = np.sort(x) if order == "rising" else x
    values, weights = filled(x, pieces).distribution()
    assert weights.sum() == x.size
    ranks = (np.cumsum(weights) - weights / 2) / x.size
    assert np.abs(ranks - (values + 0.5) / x.size).max() <= 5 / CAPACITY
    assert values[0] == 0
    assert values[-1] == x.size - 1


def test_memory_does_not_grow_with_the_data() -> None:
    rng, sketch, sizes = np.random.default_rng(0), Sketch(), []
    for _ in range(200):
        sketch.add(rng.normal(size=10_000))
        sizes.append(sketch.distribution().values.size)
    assert max(sizes) <= 4 * CAPACITY


@pytest.mark.parametrize("offset", [0.0, 1.7e9, -1e15])
@pytest.mark.parametrize("pieces", [1, 13])
def test_moments_do_not_cancel(offset: float, pieces: int) -> None:
    x = np.random.default_rng(0).integers(-1000, 1000, 5000) * 8.0
    sketch = filled(x + offset, pieces)
    assert sketch.count == x.size
    assert sketch.mean == pytest.approx(x.mean() + offset, abs=abs(offset) * 1e-15)
    assert sketch.squares / x.size == pytest.approx(x.var(), rel=1e-6)


def test_what_is_not_a_usable_number_is_left_out() -> None:
    sketch = filled(np.array([np.nan, 1.0, np.inf, -np.inf, 2 * LARGEST, 3.0]))
    np.testing.assert_array_equal(sketch.distribution().values, [1.0, 3.0])
    assert sketch.count == 2
    assert sketch.mean == 2.0


def test_the_same_stream_gives_the_same_sketch() -> None:
    x = np.random.default_rng(0).normal(size=50_000)
    state = np.random.get_state()[1]  # noqa: NPY002 - that nothing touches it is the point
    first, second = (filled(x, 10).distribution() for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
