"""The layer and the network as pytrees."""

from __future__ import annotations

import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from kanditioned_jax import KAN, KANLayer
from kanditioned_jax.network import layer_norm
from kanditioned_spec import PARAMETERIZATIONS, ResampleWarning
from kanditioned_spec.checkpoint import CheckpointError

X = jax.random.normal(jax.random.key(9), (7, 4))
IN_INTERPRETER = """
import sys, warnings
import kanditioned_jax
loaded = {"torch", "flax", "equinox", "optax", "safetensors"} & set(sys.modules)
assert not loaded, loaded
"""


def test_import_needs_no_other_framework():
    subprocess.run([sys.executable, "-W", "error", "-c", IN_INTERPRETER], check=True)


def test_theta_is_the_only_leaf():
    layer = KANLayer(4, 3, parameterization="dct", key=0)
    ((path, leaf),) = jax.tree_util.tree_leaves_with_path(layer)
    assert jax.tree_util.keystr(path) == ".theta"
    assert leaf is layer.theta
    assert jax.tree.structure(layer) == jax.tree.structure(
        KANLayer(4, 3, parameterization="dct", key=1)
    )
    assert jax.tree.structure(layer) != jax.tree.structure(KANLayer(4, 3, key=0))


def test_an_ensemble_is_a_mapped_layer():
    keys = jax.random.split(jax.random.key(0), 3)
    ensemble = jax.vmap(lambda key: KANLayer(4, 2, key=key))(keys)
    y = jax.vmap(lambda layer: layer(X))(ensemble)
    one_by_one = [KANLayer(4, 2, key=key)(X) for key in keys]
    np.testing.assert_allclose(y, np.stack(one_by_one), rtol=1e-5, atol=1e-6)


def test_equinox_takes_a_layer_as_it_is():
    layer = KANLayer(4, 2, key=0)
    doubled = eqx.tree_at(lambda layer: layer.theta, layer, 2 * layer.theta)
    np.testing.assert_allclose(eqx.filter_jit(doubled)(X), 2 * layer(X), rtol=1e-5, atol=1e-6)
    gradient = eqx.filter_grad(lambda layer: layer(X).sum())(layer)
    assert isinstance(gradient, KANLayer)
    assert eqx.is_array(gradient.theta)


def test_optax_trains_a_network():
    y = jnp.sin(X[:, :1]) * X[:, 1:2]
    network = KAN([4, 6, 1], parameterization="dct", residual=True, key=0)
    optimiser = optax.adam(1e-2)

    @jax.jit
    def step(network, state):
        loss = lambda network: ((network(X) - y) ** 2).mean() + 1e-6 * network.penalty()  # noqa: E731
        value, gradient = jax.value_and_grad(loss)(network)
        updates, state = optimiser.update(gradient, state)
        return optax.apply_updates(network, updates), state, value

    state, values = optimiser.init(network), []
    for _ in range(60):
        network, state, value = step(network, state)
        values.append(value)
    assert values[-1] < 0.1 * values[0]


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_every_parameterization_starts_with_the_same_functions(name, dtype):
    layer = KANLayer(4, 3, num_control_points=17, parameterization=name, key=0, dtype=dtype)
    plain = KANLayer(4, 3, num_control_points=17, key=0, dtype=dtype)
    got, want = layer(X.astype(dtype)), plain(X.astype(dtype))
    assert got.dtype == dtype
    np.testing.assert_allclose(
        got.astype(jnp.float32), want.astype(jnp.float32), atol=20 * float(jnp.finfo(dtype).eps)
    )


@pytest.mark.parametrize(
    "change", [lambda n: n.refine(63), lambda n: n.widen(3), lambda n: n.reparameterize("bspline")]
)
@pytest.mark.parametrize("name", ["bspline", "prefix_sum", "dct", "demmler_reinsch"])
def test_other_coordinates_and_grids_keep_the_functions(name, change):
    network = KAN([4, 5, 2], parameterization=name, residual=True, dropout=0.25, key=0)
    network = jax.tree.map(lambda leaf: leaf + 0.01, network)
    changed = change(network)
    assert changed.dropout == 0.25
    np.testing.assert_allclose(changed(X), network(X), rtol=2e-4, atol=2e-4)


