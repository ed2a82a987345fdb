"""What an implementation is, and the loops that bound its workspace.

The layer and all its derivatives are contractions of one trilinear form. Let l be the interval of
x[b, i], Δ_l = c_{l+1} - c_l, and w a weight per (b, i). The form

    F(w, c, gy) = Σ_{b,i,o} gy[b, o] (affine · c[i, l, o] + w[b, i] Δ_l[i, o])

gives the layer (w = t, affine) and its derivative along a direction v (w = v/h, not affine). It is
contracted over all but one argument:

    interpolate   ∂F/∂gy    Σ_i affine · c_l + w Δ_l                     (B, O)
    contract      ∂F/∂v     Σ_o gy Δ_l / h                               (B, I)
    accumulate    ∂F/∂c     (affine - w) gy onto c_l, w gy onto c_{l+1}  (I, K, O)

Each is a derivative of the others, so these three suffice for derivatives of any order
(`derivatives`), and an implementation is never differentiated itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import lax

from kanditioned_spec import Grid

PRECISIONS = ("highest", "high", "medium")


class Target(NamedTuple):
    """What an implementation is compiled for.

    Attributes:
        on_cpu: Whether it is a CPU, rather than a GPU or another accelerator.
        precision: How factors of products may be rounded: `"highest"` not at all, `"high"` to
            TF32, `"medium"` to bfloat16, None as `jax.default_matmul_precision` says. A CPU
            never rounds, and an implementation may always give more than it is asked for.
    """

    on_cpu: bool
    precision: str | None

    def product(self, a: jax.Array, b: jax.Array, axis_a: int, axis_b: int) -> jax.Array:
        """Contract two matrices over an axis of each, with sums in their dtype."""
        precision = None if self.precision is None else _PRECISIONS[self.precision]
        narrow = self.precision == "medium" and not self.on_cpu and a.dtype == jnp.float32
        dtype = a.dtype
        if narrow:
            a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
        contracted = (((axis_a,), (axis_b,)), ((), ()))
        return lax.dot_general(a, b, contracted, precision, preferred_element_type=dtype)


_PRECISIONS = {
    "highest": lax.Precision.HIGHEST,
    "high": lax.Precision.HIGH,
    "medium": lax.Precision.DEFAULT,
}


class Interpolate(Protocol):
    """The layer, or its derivative along a direction."""

    def __call__(
        self,
        x: jax.Array,
        direction: jax.Array | None,
        control_points: jax.Array,
        grid: Grid,
        target: Target,
    ) -> jax.Array:
        """Return Σ_i s(x), or along a direction v (B, I) the derivative Σ_i v s'(x): (B, O)."""


class Contract(Protocol):
    """The gradient by x."""

    def __call__(
        self,
        x: jax.Array,
        control_points: jax.Array,
        grad_y: jax.Array,
        grid: Grid,
        target: Target,
    ) -> jax.Array:
        """Return Σ_o gy s'(x), the gradient by x: (B, I)."""


class Accumulate(Protocol):
    """The gradient by the control points, or its derivative along a direction."""

    def __call__(
        self,
        x: jax.Array,
        direction: jax.Array | None,
        grad_y: jax.Array,
        grid: Grid,
        target: Target,
    ) -> jax.Array:
        """Return the gradient by the control points (I, K, O), or its derivative along v."""


@dataclass(frozen=True)
class Impl:
    """One way to evaluate the layer and its derivatives.

    Shapes: x and direction (B, I), control_points (I, K, O), grad_y (B, O), none of them empty, all
    of one dtype, float32 or float64, as is the result. NaN in x[b, i] reaches row b of y, entry
    (b, i) of the gradient by x, and the control points of interval 0 of feature i.

    Attributes:
        interpolate: The layer, or its derivative along a direction.
        contract: The gradient by x.
        accumulate: The gradient by the control points, or its derivative along a direction.
    """

    interpolate: Interpolate
    contract: Contract
    accumulate: Accumulate


Block = Callable[[int | jax.Array, int], jax.Array]
"""`block(start, size)` computes a result from one part of an axis; `size` is static."""


def add_blocks(block: Block, length: int, size: int) -> jax.Array:
    """Return the sum of `block` over an axis of `length`, taken `size` at a time."""
    first, rest = _split(length, size)
    total = block(0, first)
    if rest:
        total = lax.fori_loop(
            0, rest, lambda n, total: total + block(first + n * size, size), total
        )
    return total


def join_blocks(block: Block, length: int, size: int, axis: int) -> jax.Array:
    """Return the results of `block` along an axis of `length`, side by side on `axis`."""
    first, rest = _split(length, size)
    part = block(0, first)
    if not rest:
        return part
    padding = [(0, length - first if n == axis else 0, 0) for n in range(part.ndim)]
    joined = lax.pad(part, jnp.zeros((), part.dtype), padding)

    def write(n: jax.Array, joined: jax.Array) -> jax.Array:
        start = first + n * size
        return lax.dynamic_update_slice_in_dim(joined, block(start, size), start, axis)

    result: jax.Array = lax.fori_loop(0, rest, write, joined)
    return result


def _split(length: int, size: int) -> tuple[int, int]:
    """Return the size of the first block, and how many of `size` follow it."""
    if size == length:  # the only case that a length left open for `jax.export` decides
        return length, 0
    rest = (length - 1) // size
    return length - rest * size, rest
