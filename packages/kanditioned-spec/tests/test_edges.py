"""The edges of a layer: moments of their outputs, and views for NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest

from kanditioned_spec import Grid, InputMap, edges, numerics, reference

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
    with pytest.raises(
        ValueError, match=r"`f\(in_feature=...\)` must be the number of a feature w"
    ):
        edges.to_numpy("f", C, GRID, input_map=InputMap.affine([0.0, 0.0], 1.0))
    with pytest.raises(ValueError, match=r"`f\(input_map=...\)` must be of 2 features, got 1"):
        edges.to_scipy("f", C, GRID, 0, input_map=InputMap.affine(0.0, 1.0))
    with pytest.raises(TypeError, match=r"`f\(input_map=...\)` must be an InputMap, got a type"):
        edges.to_scipy("f", C, GRID, 0, input_map=InputMap)


RNG = np.random.default_rng
DATA = {
    "log-normal": RNG(0).lognormal(0, 1.5, 2000),
    "times": 1.7e9 + 60.0 * np.arange(5000),
    "binary": RNG(1).integers(0, 2, 300).astype(float),
    "huge": RNG(2).normal(size=500) * 1e29,
    "tiny": RNG(3).normal(size=500) * 1e-15,
    "around zero": RNG(4).random(1000) * 2 - 1,
    "constant": np.full(9, 3.0),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize(
    ("points", "count", "width"), [(2, 5, 4.0), (16, 16, 4.0), (33, 7, 3.7), (9, 128, 0.1)]
)
def test_behind_a_map_edges_are_functions_of_its_inputs(
    name: str, points: int, count: int, width: float
) -> None:
    data, c = DATA[name][:, None], RNG(5).normal(size=(1, count, 2))
    for input_map in (
        InputMap.quantiles(data, points, spline_width=width),
        InputMap.domain(data, spline_width=2 * width),
        InputMap.standardise(data),
    ):
        edge = edges.to_scipy("f", c, Grid(count, width), 0, input_map=input_map)
        knots, values = edges.to_numpy("f", c, Grid(count, width), 0, input_map=input_map)
        spread = input_map.inverse(RNG(6).normal(size=(3000, 1)) * width)[:, 0]
        steps = [np.nextafter(knots, np.inf), np.nextafter(knots, -np.inf)]
        x = np.concatenate([data[:, 0], spread, knots, *steps, [0.0, -1e30, 1e30]])
        z = input_map(x[:, None])
        want = reference.forward(z, c, width)
        steepest = np.abs(np.diff(c, axis=1)).max() * Grid(count, width).knots_per_unit
        condition = numerics.forward_condition(z, c, width)
        condition += numerics.input_map_condition(x[:, None], input_map) * steepest
        allowed = numerics.tolerance(condition, want, "float64")
        assert (np.abs(edge(x) - want) <= allowed).all()
        np.testing.assert_array_equal(values[:-1], edge(knots)[:-1])
        np.testing.assert_allclose(values[-1], edge(knots)[-1], atol=allowed[:-2].max())
        assert (np.diff(knots) > 0).all()
        assert len(knots) <= input_map.num_breakpoints + count


def test_behind_a_map_slopes_are_those_on_the_right() -> None:
    input_map = InputMap([[0.0, 1.0, 3.0]], [[-1.0, 0.0, 0.5]])
    c = np.array([0.0, 1.0, 0.0])[None, :, None]
    edge = edges.to_scipy("f", c, Grid(3, 2.0), 0, 0, input_map)
    np.testing.assert_array_equal(edge.x, [0.0, 1.0, 3.0, 5.0])
    x = [-9.0, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 9.0]
    np.testing.assert_array_equal(edge.derivative()(x), [1, 1, 1, *[-0.25] * 5])
    np.testing.assert_array_equal(edge(x), [-9, 0, 0.5, 1, 0.75, 0.5, 0, -1])
