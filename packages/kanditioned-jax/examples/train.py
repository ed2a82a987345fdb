"""Train the same network as a pytree and as a Flax NNX module, both with optax.

    python examples/train.py

The function has a kink, which linear splines follow and a smooth basis would not.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from kanditioned_jax import KAN
from kanditioned_jax import nnx as modules

STEPS = 300
PENALTY = 1e-6
OPTIONS = {"num_control_points": 17, "parameterization": "dct", "norm": "none"}


def target(x: jax.Array) -> jax.Array:
    """Return |x_0| + sin(2 x_1), shape (..., 1)."""
    return jnp.abs(x[..., :1]) + jnp.sin(2 * x[..., 1:2])


def train_pytree(x: jax.Array, y: jax.Array) -> jax.Array:
    """Train a `KAN`, whose leaves are the parameters; return its losses."""
    network = KAN([2, 8, 1], key=0, **OPTIONS)
    optimiser = optax.adam(optax.cosine_decay_schedule(2e-2, STEPS))

    def loss(network: KAN) -> jax.Array:
        return ((network(x) - y) ** 2).mean() + PENALTY * network.penalty()

    def step(
        carry: tuple[KAN, optax.OptState], _: None
    ) -> tuple[tuple[KAN, optax.OptState], jax.Array]:
        network, state = carry
        value, gradient = jax.value_and_grad(loss)(network)
        updates, state = optimiser.update(gradient, state)
        return (optax.apply_updates(network, updates), state), value

    @jax.jit
    def train(network: KAN) -> jax.Array:
        return jax.lax.scan(step, (network, optimiser.init(network)), length=STEPS)[1]

    return train(network)


def train_module(x: jax.Array, y: jax.Array) -> jax.Array:
    """Train an `nnx.Module`, whose state Flax keeps; return its losses."""
    network = modules.KAN([2, 8, 1], rngs=nnx.Rngs(0), **OPTIONS)
    schedule = optax.cosine_decay_schedule(2e-2, STEPS)
    optimiser = nnx.Optimizer(network, optax.adam(schedule), wrt=nnx.Param)

    @nnx.jit
    def step(network: modules.KAN, optimiser: nnx.Optimizer) -> jax.Array:
        def loss(network: modules.KAN) -> jax.Array:
            return ((network(x) - y) ** 2).mean() + PENALTY * network.penalty()

        value, gradient = nnx.value_and_grad(loss)(network)
        optimiser.update(network, gradient)
        return value

    return jnp.stack([step(network, optimiser) for _ in range(STEPS)])


def main() -> dict[str, jax.Array]:
    """Train both and print the root mean square error before and after."""
    x = jax.random.uniform(jax.random.key(1), (1024, 2), minval=-2, maxval=2)
    losses = {"pytree": train_pytree(x, target(x)), "nnx": train_module(x, target(x))}
    for name, values in losses.items():
        print(f"{name:>8}: {values[0] ** 0.5:.3f} -> {values[-1] ** 0.5:.4f}")
    return losses


if __name__ == "__main__":
    main()
