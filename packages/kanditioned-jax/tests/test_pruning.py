"""Smaller networks that compute nearly the same."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kanditioned_jax import KAN, prune
from kanditioned_spec import InputMap

X = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)


def network(norm="none", residual=False, widths=(3, 5, 4, 2), **options):
    """Return a network whose edges matter by very different amounts."""
    model = KAN(list(widths), norm=norm, residual=residual, num_control_points=7, key=0, **options)

    def scaled(layer):
        rng = np.random.default_rng(len(layer.theta))
        factors = 10.0 ** rng.uniform(-4, 0, (layer.in_features, 1, layer.out_features))
        bent = layer.theta + jnp.cos(3 * layer.theta)
        return layer.of((bent * factors).astype(layer.theta.dtype), layer.config)

    return KAN.of([scaled(layer) for layer in model.layers], model.residuals, norm, 0.0)


@pytest.mark.parametrize("tolerance", [0.0, 0.01, 0.1, 1.0, 1e6])
@pytest.mark.parametrize(("norm", "residual"), [("none", False), ("none", True), ("layer", False)])
def test_outputs_move_by_the_tolerance_at_most(norm, residual, tolerance):
    model = network(norm, residual)
    smaller, edges, error = prune(model, X, tolerance)
    assert error <= tolerance
    np.testing.assert_allclose(np.abs(smaller(X) - model(X)).max(), error, atol=1e-6)
    assert [kept.shape for kept in edges] == [(3, 5), (5, 4), (4, 2)]
    if tolerance == 1e6:
        assert not any(kept.any() for kept in edges)
    if norm == "layer":
        assert [layer.in_features for layer in smaller.layers] == [3, 5, 4]


def test_it_prunes_as_torch_does(tmp_path):
    torch = pytest.importorskip("torch")
    there = pytest.importorskip("kanditioned_torch")
    model = network()
    model.save(tmp_path / "model")
    theirs = there.prune(there.KAN.load(tmp_path / "model"), torch.from_numpy(X), 0.2)
    ours = prune(model, X, 0.2)
    for mine, other in zip(ours.edges, theirs.edges, strict=True):
        np.testing.assert_array_equal(mine, other.numpy())
    assert ours.error == pytest.approx(theirs.error, abs=1e-4)
    assert [layer.theta.shape for layer in ours.network.layers] == [
        tuple(layer.theta.shape) for layer in theirs.network.kan_layers()
    ]
    assert sum(kept.sum() for kept in ours.edges) < sum(kept.size for kept in ours.edges)


@pytest.mark.parametrize("name", ["dct", "prefix_sum", "demmler_reinsch"])
def test_other_coordinates(name):
    model = network().reparameterize(name)
    smaller, _, error = prune(model, X, 0.1)
    assert error <= 0.1
    assert {layer.parameterization for layer in smaller.layers} == {name}
    jax.grad(lambda m: (m(X) ** 2).mean())(smaller)


def test_constants_of_removed_nodes_stay():
    """A hidden feature that is constant goes, and what it adds to the outputs does not."""
    model = KAN([1, 3, 1], norm="none", num_control_points=5, key=0)
    first, second = model.layers
    constant = first.of(first.theta.at[:, :, 1:].set(1.5), first.config)
    model = KAN.of([constant, second], (), "none", 0.0)
    x = X[:, :1]
    smaller, _, error = prune(model, x, 1e-5)
    assert [layer.theta.shape for layer in smaller.layers] == [(1, 5, 1), (1, 5, 1)]
    np.testing.assert_allclose(smaller(x), model(x), atol=1e-5)
    assert error <= 1e-5


def test_shapes_and_the_input_map_stay():
    before = InputMap.standardise(2 * X + 1)
    model = KAN(
        [3, 5, 2], norm="none", num_control_points=7, monotone={0: 1}, input_map=before, key=0
    )
    model = jax.tree.map(lambda leaf: leaf + 0.3 * jnp.cos(9 * leaf), model)
    smaller, edges, error = prune(model, X, 0.3)
    assert error <= 0.3
    assert sum(kept.sum() for kept in edges) < sum(kept.size for kept in edges)
    rising = np.stack([np.linspace(-2, 2, 50), np.zeros(50), np.zeros(50)], 1)
    assert (np.diff(smaller(rising.astype(np.float32)), axis=0) >= -1e-5).all()


def test_there_must_be_inputs():
    with pytest.raises(ValueError, match=r"`prune\(x=...\)` must be at least one input"):
        prune(network(), X[:0], 0.1)
