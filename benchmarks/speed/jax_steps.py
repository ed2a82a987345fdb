"""The step of a JAX layer: one compiled function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from .cases import Case
from .step import Step


def step(layer: Any, framework: str, case: Case) -> Step:
    """Return the step of a layer that is a pytree (`"jax"`) or a Flax NNX module (`"nnx"`)."""
    evaluate, parameters = split(layer) if framework == "nnx" else (_evaluate, layer)
    dtype = jnp.bfloat16 if case.precision == "bfloat16" else jnp.float32
    parameters = jax.tree.map(
        lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        parameters,
    )

    layer = parameters if framework == "jax" else layer  # of the dtype that is timed

    def inputs(seed: int) -> tuple[jax.Array, ...]:
        keys = jax.random.split(jax.random.key(seed))
        batch, in_features, out_features, _ = case.shape
        x = jax.random.normal(keys[0], (batch, in_features), dtype)
        gy = jax.random.normal(keys[1], (batch, out_features), dtype)
        return x.block_until_ready(), gy.block_until_ready()

    def training(parameters: Any, x: jax.Array, gy: jax.Array) -> tuple[Any, ...]:
        y, pullback = jax.vjp(evaluate, parameters, x)
        by_parameters, by_x = pullback(gy.astype(y.dtype))
        return y, by_x, by_parameters

    def inference(parameters: Any, x: jax.Array, gy: jax.Array) -> jax.Array:
        return evaluate(parameters, x)

    compiled = jax.jit(inference if case.mode == "inference" else training)

    def run(x: jax.Array, gy: jax.Array) -> Any:
        precision = "tensorfloat32" if case.precision == "high" else "highest"
        with jax.default_matmul_precision(precision):
            return compiled(parameters, x, gy)

    def arrays(values: Any) -> list[npt.NDArray[np.float64]]:
        return [np.asarray(leaf, dtype=np.float64) for leaf in jax.tree.leaves(values)]

    return Step(layer, inputs, run, jax.block_until_ready, arrays)


def _evaluate(layer: Any, x: jax.Array) -> jax.Array:
    y: jax.Array = layer(x)
    return y


def error(layer: Any, x: jax.Array, gy: jax.Array) -> float:
    """Return the largest relative error of values in float32 and gradients of a Flax NNX module.

    See `verify.their_error`.
    """
    evaluate, parameters = split(layer)
    single = evaluate(parameters, x.astype(jnp.float32))
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (parameters, x))
        gy = jnp.asarray(gy, jnp.float64)

        def value(leaves: list[jax.Array]) -> jax.Array:
            return (evaluate(*jax.tree.unflatten(structure, leaves)) * gy).sum()

        y = evaluate(*double)
        errors = [float(abs(y - single).max() / abs(y).max())]
        leaves, structure = jax.tree.flatten(double)
        for number, gradient in enumerate(jax.grad(value)(leaves)):
            direction = jax.random.normal(jax.random.key(number), gradient.shape, jnp.float64)
            above, below = (
                value([*leaves[:number], leaves[number] + step * direction, *leaves[number + 1 :]])
                for step in (1e-7, -1e-7)
            )
            predicted, measured = (gradient * direction).sum(), (above - below) / 2e-7
            size = jnp.linalg.norm(gradient) + abs(measured)
            errors.append(float(abs(predicted - measured) / size))
    return max(errors)


def split(layer: Any) -> tuple[Callable[[Any, jax.Array], jax.Array], Any]:
    """Return a Flax NNX layer as a function of parameters and inputs, and the parameters."""
    from flax import nnx

    graph, parameters, rest = cast(Any, nnx.split(layer, nnx.Param, ...))

    def evaluate(parameters: Any, x: jax.Array) -> jax.Array:
        y: jax.Array = nnx.merge(graph, parameters, rest)(x)
        return y

    return evaluate, parameters