def test_resampling_warns():
    with pytest.warns(ResampleWarning):
        assert KANLayer(4, 2, key=0).refine(40).num_control_points == 40


def test_dropout_needs_a_key():
    network = KAN([4, 50, 2], dropout=0.5, norm="none", key=0)
    np.testing.assert_array_equal(network(X), KAN([4, 50, 2], norm="none", key=0)(X))
    dropped = network(X, key=jax.random.key(0))
    assert not np.allclose(dropped, network(X))
    np.testing.assert_array_equal(dropped, network(X, key=jax.random.key(0)))


def test_layer_norm():
    y = layer_norm(3 * X + 1)
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-6)
    np.testing.assert_allclose((y**2).mean(-1), 1, atol=1e-4)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16, jnp.bfloat16])
def test_a_file_keeps_every_bit(dtype, tmp_path):
    layer = KANLayer(
        3,
        2,
        parameterization="demmler_reinsch",
        smoothing=1e-3,
        density="normal",
        key=1,
        dtype=dtype,
    )
    layer.save(tmp_path / "layer")
    loaded = KANLayer.load(tmp_path / "layer")
    assert loaded.config == layer.config
    assert loaded.theta.dtype == dtype
    assert np.asarray(loaded.theta).tobytes() == np.asarray(layer.theta).tobytes()


def test_a_float64_file_asks_for_x64(tmp_path):
    with jax.enable_x64(True):
        layer = KANLayer(3, 2, key=1, dtype=jnp.float64)
        layer.save(tmp_path / "layer")
        np.testing.assert_array_equal(KANLayer.load(tmp_path / "layer").theta, layer.theta)
    with pytest.raises(ValueError, match="jax_enable_x64"):
        KANLayer.load(tmp_path / "layer")


@pytest.mark.parametrize("residual", [False, True])
def test_a_file_of_a_network(residual, tmp_path):
    network = KAN([4, 5, 2], parameterization="dct", residual=residual, dropout=0.1, key=0)
    network.save(tmp_path / "network")
    loaded = KAN.load(tmp_path / "network")
    assert jax.tree.structure(loaded) == jax.tree.structure(network)
    np.testing.assert_array_equal(loaded(X), network(X))


def test_a_layer_is_no_network(tmp_path):
    KANLayer(3, 2, key=0).save(tmp_path / "layer")
    with pytest.raises(CheckpointError, match="Nothing was loaded"):
        KAN.load(tmp_path / "layer")


def test_files_go_between_frameworks(tmp_path):
    torch = pytest.importorskip("torch")
    torch_layers = pytest.importorskip("kanditioned_torch")
    x = np.array(X)
    network = KAN([4, 5, 2], parameterization="prefix_sum", residual=True, key=0)
    network.save(tmp_path / "jax")
    there = torch_layers.KAN.load(tmp_path / "jax").eval()
    np.testing.assert_allclose(
        there(torch.from_numpy(x)).detach().numpy(), network(x), rtol=1e-5, atol=1e-5
    )
    there.save(tmp_path / "torch")
    back = KAN.load(tmp_path / "torch")
    for leaf, original in zip(jax.tree.leaves(back), jax.tree.leaves(network), strict=True):
        np.testing.assert_array_equal(leaf, original)


def test_batch_normalisation_is_refused(tmp_path):
    torch_layers = pytest.importorskip("kanditioned_torch")
    torch_layers.KAN([4, 2], norm="batch").save(tmp_path / "torch")
    with pytest.raises(CheckpointError, match='"layer" or "none"'):
        KAN.load(tmp_path / "torch")
