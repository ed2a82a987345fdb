"""Domains fitted to data."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kanditioned_jax import KAN, KANLayer, spline_forward
from kanditioned_spec import PARAMETERIZATIONS, ResampleWarning
from kanditioned_spec.domain import Magnitudes

RESOLUTION = 1 / 16


def drawn(tree):
    leaves, treedef = jax.tree.flatten(tree)
    rng = np.random.default_rng(0)
    return treedef.unflatten([jnp.asarray(rng.normal(size=a.shape), a.dtype) for a in leaves])


def normal(*shape, scale=1.0):
    return scale * np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99, 1.0])
def test_reach_is_the_percentile_of_the_widest_feature(coverage):
    x = normal(5000, 3) * np.array([1e-3, 40.0, 1.0], np.float32)
    magnitudes = Magnitudes(3)
    for batch in np.split(x, 5):
        magnitudes.add(jnp.asarray(batch))
    reach = magnitudes.reach("test", coverage)
    exact = np.quantile(np.abs(x[:, 1]), coverage, method="higher")
    assert exact * (1 - 1e-3) <= reach <= exact * (1 + RESOLUTION)
    assert ((np.abs(x) <= reach).mean(0) >= coverage).all()


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
@pytest.mark.usefixtures("x64")
def test_widening_keeps_every_function(name):
    layer = drawn(KANLayer(2, 3, num_control_points=9, parameterization=name, key=0,
                           dtype=jnp.float64))  # fmt: skip
    x = normal(1000, 2, scale=4).astype(np.float64)
    wide = layer.fit_domain(x)
    assert wide.spline_width > layer.spline_width
    assert wide.spline_width / (wide.num_control_points - 1) == pytest.approx(0.5)
    assert ((np.abs(x) <= wide.spline_width / 2).mean(0) >= 0.99).all()
    np.testing.assert_allclose(wide(x), layer(x), rtol=1e-7, atol=1e-7)


def test_a_domain_that_is_wide_enough_stays():
    layer = drawn(KANLayer(2, 3, num_control_points=9, key=0))
    same = layer.fit_domain(normal(100, 2).clip(-1, 1))
    assert (same.num_control_points, same.spline_width) == (9, 4.0)
    np.testing.assert_array_equal(same.theta, layer.theta)


@pytest.mark.parametrize("scale", [0.01, 300.0])
@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_moving_the_knots_of_lines_is_exact(scale, name):
    layer = KANLayer(2, 3, num_control_points=9, parameterization=name, key=0)
    x = normal(1000, 2, scale=scale)
    moved = layer.fit_domain(x, keep="num_control_points")  # a warning would be an error
    assert moved.num_control_points == 9
    assert moved.spline_width / 2 == pytest.approx(2.6 * scale, rel=0.15)
    np.testing.assert_allclose(moved(x), layer(x), rtol=1e-4, atol=1e-4 * scale)


def test_moving_the_knots_of_curves_says_so():
    layer = drawn(KANLayer(2, 3, num_control_points=9, key=0))
    with pytest.warns(ResampleWarning, match=r"changed by up to .*keep=\"spacing\"") as caught:
        layer.fit_domain(normal(1000, 2, scale=4), keep="num_control_points")
    assert caught[0].filename == __file__


def test_any_source_of_batches():
    layer, x = KANLayer(2, 3, num_control_points=9, key=0), normal(20_000, 2, scale=4)
    want = layer.fit_domain(x)
    pairs = ((batch, batch[:, :1]) for batch in np.split(x, 40))
    for data in (jnp.asarray(x), x.reshape(10, 2000, 2), np.split(x, 7_000 * np.arange(3)), pairs):
        assert layer.fit_domain(data).config == want.config


def test_outliers_and_constant_columns():
    x = normal(10_000, 3)
    x[::500, 0], x[:, 1], x[0] = 1e6, 0.0, np.nan
    wide = KANLayer(3, 1, num_control_points=9, key=0).fit_domain(x)
    assert 4 <= wide.spline_width <= 7


@pytest.mark.parametrize("norm", ["layer", "none"])
def test_each_layer_of_a_network_is_fitted_to_what_reaches_it(norm):
    model = KAN([3, 5, 2], norm=norm, residual=True, dropout=0.5, num_control_points=9, key=0)
    model, x = drawn(model), normal(2000, 3, scale=3) + 1
    wide = model.fit_domain(x)
    np.testing.assert_allclose(wide(x), model(x), rtol=1e-3, atol=1e-3)
    assert wide.dropout == 0.5
    for layer, seen in zip(wide.layers, wide.layer_inputs(x), strict=True):
        assert ((np.abs(seen) <= layer.spline_width / 2).mean(0) >= 0.99).all()


def test_domains_are_those_of_torch(tmp_path):
    torch = pytest.importorskip("torch")
    there = pytest.importorskip("kanditioned_torch")
    model, x = drawn(KAN([3, 5, 2], num_control_points=9, key=0)), normal(3000, 3, scale=2)
    model.save(tmp_path / "model")
    theirs = there.KAN.load(tmp_path / "model").eval().fit_domain(torch.from_numpy(x))
    for ours, other in zip(model.fit_domain(x).layers, theirs.kan_layers(), strict=True):
        assert (ours.num_control_points, ours.spline_width) == (
            other.num_control_points,
            other.spline_width,
        )


@pytest.mark.parametrize(
    ("arguments", "error", "constraint"),
    [
        ({"coverage": 0.0}, ValueError, "fit_domain(coverage=...)` must be a number in (0, 1]"),
        ({"coverage": 1.5}, ValueError, "fit_domain(coverage=...)` must be a number in (0, 1]"),
        ({"keep": "knots"}, ValueError, 'fit_domain(keep=...)` must be one of "spacing", "num'),
        ({"data": np.zeros((3, 5))}, ValueError, "fit_domain(data=...)` must be of shape (..., 2)"),
        ({"data": [np.zeros((3, 5))]}, ValueError, "of shape (..., 2), got shape (3, 5)"),
        ({"data": [np.zeros((3, 2), int)]}, TypeError, "must be of a floating dtype"),
        ({"data": []}, ValueError, "must be of finite numbers, got a feature without any"),
        ({"data": np.full((3, 2), np.inf)}, ValueError, "must be of finite numbers"),
    ],
)
def test_errors(arguments, error, constraint):
    for module in (KANLayer(2, 3, key=0), KAN([2, 3], norm="none", key=0)):
        with pytest.raises(error, match=re.escape(constraint)):
            module.fit_domain(**{"data": np.zeros((4, 2), np.float32), **arguments})


EXTREME = {"float32": (1e-40, 1e300, 1e20), "float16": (1e-40, 1e6, 2e5), "bfloat16": (1e-13, 1e20)}


@pytest.mark.parametrize("dtype", EXTREME)
def test_widths_that_a_dtype_does_not_hold(dtype):
    points = jnp.ones((1, 8, 1), dtype)
    for width in EXTREME[dtype]:
        for call in (
            lambda width=width: KANLayer(1, 1, "zero", 8, width, dtype=dtype),
            lambda width=width: KANLayer.from_control_points(points, width),
            lambda width=width: spline_forward(points[0], points, width),
        ):
            with pytest.raises(ValueError, match=r"spline_width=...\)` must be .*Scale the inputs"):
                call()


def test_a_changed_grid_is_held_by_the_dtype_too():
    layer = KANLayer(1, 1, "zero", 8, 1e5, dtype="float16")
    assert layer.spline_width == 1e5
    with pytest.raises(ValueError, match=r"`KANLayer.widen\(spline_width=...\)` must be from"):
        layer.widen(3)


@pytest.mark.parametrize("width", [1e-11, 1e18])
def test_widths_near_the_bounds_give_numbers(width):
    layer = KANLayer(2, 2, num_control_points=8, spline_width=width, key=0)
    x = np.linspace(-width, width, 10, dtype=np.float32).reshape(5, 2)
    value, gradient = jax.value_and_grad(lambda m: (m(x) ** 2).mean() / width**2)(layer)
    assert np.isfinite(value)
    assert np.isfinite(gradient.theta).all()
