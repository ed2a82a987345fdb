"""What may stand before a layer, as a pytree without leaves (see `kanditioned_spec.input_map`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

import kanditioned_spec as spec
from kanditioned_spec import validate
from kanditioned_spec.grid import Array
from kanditioned_spec.input_map import input_map_of
from kanditioned_spec.sketch import each_batch

from .arguments import floating_array, floating_dtype
from .batches import Data


@dataclass(frozen=True)
class InputMap:
    """A fixed, strictly increasing, piecewise linear map of every input feature.

    It is not trained: it has no leaves, and its numbers are constants of compiled programs. Make it
    from data, by `standardise`, `domain` or `quantiles`, or from those of a
    `kanditioned_spec.InputMap`.

    Attributes:
        numbers: Breakpoints, images and slopes, in NumPy. Its `inverse` goes back.
        dtype: Of the result, float32 by default.

    Shape:
        Input (..., I), output (..., I).

    Numerics:
        A float64 NumPy array is mapped in float64 before JAX rounds it, so that a time of 1.7e9
        seconds keeps its minutes. JAX's arrays are mapped in float64 if it is set to keep that,
        else in float32, and the offset is subtracted in two parts that together are nearly exact.
        The result of a float64 x has `dtype`, that of others the promoted dtype of both. NaN gives
        NaN, in the gradient too.

    Example:
        >>> import numpy as np
        >>> hours = 1.7e9 + 3600 * np.arange(24.0)[:, None]
        >>> InputMap.domain(hours, coverage=1.0)(hours).ravel()[np.array([0, -1])].tolist()
        [-2.0, 2.0]
    """

    numbers: spec.InputMap
    dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        remedy = "Make one from data, such as InputMap.quantiles(x)."
        kind, name = spec.InputMap, "a kanditioned_spec.InputMap"
        validate.instance("InputMap", "numbers", self.numbers, kind, name, remedy)
        object.__setattr__(self, "dtype", floating_dtype("InputMap", self.dtype))

    @classmethod
    def affine(cls, offset: Any, scale: Any) -> Self:
        """Return z = (x - offset) / scale, see `kanditioned_spec.InputMap.affine`."""
        return cls(spec.InputMap.affine(offset, scale))

    @classmethod
    def standardise(cls, data: Data) -> Self:
        """Return the map to mean 0 and variance 1, see `kanditioned_spec.InputMap.standardise`.

        Args:
            data: Inputs (..., I), or an iterable of batches of them: arrays, or tuples with the
                inputs first. float64 NumPy arrays are taken as such.
        """
        return cls(spec.InputMap.standardise(_arrays("InputMap.standardise", data)))

    @classmethod
    def domain(cls, data: Data, coverage: float = 0.99, spline_width: float = 4.0) -> Self:
        """Return straight lines onto the domain, see `kanditioned_spec.InputMap.domain`."""
        return cls(spec.InputMap.domain(_arrays("InputMap.domain", data), coverage, spline_width))

    @classmethod
    def quantiles(cls, data: Data, num_breakpoints: int = 32, **options: Any) -> Self:
        """Return the map by ranks, see `kanditioned_spec.InputMap.quantiles`."""
        arrays = _arrays("InputMap.quantiles", data)
        return cls(spec.InputMap.quantiles(arrays, num_breakpoints, **options))

    @property
    def in_features(self) -> int:
        """The number of inputs, I."""
        return self.numbers.in_features

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Return z(x) for x of shape (..., I)."""
        if isinstance(x, np.ndarray) and x.dtype == np.float64:
            return jnp.asarray(self.numbers(x), self.dtype)
        array = floating_array("InputMap", "x", x)
        validate.last_dimension("InputMap", "x", array.shape, self.in_features)
        widest = jax.dtypes.canonicalize_dtype(jnp.float64)  # float32, unless JAX keeps float64
        z = _interpolate(self.numbers, array.astype(widest))
        if array.dtype == jnp.float64:
            return z.astype(self.dtype)
        return z.astype(jnp.promote_types(self.dtype, array.dtype))


jax.tree_util.register_dataclass(InputMap, data_fields=(), meta_fields=("numbers", "dtype"))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _interpolate(numbers: spec.InputMap, x: jax.Array) -> jax.Array:
    piece, distance = _locate(numbers, x)
    image, slope = _take(numbers.images, piece, x), _take(numbers.slopes, piece, x)
    ceilings = np.concatenate(
        [numbers.images[:, 1:-1], np.full((numbers.in_features, 1), np.inf)], axis=1
    )
    return jnp.minimum(image + slope * distance, _take(ceilings, piece, x))


@_interpolate.defjvp
def _(
    numbers: spec.InputMap, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x,), (v,) = primals, tangents
    piece, _ = _locate(numbers, x)
    slope = jnp.where(jnp.isnan(x), jnp.nan, _take(numbers.slopes, piece, x))
    return _interpolate(numbers, x), slope * v


def _locate(numbers: spec.InputMap, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return j, found by bisection, and x - p_j."""
    points, last = numbers.breakpoints, numbers.num_breakpoints - 2
    high = points.astype(x.dtype)
    low = (points - high).astype(x.dtype)

    def distance(piece: jax.Array) -> jax.Array:
        # The compiler would subtract the sum of both, in which the small part is lost.
        barrier = jax.lax.optimization_barrier
        from_high: jax.Array = barrier(x - _take(high, piece, x))  # type: ignore[no-untyped-call]
        return from_high - _take(low, piece, x)

    piece = jnp.zeros(x.shape, jnp.int32)
    for bit in reversed(range(last.bit_length())):
        further = piece + 2**bit
        reached = distance(jnp.minimum(further, last)) >= 0
        piece = jnp.where(reached & (further <= last), further, piece)
    return piece, distance(piece)


def _take(rows: Array, piece: jax.Array, x: jax.Array) -> jax.Array:
    """Return the number of each feature's row (I, M) for each of the pieces (..., I)."""
    return jnp.asarray(rows, x.dtype)[jnp.arange(rows.shape[0]), piece]


def _arrays(where: str, data: Data) -> Iterator[Any]:
    """Iterate over the inputs of each batch."""
    for batch in each_batch(where, data):
        yield batch[0] if isinstance(batch, (tuple, list)) and batch else batch


def make_input_map(where: str, given: Any, in_features: int, dtype: DTypeLike) -> InputMap | None:
    """Return what stands before a network of this dtype, if anything."""
    numbers = input_map_of(where, given, in_features)
    return None if numbers is None else InputMap(numbers, dtype)
