"""A stack of layers as a pytree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike, DTypeLike

from kanditioned_spec import validate

from .grid import compute_dtype
from .layer import KANLayer

NORMS = ("layer", "none")
EPSILON = 1e-5
"""Added to the variance by layer normalisation."""


@jax.tree_util.register_pytree_with_keys_class
@dataclass(frozen=True, init=False, eq=False)
class KAN:
    """A Kolmogorov-Arnold network: normalisation, then a `KANLayer`, for each pair of widths.

    An immutable pytree. Normalisation keeps the inputs of every layer on its domain. It has no
    scale or shift of its own, since the splines that follow can represent any.

    Args:
        widths: Number of features before, between and after the layers, at least two numbers.
        norm: What stands before each layer: `"layer"` (needs three features or more: of two it
            would leave only the order) or `"none"`. Batch normalisation, which has a state, is in
            `kanditioned_jax.nnx.KAN`.
        residual: Add a bias-free linear map of the normalised input to each layer.
        key: Source of all initial values: a key of `jax.random`, or a seed.
        dtype: Dtype of the parameters.
        **layer_options: Passed to every `KANLayer`.

    Attributes:
        layers: The layers.
        residuals: The matrices (I, O) of the linear maps, if any.
        norm: As given.

    Raises:
        ValueError: `widths` is too short, or `norm` is unknown or does not suit a width.

    Shape:
        Input (..., widths[0]), output (..., widths[-1]).

    Example:
        >>> import jax.numpy as jnp
        >>> KAN([4, 8, 1], num_control_points=16, key=0)(jnp.ones((5, 4))).shape
        (5, 1)
    """

    layers: tuple[KANLayer, ...]
    residuals: tuple[jax.Array, ...]
    norm: str

    def __init__(
        self,
        widths: Sequence[int],
        *,
        norm: str = "layer",
        residual: bool = False,
        key: jax.Array | int | None = None,
        dtype: DTypeLike = jnp.float32,
        **layer_options: Any,
    ) -> None:
        widths = checked_widths(widths)
        validate.choice("KAN", "norm", norm, NORMS)
        check_norm(norm, widths)
        pairs = list(zip(widths, widths[1:], strict=False))
        keys = split(key, 2 * len(pairs))
        layers = tuple(
            KANLayer(i, o, key=k, dtype=dtype, **layer_options)
            for (i, o), k in zip(pairs, keys[: len(pairs)], strict=True)
        )
        linear = jax.nn.initializers.lecun_uniform()
        residuals = tuple(
            linear(k, pair, dtype) for pair, k in zip(pairs, keys[len(pairs) :], strict=True)
        )
        self._set(layers, residuals if residual else (), norm)

    @classmethod
    def init(cls, key: jax.Array | int, *arguments: Any, **options: Any) -> Self:
        """Build a network from a key and the arguments of `KAN`, in the idiom of JAX."""
        return cls(*arguments, key=key, **options)

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Evaluate the network at `x` of shape (..., widths[0])."""
        y = jnp.asarray(x)
        for index, layer in enumerate(self.layers):
            normalised = layer_norm(y) if self.norm == "layer" else y
            y = layer(normalised)
            if self.residuals:
                y = y + normalised @ self.residuals[index]
        return y

    def penalty(self, scaling: str = "knots") -> jax.Array:
        """Return the sum of the layers' smoothness penalties, see `KANLayer.penalty`."""
        return jnp.stack([layer.penalty(scaling) for layer in self.layers]).sum()

    def refine(self, num_control_points: int) -> Self:
        """Return the same functions on another number of control points, see `KANLayer.refine`."""
        return self._rebuilt(lambda layer: layer.refine(num_control_points))

    def widen(self, intervals: int) -> Self:
        """Return the same functions on wider domains, see `KANLayer.widen`."""
        return self._rebuilt(lambda layer: layer.widen(intervals))

    def reparameterize(self, parameterization: str, **options: Any) -> Self:
        """Return the same functions in other coordinates, see `KANLayer.reparameterize`."""
        return self._rebuilt(lambda layer: layer.reparameterize(parameterization, **options))

    def _rebuilt(self, rebuild: Callable[[KANLayer], KANLayer]) -> Self:
        return self._of(tuple(map(rebuild, self.layers)), self.residuals, self.norm)

    @classmethod
    def _of(
        cls, layers: tuple[KANLayer, ...], residuals: tuple[jax.Array, ...], norm: str
    ) -> Self:
        network = object.__new__(cls)
        network._set(layers, residuals, norm)
        return network

    def _set(
        self, layers: tuple[KANLayer, ...], residuals: tuple[jax.Array, ...], norm: str
    ) -> None:
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "residuals", residuals)
        object.__setattr__(self, "norm", norm)

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], str]:
        """Take the network apart, for JAX."""
        names = ("layers", "residuals")
        return tuple((jax.tree_util.GetAttrKey(n), getattr(self, n)) for n in names), self.norm

    @classmethod
    def tree_unflatten(cls, norm: str, children: tuple[Any, Any]) -> Self:
        """Put the network together again, for JAX."""
        return cls._of(*children, norm)


def layer_norm(x: jax.Array) -> jax.Array:
    """Return `x` with zero mean and unit variance over the last dimension, in its dtype.

    Mean and variance are computed in float32 or wider.
    """
    wide = x.astype(compute_dtype(x.dtype))
    centred = wide - wide.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return (centred * jax.lax.rsqrt(variance + EPSILON)).astype(x.dtype)


def checked_widths(widths: object) -> tuple[int, ...]:
    """Return the numbers of features of a network.

    Raises:
        ValueError: They are not a list or tuple of at least two.
    """
    if not isinstance(widths, (list, tuple)) or len(widths) < 2:
        raise ValueError(
            validate.message(
                "KAN",
                "widths",
                "a list or tuple of at least two numbers of features",
                repr(widths),
                "For example [4, 16, 1]: four inputs, sixteen hidden features, one output.",
            )
        )
    return tuple(validate.feature_count("KAN", "widths", width) for width in widths)


def check_norm(norm: str, widths: Sequence[int]) -> None:
    """Check that layer normalisation has three features or more to work on.

    Raises:
        ValueError: It has not.
    """
    features = min(widths[:-1])
    if norm == "layer" and features < 3:
        raise ValueError(
            validate.message(
                "KAN",
                "norm",
                '"none" before a layer of one or two features',
                f'"layer" with {features}',
                "Normalising over so few features leaves at most their order.",
            )
        )


def split(key: jax.Array | int | None, count: int) -> Sequence[jax.Array | None]:
    """Return as many keys from one, or as many times None."""
    if key is None:
        return [None] * count
    return list(jax.random.split(jax.random.key(key) if isinstance(key, int) else key, count))
