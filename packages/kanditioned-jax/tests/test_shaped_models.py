"""Layers and networks with shapes and input maps: what holds before and after every change."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import kanditioned_jax.nnx as modules
import kanditioned_spec as spec
from kanditioned_jax import KAN, InputMap, KANLayer
from kanditioned_spec import PARAMETERIZATIONS, Shapes, numerics

SHAPES: dict[str, Any] = {"monotone": {0: 1, 1: -1}, "convex": {1: 1, 2: -1}}
DATA = np.stack([np.random.default_rng(0).lognormal(size=400), np.arange(400) * 60 + 1.7e9], 1)


def disturbed(model: Any, size: float = 1.0) -> Any:
    """Give every layer random parameters, which are not feasible."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: leaf + size * jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), model
    )


def shaped_layer(parameterization: str = "bspline", **options: Any) -> KANLayer:
    return disturbed(KANLayer(4, 5, "zero", 9, 4.0, parameterization, **SHAPES, **options))


def violations(layer: KANLayer) -> int:
    assert layer.config.shapes is not None
    return layer.config.shapes.violations(np.asarray(jax.jit(KANLayer.control_points)(layer)))


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_control_points_are_feasible_and_the_parameters_learn(name: str) -> None:
    layer = shaped_layer(name)
    assert violations(layer) == 0
    x = jnp.asarray(np.random.default_rng(1).normal(size=(64, 4)), jnp.float32)
    gradient = jax.jit(jax.grad(lambda layer: (layer(x) ** 2).mean()))(layer)
    assert (jnp.abs(gradient.theta).max((1, 2)) > 0).all()
    free = layer.config.spec.control_points(np.asarray(layer.theta, np.float64))
    assert layer.config.shapes is not None
    want = layer.config.shapes.infeasibility(free)
    assert float(layer.infeasibility()) == pytest.approx(want, rel=1e-5)


def test_a_new_layer_is_feasible() -> None:
    layer = KANLayer(4, 50, key=0, **SHAPES)
    assert float(layer.infeasibility()) == pytest.approx(0, abs=1e-8)
    rise = jnp.diff(layer.control_points()[:2], axis=1) * jnp.array([1.0, -1.0])[:, None, None]
    assert (rise > 0).any(axis=(1, 2)).all()
    assert (rise >= 0).all()
    with pytest.raises(ValueError, match="decreasing feature"):
        KANLayer(4, 4, "identity", **SHAPES)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_stored_control_points_have_no_violation(dtype: str) -> None:
    layer = shaped_layer(dtype=dtype)
    assert layer.control_points().dtype == jnp.float32  # it has convex features
    assert violations(layer) == 0
    assert layer(jnp.zeros((3, 4), dtype)).dtype == dtype
    rising = disturbed(KANLayer(2, 3, "zero", monotone=[1, -1], dtype=dtype))
    assert rising.control_points().dtype == dtype
    steps = jnp.diff(rising.control_points().astype(jnp.float32), axis=1)
    assert (steps[0] >= 0).all()
    assert (steps[1] <= 0).all()


@pytest.mark.parametrize("name", ["bspline", "dct", "prefix_sum"])
def test_changes_of_the_grid_keep_functions_and_shapes(name: str, tmp_path: Path) -> None:
    layer = shaped_layer(name)
    x = 3 * jnp.asarray(np.random.default_rng(1).normal(size=(200, 4)), jnp.float32)
    layer.save(tmp_path / "layer")
    loaded = KANLayer.load(tmp_path / "layer")
    others = [
        layer.refine(17),
        layer.widen(2),
        layer.reparameterize("bspline"),
        loaded,
        KANLayer.from_control_points(layer.control_points(), **SHAPES),
    ]
    for other in others:
        assert other.config.shapes == layer.config.shapes
        np.testing.assert_allclose(other(x), layer(x), atol=2e-4)
        assert violations(disturbed(other)) == 0
    np.testing.assert_array_equal(loaded.theta, layer.theta)
    assert "monotone={0: 1, 1: -1}, convex={1: 1, 2: -1}" in repr(layer)


