"""The edges of a layer: moments of their outputs, and views for NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest

from kanditioned_spec import Grid, edges, reference

GRID = Grid(6, 3.0)
C = np.random.default_rng(0).normal(size=(2, 6, 3))


def outputs_of_edges(x: np.ndarray) -> np.ndarray:
    """Return the output of every edge, shape (B, I, O)."""
    per_feature = [reference.forward(x[:, i : i + 1], C[i : i + 1], 3.0) for i in range(2)]
    return np.stack(per_feature, axis=1)


def test_spread_is_that_of_the_outputs() -> None:
    x = np.random.default_rng(1).normal(size=(500, 2)) * 2  # some beyond the domain
    moments = edges.Moments(2, GRID)
    moments.add(x[:200])
    moments.add(x[200:])
    mean, std = moments.spread(C)
    outputs = outputs_of_edges(x)
    np.testing.assert_allclose(mean, outputs.mean(0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(std, outputs.std(0), rtol=1e-12)


def test_uniform_moments_are_those_of_the_domain() -> None:
    middles = (np.arange(50_000) + 0.5) / 50_000 * 3.0 - 1.5
    outputs = outputs_of_edges(np.stack([middles, middles], 1))
    mean, std = edges.Moments.uniform(2, GRID).spread(C)
    np.testing.assert_allclose(mean, outputs.mean(0), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(std, outputs.std(0), rtol=1e-8)


def test_batches_one_after_the_other_give_the_bits_of_all_at_once() -> None:
    x = np.random.default_rng(1).normal(size=(500, 2))
    whole, parts = edges.Moments(2, GRID), edges.Moments(2, GRID)
    whole.add(x)
    for part in np.split(x, 10):
        parts.add(part)
    np.testing.assert_array_equal(whole.sums, parts.sums)


def test_nan_spoils_its_feature_alone() -> None:
    moments = edges.Moments(2, GRID)
    moments.add([[0.5, np.nan], [0.1, 0.2]])
    _, std = moments.spread(C)
    assert np.isfinite(std[0]).all()
    assert np.isnan(std[1]).all()


@pytest.mark.parametrize("feature", [None, 0, 1])
def test_numpy_interpolates_what_the_layer_computes(feature: int | None) -> None:
    at, values = edges.to_numpy("f", C, GRID, feature, 2)
    x = np.linspace(-1.5, 1.5, 41)
    for i in (0, 1) if feature is None else (feature,):
        edge = values[i] if feature is None else values
        want = outputs_of_edges(np.stack([x, x], 1))[:, i, 2]
        np.testing.assert_allclose(np.interp(x, at, edge), want, atol=1e-12)


def test_values_are_a_copy() -> None:
    _, values = edges.to_numpy("f", C, GRID, 0, 0)
    values[:] = 0
    assert C[0, :, 0].any()


def test_scipy_extrapolates_as_the_layer_does() -> None:
    x = np.linspace(-9, 9, 31)
    want = outputs_of_edges(np.stack([x, x], 1))
    np.testing.assert_allclose(edges.to_scipy("f", C, GRID)(x), want, atol=1e-11)
    np.testing.assert_allclose(edges.to_scipy("f", C, GRID, 1, 0)(x), want[:, 1, 0], atol=1e-11)


def test_features_that_are_not_there() -> None:
    with pytest.raises(ValueError, match=r"`f\(in_feature=...\)` must be below 2, got 2\. Feat"):
        edges.to_numpy("f", C, GRID, 2)
    with pytest.raises(TypeError, match=r"`f\(out_feature=...\)` must be an integer"):
        edges.to_scipy("f", C, GRID, 0, "1")  # type: ignore[arg-type]
