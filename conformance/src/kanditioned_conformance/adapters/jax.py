"""A backend from one function of JAX: gradients come from `jax.vjp`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kanditioned_spec import Problem

from .base import Matrix, Supports, declare, inverse, takes_all

Evaluate = Callable[[Problem, jax.Array, jax.Array], jax.Array]


class JaxAdapter:
    """A layer that JAX differentiates. Arguments are those of `adapters.torch.TorchAdapter`.

    Each operation is compiled once for every problem; float64 is computed where it is enabled.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        name: str,
        package: str,
        dtypes: tuple[str, ...] = ("float32",),
        supports: Supports = takes_all,
        matrix: Matrix | None = None,
        **declared: Any,
    ) -> None:
        def value(problem: Problem, x: jax.Array, c: jax.Array) -> jax.Array:
            if not matrix:
                return evaluate(problem, x, c)
            back = jnp.asarray(inverse(matrix(problem)), c.dtype)
            return evaluate(problem, x, jnp.einsum("pk,iko->ipo", back, c))

        def first(problem: Problem, x: jax.Array, c: jax.Array, gy: jax.Array) -> Any:
            _, pull = jax.vjp(lambda x, c: value(problem, x, c), x, c)
            return pull(gy)

        def layer(problem: Problem, x: jax.Array, theta: jax.Array, gy: jax.Array) -> Any:
            y, pull = jax.vjp(lambda x, theta: evaluate(problem, x, theta), x, theta)
            return y, *pull(gy)

        def second(problem: Problem, x: jax.Array, c: jax.Array, gy: jax.Array, *v: Any) -> Any:
            _, pull = jax.vjp(lambda x, c, gy: first(problem, x, c, gy), x, c, gy)
            return pull(v)

        self._value, self._first, self._second, self._layer = (
            jax.jit(function, static_argnums=0) for function in (value, first, second, layer)
        )
        if matrix:
            self.parameter_matrix = matrix
        self.supports = supports
        self.info = declare(name, (package, "jax"), dtypes, **declared)

    def forward(self, problem: Problem, x: Any, control_points: Any) -> Any:
        """Return y."""
        return _call(self._value, problem, x, control_points)[0]

    def vjp(self, problem: Problem, x: Any, control_points: Any, grad_y: Any) -> Any:
        """Return the gradients of x and of the control points."""
        return _call(self._first, problem, x, control_points, grad_y)

    def vjp_of_vjp(self, problem: Problem, *arrays: Any) -> Any:
        """Return the mixed second derivatives."""
        return _call(self._second, problem, *arrays)

    def vjp_of_layer(self, problem: Problem, *arrays: Any) -> Any:
        """Return y and the gradients of x and of the parameters."""
        return _call(self._layer, problem, *arrays)


def _call(function: Any, problem: Problem, *arrays: Any) -> tuple[Any, ...]:
    """Call a function on arrays of the problem's dtype; bfloat16 comes back as float32."""
    with jax.enable_x64(problem.dtype == "float64"):
        given = [jnp.asarray(np.array(array, dtype=jnp.dtype(problem.dtype))) for array in arrays]
        results = function(problem, *given)
        listed = results if isinstance(results, tuple | list) else (results,)
        return tuple(
            np.asarray(each, dtype=np.float32 if each.dtype == jnp.bfloat16 else None)
            for each in listed
        )
