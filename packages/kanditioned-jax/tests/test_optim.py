"""Smoothing by decoupled weight decay."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from kanditioned_jax import KAN, KANLayer, add_curvature_decay
from kanditioned_jax.optim import curvature_rates

SEPARATING = (
    ("prefix_sum", {}),
    ("dct", {"transform": "fft"}),
    ("dct", {"transform": "matmul"}),
    ("demmler_reinsch", {"smoothing": 1e-2}),
)
X = np.sin(np.linspace(-1, 1, 20).reshape(5, 4))


def network(name="dct", dtype=jnp.float32, **options):
    model = KAN([4, 6, 2], residual=True, num_control_points=9, parameterization=name, key=0,
                dtype=dtype, **options)  # fmt: skip
    leaves, treedef = jax.tree.flatten(model)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    drawn = [
        jax.random.normal(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(treedef, drawn)


def data_loss(model):
    return (model(X) ** 2).mean()


def stepped(optimizer, model, loss=data_loss):
    gradients = jax.grad(loss)(model)
    updates, _ = optimizer.update(gradients, optimizer.init(model), model)
    return optax.apply_updates(model, updates)


def close(got, want, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), got, want)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("name", "options"), SEPARATING)
@pytest.mark.parametrize("scaling", ["knots", "continuous"])
def test_decay_is_the_gradient_step_on_the_penalty(name, options, scaling):
    model = network(name, jnp.float64, **options)
    decay = add_curvature_decay(1e-3, scaling=scaling)
    got = stepped(optax.chain(decay, optax.sgd(0.1)), model)
    want = stepped(optax.sgd(0.1), model, lambda m: data_loss(m) + 1e-3 * m.penalty(scaling))
    close(got, want, rtol=1e-12, atol=1e-12)
    without = stepped(optax.sgd(0.1), model)
    assert abs(got.layers[0].theta - without.layers[0].theta).max() > 1e-7


def test_behind_adam_it_is_decoupled():
    model = network()
    parts = optax.scale_by_adam(), optax.scale_by_learning_rate(1e-2)
    got = stepped(optax.chain(parts[0], add_curvature_decay(1e-2), parts[1]), model)
    plain = stepped(optax.chain(*parts), model)
    for layer, without, old in zip(got.layers, plain.layers, model.layers, strict=True):
        decay = 1e-2 * 1e-2 * curvature_rates(old.config, jnp.float32) * old.theta
        assert not decay[:, :2].any()
        assert decay[:, 2:].all()
        np.testing.assert_allclose(layer.theta, without.theta - decay, rtol=1e-5, atol=1e-7)
    close(got.residuals, plain.residuals, rtol=0)


def test_smoothing_follows_a_schedule_under_jit():
    model = network()
    schedule = optax.linear_schedule(1e-3, 0.0, 1)
    decay = optax.inject_hyperparams(add_curvature_decay)(smoothness=schedule)
    optimizer = optax.chain(decay, optax.sgd(0.1))
    nothing = jax.tree.map(jnp.zeros_like, model)
    state, update = optimizer.init(model), jax.jit(optimizer.update)
    first, state = update(nothing, state, model)
    second, _ = update(nothing, state, model)
    want = jax.grad(lambda m: -0.1 * 1e-3 * m.penalty("continuous"))(model)
    close(first, want, rtol=1e-4, atol=1e-7)
    assert not any(leaf.any() for leaf in jax.tree.leaves(second))


def test_layers_inside_any_pytree():
    class Model(eqx.Module):
        first: eqx.nn.Linear
        layers: dict[str, KANLayer]

        def __call__(self, x):
            return jax.vmap(self.first)(x) @ self.layers["a"].theta[0, :3, :]

    made = eqx.nn.Linear(4, 3, key=jax.random.key(0))
    model = Model(made, {"a": KANLayer(3, 2, parameterization="dct", key=0)})
    updates, _ = add_curvature_decay(1.0).update(
        jax.tree.map(jnp.zeros_like, eqx.filter(model, eqx.is_array)), optax.EmptyState(), model
    )
    assert not updates.first.weight.any()
    want = jax.grad(lambda layer: layer.penalty("continuous"))(model.layers["a"])
    close(updates.layers["a"], want, rtol=1e-4, atol=1e-7)


def test_an_ensemble_and_hidden_layers():
    keys = jax.random.split(jax.random.key(0), 3)
    make = lambda key: KANLayer(4, 2, parameterization="prefix_sum", key=key)  # noqa: E731
    ensemble = jax.tree.map(lambda leaf: leaf + 0.5, jax.vmap(make)(keys))
    got = stepped(optax.chain(add_curvature_decay(1e-3), optax.sgd(0.1)), ensemble, _norm)
    one = jax.tree.map(lambda leaf: leaf[1], ensemble)
    alone = stepped(optax.chain(add_curvature_decay(1e-3), optax.sgd(0.1)), one, _norm)
    np.testing.assert_allclose(got.theta[1], alone.theta, rtol=1e-5)
    nowhere = lambda tree: jax.tree.map(lambda _: False, tree)  # noqa: E731
    hidden = optax.masked(add_curvature_decay(1.0), nowhere)
    close(stepped(hidden, one, _norm), stepped(optax.identity(), one, _norm), rtol=0)


def _norm(layer):
    return (layer.theta**2).sum()


def test_half_precision_parameters():
    model = network(dtype=jnp.bfloat16)
    got = stepped(add_curvature_decay(1.0), model, lambda m: 0 * data_loss(m))
    for layer, old in zip(got.layers, model.layers, strict=True):
        assert layer.theta.dtype == jnp.bfloat16
        decay = (curvature_rates(old.config, jnp.float32) * old.theta).astype(jnp.bfloat16)
        np.testing.assert_array_equal(layer.theta, old.theta + decay)


def test_what_is_refused():
    plain = KAN([4, 3, 1], key=0)
    with pytest.raises(ValueError, match='one of "prefix_sum", "dct", "demmler_reinsch"'):
        add_curvature_decay(1e-3).init(plain)
    add_curvature_decay(0.0).init(plain)
    with pytest.raises(ValueError, match=r"\(smoothness=...\)` must be a finite number >= 0"):
        add_curvature_decay(-1.0)
    with pytest.raises(ValueError, match=r"\(scaling=...\)` must be one of"):
        add_curvature_decay(1.0, scaling="fine")
    with pytest.raises(ValueError, match=r"\(params=...\)` must be the parameters, got None"):
        add_curvature_decay(1.0).update(plain, optax.EmptyState())
