"""The network of `stack` of Flax NNX layers."""

from __future__ import annotations

from functools import reduce
from typing import Any

import jax
import numpy as np
import optax

from kanditioned.estimators.training import Array, Samples

from ..speed.jax_steps import split


class Model:
    """A network for `training.train`.

    Args:
        layers: Flax NNX modules.
        loss: One of `training.LOSSES`.
    """

    def __init__(self, layers: list[Any], loss: str) -> None:
        functions, self.network = zip(*map(split, layers), strict=True)
        each = {
            "squared": optax.squared_error,
            "cross_entropy": optax.softmax_cross_entropy_with_integer_labels,
        }[loss]
        adam = optax.scale_by_adam()

        def forward(network: Any, x: Any) -> jax.Array:
            together = zip(functions, network, strict=True)
            y: jax.Array = reduce(lambda y, layer: layer[0](layer[1], y), together, x)
            return y

        def step(network: Any, state: Any, x: Any, y: Any, rate: float) -> tuple[Any, ...]:
            def objective(network: Any) -> jax.Array:
                mean: jax.Array = each(forward(network, x), y).mean()
                return mean

            value, gradient = jax.value_and_grad(objective)(network)
            updates, state = adam.update(gradient, state)
            updates = jax.tree.map(lambda update: -rate * update, updates)
            return optax.apply_updates(network, updates), state, value

        self._forward, self._step = jax.jit(forward), jax.jit(step)
        self._state = adam.init(self.network)

    def step(self, samples: Samples, learning_rate: float) -> float:
        """Take one Adam step and return the loss before it."""
        self.network, self._state, value = self._step(
            self.network, self._state, samples.x, samples.y, learning_rate
        )
        return float(value)

    def outputs(self, x: Array) -> Array:
        """Evaluate the network at inputs (N, I)."""
        y: Array = np.asarray(self._forward(self.network, x))
        return y

    def finish(self) -> None:
        """Drop what only training needs."""
        del self._state, self._step
