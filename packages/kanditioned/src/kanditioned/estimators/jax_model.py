"""The estimators' network in JAX."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from kanditioned_jax import KAN, KANLayer
from kanditioned_spec import validate
from kanditioned_spec.refinement import GridChange

from .training import Array, ModelSpec, Samples, Vector

optax = validate.import_optional('fit with backend="jax"', "optax", "kanditioned[jax]")
_ADAM = optax.scale_by_adam()


class Model:
    """See `training.Model`. float64 networks live under `jax.enable_x64`, for their calls only."""

    def __init__(self, spec: ModelSpec) -> None:
        self.kind, self.smoothing = spec.loss, spec.smoothing
        self._coordinates = spec.coordinates
        self.dtype = spec.dtype
        with self._settings():
            self.network = KAN(
                spec.widths,
                norm="none",
                key=jax.random.key(spec.seed),
                dtype=spec.dtype,
                **spec.grid._asdict(),
                **self._coordinates(spec.grid.num_control_points),
            )
            self.network = jax.device_put(_starting_at_zero(self.network), spec.device)
            self._optimizer = _ADAM.init(self.network)

    def step(self, samples: Samples, learning_rate: float) -> float:
        with self._settings():
            self.network, self._optimizer, objective = _step(
                self.network,
                self._optimizer,
                *self._arrays(samples),
                np.asarray(learning_rate, self.dtype),
                np.asarray(self.smoothing, self.dtype),
                kind=self.kind,
            )
            return float(objective)

    def refine(self, change: GridChange) -> None:
        coordinates = self._coordinates(change.grid.num_control_points)
        with self._settings():
            refined = self.network.change_grid(change)
            self.network = refined.reparameterize(**coordinates)
            self._optimizer = _ADAM.init(self.network)

    def loss(self, samples: Samples) -> float:
        with self._settings():
            return float(_loss(self.network, *self._arrays(samples), kind=self.kind))

    def outputs(self, x: Array) -> Array:
        with self._settings():
            y: Array = np.array(_outputs(self.network, np.asarray(x, self.dtype)))
            return y

    def objective(self, samples: Samples) -> tuple[float, Vector]:
        with self._settings():
            value, gradient = _objective(
                self.network,
                *self._arrays(samples),
                np.asarray(self.smoothing, self.dtype),
                kind=self.kind,
            )
            return float(value), np.array(ravel_pytree(gradient)[0], np.float64)

    def parameters(self) -> Vector:
        with self._settings():
            return np.array(ravel_pytree(self.network)[0], np.float64)

    def set_parameters(self, vector: Vector) -> None:
        with self._settings():
            unravel = ravel_pytree(self.network)[1]
            self.network = unravel(jnp.asarray(vector, self.dtype))

    def finish(self) -> None:
        del self._optimizer, self._coordinates

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "network": jax.tree.map(np.asarray, self.network)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with self._settings():  # else JAX would round float64 here
            self.network = jax.tree.map(jnp.asarray, self.network)

    def _settings(self) -> AbstractContextManager[Any]:
        settings: AbstractContextManager[Any] = jax.enable_x64(self.dtype == "float64")
        return settings

    def _arrays(self, samples: Samples) -> tuple[Any, Any, Any, Any]:
        y = samples.y if self.kind == "cross_entropy" else np.asarray(samples.y, self.dtype)
        offset = 0.0 if samples.offset is None else samples.offset
        x, weight, offset = (
            np.asarray(array, self.dtype) for array in (samples.x, samples.weight, offset)
        )
        return x, y, weight, offset


def _starting_at_zero(network: KAN) -> KAN:
    last = network.layers[-1]
    layers = (*network.layers[:-1], KANLayer.of(jnp.zeros_like(last.theta), last.config))
    restarted: KAN = jax.tree.unflatten(jax.tree.structure(network), jax.tree.leaves(layers))
    return restarted


@partial(jax.jit, static_argnames="kind")
def _loss(network: KAN, x: Any, y: Any, weight: Any, offset: Any, kind: str) -> jax.Array:
    outputs = network(x) + offset
    if kind == "cross_entropy":
        each = optax.softmax_cross_entropy_with_integer_labels(outputs, y)
    elif kind == "logistic":
        each = optax.sigmoid_binary_cross_entropy(outputs, y).mean(1)
    else:
        each = optax.squared_error(outputs, y).mean(1)
    mean: jax.Array = (weight * each).mean()
    return mean


@partial(jax.jit, static_argnames="kind")
def _objective(
    network: KAN, x: Any, y: Any, weight: Any, offset: Any, smoothing: Any, kind: str
) -> tuple[jax.Array, KAN]:
    def value(network: KAN) -> jax.Array:
        total: jax.Array = _loss(network, x, y, weight, offset, kind)
        total += smoothing * network.penalty("continuous")
        return total

    result: tuple[jax.Array, KAN] = jax.value_and_grad(value)(network)
    return result


@partial(jax.jit, static_argnames="kind")
def _step(
    network: KAN,
    state: Any,
    x: Any,
    y: Any,
    weight: Any,
    offset: Any,
    rate: Any,
    smoothing: Any,
    kind: str,
) -> tuple[KAN, Any, jax.Array]:
    value, gradient = _objective(network, x, y, weight, offset, smoothing, kind)
    direction, state = _ADAM.update(gradient, state)
    step = jax.tree.map(lambda each: -rate * each, direction)
    return optax.apply_updates(network, step), state, value


@jax.jit
def _outputs(network: KAN, x: Any) -> jax.Array:
    y: jax.Array = network(x)
    return y
