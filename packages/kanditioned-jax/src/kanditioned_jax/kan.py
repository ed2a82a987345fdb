"""A stack of layers as a pytree."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike, DTypeLike

from kanditioned_spec import validate
from kanditioned_spec.domain import KEEP, Magnitudes, checked_coverage

from . import checkpoint
from .domain import fitted
from .grid import compute_dtype
from .initializers import slopes
from .layer import KANLayer
from .observation import Data, observe

NORMS = ("layer", "none")
EPSILON = 1e-5
"""Added to the variance by layer normalisation."""


@jax.tree_util.register_pytree_with_keys_class
@dataclass(frozen=True, init=False, repr=False, eq=False)
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
        dropout: Probability of dropping each hidden feature in training, in [0, 1).
        key: Source of all initial values: a key of `jax.random`, or a seed.
        dtype: Dtype of the parameters.
        **layer_options: Passed to every `KANLayer`.

    Attributes:
        layers: The layers.
        residuals: The matrices (I, O) of the linear maps, if any.
        norm: As given.
        dropout: As given.

    Raises:
        ValueError: `widths` is too short, `norm` is unknown or does not suit a width, or
            `dropout` is out of range.

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
    dropout: float

    def __init__(
        self,
        widths: Sequence[int],
        *,
        norm: str = "layer",
        residual: bool = False,
        dropout: float = 0.0,
        key: jax.Array | int | None = None,
        dtype: DTypeLike = jnp.float32,
        **layer_options: Any,
    ) -> None:
        widths = checked_widths(widths)
        validate.choice("KAN", "norm", norm, NORMS)
        check_norm(norm, widths)
        pairs = list(pairwise(widths))
        keys = split(key, 2 * len(pairs))
        layers = tuple(
            KANLayer(i, o, key=k, dtype=dtype, **layer_options)
            for (i, o), k in zip(pairs, keys[: len(pairs)], strict=True)
        )
        residuals = tuple(
            slopes("KAN", "random_normal", i, o, k, compute_dtype(dtype)).astype(dtype)
            for (i, o), k in zip(pairs, keys[len(pairs) :], strict=True)
            if residual
        )
        self._set(layers, residuals, norm, checked_dropout(dropout))

    @classmethod
    def init(cls, key: jax.Array | int, *arguments: Any, **options: Any) -> Self:
        """Build a network from a key and the arguments of `KAN`, in the idiom of JAX."""
        return cls(*arguments, key=key, **options)

    def __call__(self, x: ArrayLike, *, key: jax.Array | None = None) -> jax.Array:
        """Evaluate the network at `x` of shape (..., widths[0]).

        Args:
            x: Inputs.
            key: Source of dropout, for training; without it nothing is dropped.
        """
        return self.run(x, key)[0]

    def run(
        self, x: ArrayLike, key: jax.Array | None = None
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Return the outputs, and the inputs of every layer on the way: what reaches it."""
        y, given = jnp.asarray(x), []
        keys = split(key, len(self.layers))
        for index, layer in enumerate(self.layers):
            if index > 0 and self.dropout:
                y = _dropped(y, self.dropout, keys[index])
            normalised = layer_norm(y) if self.norm == "layer" else y
            given.append(normalised)
            y = layer(normalised)
            if self.residuals:
                y = y + normalised @ self.residuals[index]
        return y, tuple(given)

    def penalty(self, scaling: str = "knots") -> jax.Array:
        """Return the sum of the layers' smoothness penalties, see `KANLayer.penalty`."""
        return jnp.stack([layer.penalty(scaling) for layer in self.layers]).sum()

    def refine(self, num_control_points: int) -> Self:
        """Return the same functions on another number of control points, see `KANLayer.refine`."""
        return self._rebuilt(lambda layer: layer.refine(num_control_points))

    def widen(self, intervals: int) -> Self:
        """Return the same functions on wider domains, see `KANLayer.widen`."""
        return self._rebuilt(lambda layer: layer.widen(intervals))

    def fit_domain(self, data: Data, *, coverage: float = 0.99, keep: str = "spacing") -> Self:
        """Return the same functions with the domain of each layer fitted to what reaches it.

        One pass over the data, in which nothing is dropped. See `KANLayer.fit_domain`.

        Args:
            data: Inputs (..., widths[0]) of the network, or an iterable of batches of them.
            coverage: Share of the inputs of every feature to have in the domain, in (0, 1].
            keep: `"spacing"` or `"num_control_points"`.
        """
        where = "KAN.fit_domain"
        share = checked_coverage(where, coverage)
        validate.choice(where, "keep", keep, KEEP)
        magnitudes = [Magnitudes(layer.in_features) for layer in self.layers]
        observe(where, self, data, [found.add for found in magnitudes])
        reaches = iter([found.reach(where, share) for found in magnitudes])
        return self._rebuilt(lambda layer: fitted(layer, next(reaches), keep))

    def reparameterize(self, parameterization: str, **options: Any) -> Self:
        """Return the same functions in other coordinates, see `KANLayer.reparameterize`."""
        return self._rebuilt(lambda layer: layer.reparameterize(parameterization, **options))

    def plot(self, data: Any = None, **options: Any) -> Any:
        """Draw the network as a diagram, as `kanditioned.plot.plot_network` says.

        Returns:
            A matplotlib `Figure`; no window is opened.

        Raises:
            ImportError: The main package is not installed: `pip install "kanditioned[plot]"`.
        """
        plot = validate.installed("KAN.plot()", "kanditioned.plot", "kanditioned[plot]")
        return plot.plot_network(self, data, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a checkpoint that every backend reads."""
        checkpoint.save_network(path, self)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], impl: str = "auto", *, precision: str | None = None
    ) -> Self:
        """Read a network that any backend has written, bit for bit.

        Raises:
            CheckpointError: The file is damaged or newer, or its network has batch normalisation.
            ValueError: It holds float64, and JAX is not set to keep that.
        """
        return checkpoint.load_network(cls, path, impl, precision)

    def _rebuilt(self, rebuild: Callable[[KANLayer], KANLayer]) -> Self:
        return self.of(tuple(map(rebuild, self.layers)), self.residuals, self.norm, self.dropout)

    @classmethod
    def of(
        cls,
        layers: tuple[KANLayer, ...],
        residuals: tuple[jax.Array, ...],
        norm: str,
        dropout: float,
    ) -> Self:
        """Put a network together from its parts, unchecked."""
        network = object.__new__(cls)
        network._set(layers, residuals, norm, dropout)
        return network

    def _set(
        self,
        layers: tuple[KANLayer, ...],
        residuals: tuple[jax.Array, ...],
        norm: str,
        dropout: float,
    ) -> None:
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "residuals", residuals)
        object.__setattr__(self, "norm", norm)
        object.__setattr__(self, "dropout", dropout)

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], tuple[str, float]]:
        """Take the network apart, for JAX."""
        children = ("layers", "residuals")
        keyed = tuple((jax.tree_util.GetAttrKey(name), getattr(self, name)) for name in children)
        return keyed, (self.norm, self.dropout)

    @classmethod
    def tree_unflatten(cls, static: tuple[str, float], children: tuple[Any, Any]) -> Self:
        """Put the network together again, for JAX."""
        return cls.of(*children, *static)

    def __repr__(self) -> str:
        layers = ", ".join(map(repr, self.layers))
        return (
            f"{type(self).__name__}([{layers}], norm={self.norm!r}, "
            f"residual={bool(self.residuals)}, dropout={self.dropout})"
        )


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


def checked_dropout(dropout: float) -> float:
    """Return a probability of dropping a feature.

    Raises:
        TypeError: It is not a number.
        ValueError: It is outside [0, 1).
    """
    constraint, remedy = "a number in [0, 1)", "It is the share of hidden features to drop."
    probability = validate.finite_real("KAN", "dropout", dropout, constraint, remedy, zero=True)
    if probability >= 1:
        raise ValueError(validate.message("KAN", "dropout", constraint, probability, remedy))
    return probability


def _dropped(x: jax.Array, probability: float, key: jax.Array | None) -> jax.Array:
    if key is None:
        return x
    kept = jax.random.bernoulli(key, 1 - probability, x.shape)
    return jnp.where(kept, x / (1 - probability), 0)


def split(key: jax.Array | int | None, count: int) -> Sequence[jax.Array | None]:
    """Return as many keys from one, or as many times None."""
    if key is None:
        return [None] * count
    return list(jax.random.split(jax.random.key(key) if isinstance(key, int) else key, count))
