"""The layers as Flax NNX modules."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

nnx = pytest.importorskip("flax.nnx")

from kanditioned_jax import KANLayer  # noqa: E402
from kanditioned_jax import nnx as modules  # noqa: E402

X = jax.random.normal(jax.random.key(9), (32, 4))


def test_module_computes_what_the_pure_layer_does():
    module = modules.KANLayer(4, 2, parameterization="dct", rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(module(X), module.pure()(X))
    np.testing.assert_array_equal(module.penalty(), module.pure().penalty())
    refined = modules.KANLayer.of(module.pure().refine(63))
    assert refined.control_points().shape == (4, 63, 2)
    np.testing.assert_allclose(refined(X), module(X), atol=1e-5)


def test_theta_is_the_state():
    module = modules.KANLayer.of(KANLayer(4, 2, key=0))
    ((path, leaf),) = nnx.to_flat_state(nnx.state(module, nnx.Param))
    assert path == ("theta",)
    assert leaf[...].shape == (4, 32, 2)


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_network_trains(norm):
    y = jnp.sin(X[:, :1]) * X[:, 1:2]
    network = modules.KAN([4, 6, 1], norm=norm, residual=True, dropout=0.1, rngs=nnx.Rngs(0))
    optimiser = nnx.Optimizer(network, optax.adam(1e-2), wrt=nnx.Param)

    @nnx.jit
    def step(network, optimiser):
        def loss(network):
            return ((network(X) - y) ** 2).mean() + 1e-6 * network.penalty()

        value, gradient = nnx.value_and_grad(loss)(network)
        optimiser.update(network, gradient)
        return value

    values = [step(network, optimiser) for _ in range(60)]
    assert values[-1] < 0.5 * values[0]
    network.eval()
    np.testing.assert_array_equal(network(X), network(X))