def test_the_penalty_is_that_of_the_functions() -> None:
    for name in ("bspline", "prefix_sum"):
        layer = shaped_layer(name)
        want = (jnp.diff(layer.control_points(), 2, axis=1) ** 2).sum()
        np.testing.assert_allclose(layer.penalty(), want, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_input_maps_are_those_of_the_spec(dtype: str) -> None:
    numbers = spec.InputMap.quantiles(DATA, 9)
    module = InputMap(numbers, dtype)
    x = jnp.asarray(DATA, dtype)
    z, pull = jax.vjp(jax.jit(module), x)
    given = np.asarray(x, np.float64)
    want, condition = numbers(given), numerics.input_map_condition(given, numbers)
    assert (
        np.abs(np.asarray(z, np.float64) - want) <= numerics.tolerance(condition, want, dtype)
    ).all()
    (slope,) = pull(jnp.ones_like(z))
    np.testing.assert_allclose(
        np.asarray(slope, float),
        np.asarray(jnp.asarray(numbers.slope(given), dtype), float),
        rtol=1e-6,
    )
    assert not jax.tree.leaves(module)
    np.testing.assert_allclose(jax.vmap(module)(x).astype(float), np.asarray(z, float), atol=1e-6)
    bad = jnp.array([[jnp.nan, jnp.inf]], dtype)
    z, pull = jax.vjp(module, bad)
    assert bool(jnp.isnan(z[0, 0]))
    assert float(z[0, 1]) == np.inf
    assert bool(jnp.isnan(pull(jnp.ones_like(z))[0][0, 0]))


def test_times_keep_their_minutes() -> None:
    module = InputMap.quantiles([DATA[:100], (DATA[100:], 0)], 16)
    z = module(DATA)
    assert z.dtype == jnp.float32
    np.testing.assert_allclose(
        module.numbers.inverse(np.asarray(z, float))[:, 1], DATA[:, 1], atol=0.1
    )
    with jax.enable_x64(True):
        np.testing.assert_allclose(module(jnp.asarray(DATA)), z, atol=1e-6)


def test_a_network_goes_through_its_input_map(tmp_path: Path) -> None:
    input_map = InputMap.quantiles(DATA, 16)
    network = disturbed(
        KAN([2, 6, 1], norm="none", input_map=input_map, monotone={0: 1}, key=0), 0.3
    )
    y = network(DATA)
    network.save(tmp_path / "network")
    loaded = KAN.load(tmp_path / "network")
    np.testing.assert_array_equal(loaded(DATA), y)
    assert [layer.config.shapes for layer in loaded.layers] == [
        Shapes((1, 0), (0, 0)),
        Shapes((1,) * 6, (0,) * 6),
    ]
    stored = spec.checkpoint.read_network(tmp_path / "network")
    np.testing.assert_allclose(stored.forward(DATA), y, rtol=1e-4, atol=1e-4)
    for changed in (network.refine(63), network.reparameterize("dct"), network.fit_domain(DATA)):
        np.testing.assert_allclose(changed(DATA), y, rtol=1e-3, atol=1e-3)
    x = jnp.asarray(DATA, jnp.float32)
    gradient = jax.jit(jax.grad(lambda n: (n(x) ** 2).mean() + n.infeasibility()))(network)
    assert gradient.input_map == network.input_map
    assert gradient.layers[0].theta.shape == network.layers[0].theta.shape


def test_networks_keep_a_shape() -> None:
    for shape, module in (
        ({"monotone": {0: 1}}, disturbed(KAN([2, 8, 1], norm="none", monotone={0: 1}, key=0))),
        ({"convex": {0: -1}}, disturbed(KAN([2, 8, 1], norm="none", convex={0: -1}, key=0))),
    ):
        rng = np.random.default_rng(0)
        x = np.sort(3 * rng.normal(size=(5000, 3)), axis=1).astype("f")
        other = rng.normal(size=5000).astype("f")
        y = np.stack([module(np.stack([x[:, k], other], 1))[:, 0] for k in range(3)])
        room = 1e-4 * np.abs(y).max()
        if "monotone" in shape:
            assert (np.diff(y, axis=0) >= -room).all()
        else:
            weight = (x[:, 2] - x[:, 1]) / (x[:, 2] - x[:, 0])
            assert (weight * y[0] + (1 - weight) * y[2] - y[1] <= room).all()


def test_networks_that_cannot_keep_a_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r'`KAN\(norm=.*"batch" or "none" with monotone='):
        KAN([3, 4, 1], monotone={0: 1}, key=0)
    with pytest.raises(ValueError, match=r"`KAN\(input_map=.*of 3 features, got 2"):
        KAN([3, 4, 1], input_map=spec.InputMap.affine([0, 1], 1), key=0)
    with pytest.raises(TypeError, match=r"`KAN\(input_map=.*an InputMap, got a str"):
        KAN([3, 4, 1], input_map="quantiles", key=0)


