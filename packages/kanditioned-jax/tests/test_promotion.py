"""JAX's stricter settings: arrays of other ranks or dtypes are never mixed implicitly."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from kanditioned_jax import KAN, KANLayer, add_curvature_decay, importance, spline_forward
from kanditioned_spec import PARAMETERIZATIONS

SETTINGS = {
    "float32": ("jax_numpy_rank_promotion", "raise"),
    "bfloat16": ("jax_numpy_dtype_promotion", "strict"),
}
"""With each setting the dtype to which it matters."""
X = np.random.default_rng(0).uniform(-3, 3, (7, 4))


@pytest.fixture(autouse=True, params=SETTINGS)
def dtype(request):
    name, value = SETTINGS[request.param]
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    yield request.param
    jax.config.update(name, before)


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_a_network_is_made_changed_and_differentiated(name, dtype):
    model = KAN([4, 3, 2], parameterization=name, residual=True, dropout=0.1, key=0,
                num_control_points=5, dtype=dtype)  # fmt: skip
    x = jnp.asarray(X, dtype)

    def loss(model, x):
        penalty = model.penalty("continuous").astype(dtype)
        return (model(x, key=jax.random.key(0)) ** 2).mean() + penalty

    gradient, _ = jax.grad(loss, (0, 1))(model, x)
    assert all(
        np.isfinite(np.asarray(leaf, np.float32)).all() for leaf in jax.tree.leaves(gradient)
    )
    model.refine(9).widen(1).fit_domain(x)
    model.reparameterize("dct", transform="fft")
    importance(model, x)


@pytest.mark.parametrize("impl", ["lookup", "dense", "pallas"])
def test_every_derivative_of_every_implementation(impl, dtype):
    x, c = jnp.asarray(X, dtype), KANLayer(4, 2, key=0, dtype=dtype).control_points()

    def loss(x, c):
        return (spline_forward(x, c, impl=impl) ** 2).sum()

    jax.jit(jax.grad(lambda x, c: (jax.grad(loss)(x, c) ** 2).sum(), (0, 1)))(x, c)
    jax.jvp(loss, (x, c), (x, c))
    jax.vmap(loss, (None, 0))(x, jnp.stack([c, c]))


@pytest.mark.parametrize("name", ["prefix_sum", "dct", "demmler_reinsch"])
def test_curvature_decay(name, dtype):
    layer = KANLayer(4, 2, parameterization=name, key=0, dtype=dtype)
    decay = optax.chain(add_curvature_decay(1e-2), optax.scale_by_learning_rate(1e-3))
    updates, _ = decay.update(layer, decay.init(layer), layer)
    assert updates.theta.dtype == dtype


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_modules_of_flax(norm, dtype):
    nnx = pytest.importorskip("flax.nnx")
    from kanditioned_jax import nnx as modules

    model = modules.KAN([4, 3, 2], norm=norm, rngs=nnx.Rngs(0), dtype=dtype)
    assert model(jnp.asarray(X, dtype)).dtype == dtype
