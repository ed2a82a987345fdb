"""A stack of layers as a pytree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

import kanditioned_spec as spec
from kanditioned_spec import checkpoint, domain, validate
from kanditioned_spec.network import EPSILON, layer_shapes
from kanditioned_spec.refinement import GridChange
from kanditioned_spec.shapes import Signs

from . import resampling
from .arguments import flag, floating_array, floating_dtype, random_key
from .arrays import Path, array_from_file, from_file, refuse, to_file
from .batches import Data, record_layer_inputs
from .grid import compute_dtype
from .initializers import slopes
from .input_map import InputMap, make_input_map
from .layer import KANLayer
from .pytrees import Pytree
from .selection import check_evaluation

NORMS = ("layer", "none")
"""Batch normalisation has a state and is in `nnx`."""


@dataclass(frozen=True, init=False, repr=False, eq=False)
class KAN(Pytree):
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
        input_map: What the inputs go through first: an `InputMap`, or the numbers of one as a
            `kanditioned_spec.InputMap`. It is fixed, and saved with the network. With
            `norm="none"` the first layer's functions of the inputs are
            `network.layers[0].to_scipy(i, o, input_map=network.input_map)`.
        monotone: +1 for inputs in which all outputs rise, -1 for those in which they fall, as in
            `KANLayer`. The hidden layers are made increasing.
        convex: The same, +1 convex and -1 concave.
        key: Source of all initial values: a key of `jax.random`, or a seed.
        dtype: Dtype of the parameters.
        **layer_options: Passed to every `KANLayer`.

    Attributes:
        layers: The layers.
        residuals: The matrices (I, O) of the linear maps, if any.
        input_map: As an `InputMap`, or None.
        norm: As given.
        dropout: As given.

    Raises:
        ValueError: `widths` is too short, `norm` is unknown or does not suit a width, `dropout` is
            out of range, or the network could not keep the shape that is asked for.

    Shape:
        Input (..., widths[0]), output (..., widths[-1]).

    Example:
        >>> import jax.numpy as jnp
        >>> KAN([4, 8, 1], num_control_points=16, key=0)(jnp.ones((5, 4))).shape
        (5, 1)
    """

    layers: tuple[KANLayer, ...]
    residuals: tuple[jax.Array, ...]
    input_map: InputMap | None
    norm: str
    dropout: float

    _children, _static = ("layers", "residuals", "input_map"), ("norm", "dropout")

    def __init__(
        self,
        widths: Sequence[int],
        *,
        norm: str = "layer",
        residual: bool = False,
        dropout: float = 0.0,
        input_map: InputMap | spec.InputMap | None = None,
        monotone: Signs = None,
        convex: Signs = None,
        key: jax.Array | int | None = None,
        dtype: DTypeLike = jnp.float32,
        **layer_options: Any,
    ) -> None:
        where = type(self).__name__
        widths = validate.widths(where, widths)
        validate.norm(where, norm, widths, NORMS)
        dtype = floating_dtype(where, dtype)
        pairs = list(pairwise(widths))
        keys = split_key(where, key, 2 * len(pairs))
        before = make_input_map(where, input_map, widths[0], dtype)
        shapes = layer_shapes(
            where,
            widths,
            monotone,
            convex,
            norm=norm,
            residual=residual,
            input_map=None if before is None else before.numbers,
        )
        layers = tuple(
            KANLayer(i, o, key=k, dtype=dtype, **each._asdict(), **layer_options)
            for (i, o), k, each in zip(pairs, keys[: len(pairs)], shapes, strict=True)
        )
        residuals = tuple(
            slopes(where, "random_normal", i, o, k, compute_dtype(dtype)).astype(dtype)
            for (i, o), k in zip(pairs, keys[len(pairs) :], strict=True)
            if flag(where, "residual", residual)
        )
        self._set(layers, residuals, before, norm, validate.dropout(where, dropout))

    @classmethod
    def of(
        cls,
        layers: Sequence[KANLayer],
        residuals: Sequence[jax.Array],
        norm: str,
        dropout: float,
        input_map: InputMap | None = None,
    ) -> Self:
        """Put a network together from its parts, unchecked."""
        return cls._of_fields(tuple(layers), tuple(residuals), input_map, norm, dropout)

    def __call__(self, x: ArrayLike, *, key: jax.Array | None = None) -> jax.Array:
        """Evaluate the network at `x` of shape (..., widths[0]).

        Args:
            x: Inputs.
            key: Source of dropout, for training; without it nothing is dropped.
        """
        return self._run(type(self).__name__, x, key)[-1]

    def layer_inputs(self, x: ArrayLike) -> tuple[jax.Array, ...]:
        """Return what reaches every layer, (..., widths[n]), when `x` reaches the network."""
        return self._run(f"{type(self).__name__}.layer_inputs", x, None)[:-1]

    def _run(self, where: str, x: ArrayLike, key: jax.Array | None) -> tuple[jax.Array, ...]:
        """Return the inputs of every layer, and the outputs."""
        x = x if self.input_map is None else self.input_map(x)
        y, inputs = floating_array(where, "x", x), []
        validate.last_dimension(where, "x", y.shape, self.layers[0].in_features)
        keys = split_key(where, key, len(self.layers))
        for index, layer in enumerate(self.layers):
            if index > 0 and self.dropout:
                y = _drop(y, self.dropout, keys[index])
            normalised = layer_norm(y) if self.norm == "layer" else y
            inputs.append(normalised)
            y = layer(normalised)
            if self.residuals:
                y = y + normalised @ self.residuals[index]
        return (*inputs, y)

    def penalty(self, scaling: str = "knots") -> jax.Array:
        """Return the sum of the layers' smoothness penalties, see `KANLayer.penalty`."""
        return jnp.stack([layer.penalty(scaling) for layer in self.layers]).sum()

    def infeasibility(self) -> jax.Array:
        """Return the sum of `KANLayer.infeasibility` over the layers, to add to the loss."""
        return jnp.stack([layer.infeasibility() for layer in self.layers]).sum()

    def refine(self, num_control_points: int) -> Self:
        """Return the same functions on another number of control points, see `KANLayer.refine`."""
        return self._rebuild(lambda layer: layer.refine(num_control_points))

    def change_grid(self, change: GridChange) -> Self:
        """Return the same functions on another grid, see `KANLayer.change_grid`."""
        return self._rebuild(lambda layer: layer.change_grid(change))

    def widen(self, intervals: int) -> Self:
        """Return the same functions on wider domains, see `KANLayer.widen`."""
        return self._rebuild(lambda layer: layer.widen(intervals))

    def fit_domain(self, data: Data, *, coverage: float = 0.99, keep: str = "spacing") -> Self:
        """Return the same functions with the domain of each layer fitted to what reaches it.

        One pass over the data, in which nothing is dropped. See `KANLayer.fit_domain`.

        Args:
            data: Inputs (..., widths[0]) of the network, or an iterable of batches of them.
            coverage: Share of the inputs of every feature to have in the domain, in (0, 1].
            keep: `"spacing"` or `"num_control_points"`.
        """
        where = "KAN.fit_domain"
        share = validate.coverage(where, coverage)
        validate.choice(where, "keep", keep, domain.KEEP)
        magnitudes = [domain.Magnitudes(layer.in_features) for layer in self.layers]
        record_layer_inputs(where, self, data, [counts.add for counts in magnitudes])
        reaches = iter([counts.reach(where, share) for counts in magnitudes])
        return self._rebuild(
            lambda layer: layer.of(
                *resampling.fit_domain(where, layer.theta, layer.config, next(reaches), keep)
            )
        )

    def reparameterize(self, parameterization: str, **options: Any) -> Self:
        """Return the same functions in other coordinates, see `KANLayer.reparameterize`."""
        return self._rebuild(lambda layer: layer.reparameterize(parameterization, **options))

    def plot(self, data: Any = None, **options: Any) -> Any:
        """Draw the network as a diagram, as `kanditioned.plot.plot_network` says.

        Returns:
            A matplotlib `Figure`; no window is opened.

        Raises:
            ImportError: The main package is not installed: `pip install "kanditioned[plot]"`.
        """
        plot = validate.import_optional("KAN.plot()", "kanditioned.plot", "kanditioned[plot]")
        return plot.plot_network(self, data, **options)

    def save(self, path: Path) -> None:
        """Write the network to a file that every backend reads, whole or not at all."""
        layers = [to_file(layer.theta, layer.config) for layer in self.layers]
        residuals = [np.asarray(matrix).T for matrix in self.residuals]
        numbers = None if self.input_map is None else self.input_map.numbers
        stored = checkpoint.Network(layers, self.norm, self.dropout, residuals, input_map=numbers)
        checkpoint.write_network(path, stored)

    @classmethod
    def load(
        cls,
        path: Path,
        impl: str = "auto",
        *,
        precision: str | None = None,
        max_build_bytes: int = checkpoint.MAX_BUILD_BYTES,
    ) -> Self:
        """Read a network that any backend has written, bit for bit, see `KANLayer.load`.

        Raises:
            CheckpointError: The file is damaged or newer, or its network has batch normalisation.
            ValueError: It holds float64, and JAX is not set to keep that.
        """
        where = f"{cls.__name__}.load"
        check_evaluation(where, impl, precision)
        network = checkpoint.read_network(path, where, max_build_bytes=max_build_bytes)
        if network.norm not in NORMS:
            raise refuse(where, 'with the norm "layer" or "none"', f'"{network.norm}"')
        layers = [
            KANLayer.of(*from_file(where, path, layer, impl, precision)) for layer in network.layers
        ]
        residuals = [array_from_file(where, matrix).T for matrix in network.residuals]
        width, dtype = layers[0].in_features, layers[0].theta.dtype
        before = make_input_map(where, network.input_map, width, dtype)
        return cls.of(layers, residuals, network.norm, network.dropout, before)

    def _rebuild(self, change: Callable[[KANLayer], KANLayer]) -> Self:
        layers = [*map(change, self.layers)]
        return self.of(layers, self.residuals, self.norm, self.dropout, self.input_map)

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


def split_key(where: str, key: jax.Array | int | None, count: int) -> Sequence[jax.Array | None]:
    """Return as many keys from one, or as many times None."""
    source = random_key(where, key)
    return [None] * count if source is None else list(jax.random.split(source, count))


def _drop(x: jax.Array, probability: float, key: jax.Array | None) -> jax.Array:
    if key is None:
        return x
    kept = jax.random.bernoulli(key, 1 - probability, x.shape)
    return jnp.where(kept, x / (1 - probability), 0)