def test_modules_have_both() -> None:
    made = modules.KAN(
        [2, 6, 1],
        norm="batch",
        input_map=InputMap.quantiles(DATA),
        monotone={0: 1},
        rngs=nnx.Rngs(0),
    )
    assert made(DATA).shape == (400, 1)
    assert [layer.config.shapes for layer in made.layers][1] == Shapes((1,) * 6, (0,) * 6)
    assert float(made.infeasibility()) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("feature", [0, 1])
def test_the_first_layer_in_input_units_is_the_network(feature: int, dtype: str) -> None:
    pytest.importorskip("scipy")
    data, rng = DATA[:, feature, None], np.random.default_rng(0)
    numbers = spec.InputMap.quantiles(data, 12)
    with jax.enable_x64(dtype == "float64"):
        made: dict[str, Any] = {"num_control_points": 16, "dtype": dtype, "key": 0}
        network = disturbed(KAN([1, 2], norm="none", input_map=numbers, **made))
        layer = network.layers[0]
        edge = layer.to_scipy(0, input_map=network.input_map)
        steps = [np.nextafter(edge.x, np.inf), np.nextafter(edge.x, -np.inf)]
        spread = numbers.inverse(3 * rng.normal(size=(100_000, 1)))[:, 0]
        x = np.concatenate([spread, data[:, 0], edge.x, *steps, [-1e30, 1e30]])[:, None]
        got, want, c = np.asarray(network(x), float), edge(x[:, 0]), layer.to_numpy()[1]
        knots, values = layer.to_numpy(0, 1, input_map=network.input_map)
    rise = np.abs(np.diff(c, axis=1)).max() * layer.grid.knots_per_unit
    condition = numerics.forward_condition(numbers(x), c, layer.spline_width)
    condition += numerics.input_map_condition(x, numbers) * rise
    assert (np.abs(got - want) <= numerics.tolerance(condition, want, dtype)).all()
    np.testing.assert_array_equal(knots, edge.x)
    np.testing.assert_allclose(values, edge(knots)[:, 1], atol=1e-12)


@pytest.mark.parametrize("keep", ["spacing", "num_control_points"])
def test_domains_are_fitted_behind_the_map(keep: str) -> None:
    """The first layer's domain is that of the map's images, in units that float32 would lose."""
    times = 1.7e9 + 60.0 * np.arange(1000)[:, None]
    made: dict[str, Any] = {"input_map": InputMap.affine(1.7e9, 1e4), "init": "zero", "key": 0}
    network = KAN([1, 3, 1], norm="none", **made)
    fitted = network.fit_domain(times, coverage=1.0, keep=keep)
    assert 5.994 <= fitted.layers[0].spline_width / 2 <= 5.994 * 17 / 16 + 4 / 31
    assert fitted.input_map == network.input_map
    np.testing.assert_array_equal(fitted(times), network(times))


def test_copies_of_a_map_and_extreme_inputs() -> None:
    module = InputMap.quantiles(DATA)
    for other in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert other == module
        np.testing.assert_array_equal(other(DATA), module(DATA))
    assert module(DATA[:0]).shape == (0, 2)
    assert jax.jit(module)(jnp.zeros((2, 0, 2))).shape == (2, 0, 2)
    assert bool(jnp.isfinite(InputMap(module.numbers, "float16")(DATA)).all())
    numbers = spec.InputMap.quantiles(1e30 * np.random.default_rng(0).random((99, 2)))
    far = np.array([[-3e38, 3e38], [1e-45, -0.0]], "f")
    for call in (InputMap(numbers), jax.jit(InputMap(numbers))):
        np.testing.assert_allclose(call(jnp.asarray(far)), numbers(far), rtol=1e-6, atol=1e-6)


def test_data_that_make_no_map_are_named() -> None:
    wrong: list[Any] = [None, 3, "rows", {"x": DATA}, [[["a"]]], DATA.astype("datetime64[s]")]
    for data in wrong:
        with pytest.raises(TypeError, match=r"`InputMap.domain\(data=...\)` must be .*, got a"):
            InputMap.domain(data)
    with pytest.raises(ValueError, match=r"`InputMap.standardise\(data=...\)` must be of shape"):
        InputMap.standardise([()])
    with pytest.raises(ValueError, match=r"`InputMap\(x=...\)` must be of shape"):
        InputMap.quantiles(DATA)(jnp.zeros((2, 3)))
    with pytest.raises(TypeError, match=r"`InputMap\(x=...\)` must be of a floating dtype"):
        InputMap.quantiles(DATA)(jnp.zeros((2, 2), int))
