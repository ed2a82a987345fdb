"""Which edges matter, and smaller networks that compute nearly the same.

An edge that hardly varies is replaced by a constant, not by zero, so that the error is no more
than what it varied by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.typing import ArrayLike

from kanditioned_spec import validate
from kanditioned_spec.edges import Moments, Spread
from kanditioned_spec.grid import Array

from .arguments import keep_array
from .batches import Data, batches, record_layer_inputs
from .grid import compute_dtype
from .layer import KANLayer
from .network import KAN
from .parameterizations import parameters_from

Kept = npt.NDArray[np.bool_]


class Pruned(NamedTuple):
    """A pruned network, and what is known of it.

    Attributes:
        network: The smaller network.
        edges: For each layer which edges are left, shape (I, O), in the numbering before.
        error: Largest |y' - y| over the inputs that it was measured on.
    """

    network: KAN
    edges: list[Kept]
    error: float


@overload
def importance(model: KANLayer, data: Data | None = None) -> Array: ...


@overload
def importance(model: KAN, data: Data | None = None) -> list[Array]: ...


def importance(model: KANLayer | KAN, data: Data | None = None) -> Array | list[Array]:
    """Return how much each edge contributes: the standard deviation of its output.

    Args:
        model: A layer or a network.
        data: Inputs (..., I) of the model, or an iterable of batches of them; each layer of a
            network is judged by what reaches it. By default inputs are spread evenly over the
            domain of each layer.

    Returns:
        Shape (I, O) in float64 for a layer, a list of them for a network.

    Raises:
        TypeError: The data are not floating numbers.
        ValueError: There are none, or they have another number of features.

    Numerics:
        Evaluated in float64 from the moments of the inputs, extrapolation included. NaN in a
        feature makes its edges NaN.

    Example:
        >>> from kanditioned_jax import KANLayer
        >>> importance(KANLayer(1, 1, "identity", spline_width=2.0)).round(3).tolist()
        [[0.577]]
    """
    _check(model)
    layers = [model] if isinstance(model, KANLayer) else list(model.layers)
    scores = [spread.std for spread in _spreads("importance", model, layers, data)]
    return scores[0] if isinstance(model, KANLayer) else scores


def prune(network: KAN, x: ArrayLike, tolerance: float) -> Pruned:
    """Return a smaller network whose outputs at `x` differ by `tolerance` at most.

    Edges whose outputs vary least become constants, as many as the tolerance allows. Hidden
    features that no edge, residual matrix or normalisation uses any more are removed, and the
    layers get smaller: with `norm="layer"` there are none, since each takes part in the mean and
    the variance. Constants are not frozen, so training on moves them.

    Args:
        network: The network, which is not changed.
        x: Inputs (..., widths[0]) that stand for all that will come, for example the validation
            set. The statement holds for these.
        tolerance: Largest |y' - y|, in units of the outputs, >= 0.

    Raises:
        TypeError: `network` is no network, or `x` no floating array.
        ValueError: There are no inputs, or the tolerance is negative.

    Example:
        >>> import jax.numpy as jnp
        >>> from kanditioned_jax import KAN
        >>> x = jnp.linspace(-1.0, 1.0, 20).reshape(10, 2)
        >>> network = KAN([2, 3, 1], norm="none", init="zero")
        >>> [layer.theta.shape for layer in prune(network, x, 0.0).network.layers]
        [(2, 32, 1), (1, 32, 1)]
    """
    where = "prune"
    _check(network, where, "network", KAN)
    bound = validate.tolerance(where, tolerance)
    inputs = keep_array(where, "x", x)
    layers = list(network.layers)
    validate.last_dimension(where, "x", inputs.shape, layers[0].in_features)
    spreads = _spreads(where, network, layers, inputs)
    ranks, want = _ranks(spreads), network(inputs)
    points = [layer.control_points() for layer in layers]

    def flatten(count: int) -> tuple[list[jax.Array], list[Kept]]:
        """Make the `count` edges of least rank constant."""
        left = [rank >= count for rank in ranks]
        parts = zip(left, points, spreads, strict=True)
        return [jnp.where(k[:, None], c, _like(s.mean, c)[:, None]) for k, c, s in parts], left

    def error(changed: KAN) -> float:
        return float(jnp.abs(changed(inputs) - want).max())

    fits, fails = 0, 1 + sum(rank.size for rank in ranks)
    while fails - fits > 1:  # at the size of the network, so that it is compiled once
        middle = (fits + fails) // 2
        within = error(_rebuild(network, flatten(middle)[0], network.residuals)) <= bound
        fits, fails = (middle, fails) if within else (fits, middle)
    for count in range(fits, 0, -1):  # but for rounding, the first
        smaller, left = _remove_idle_nodes(network, *flatten(count))
        if (found := error(smaller)) <= bound:
            return Pruned(smaller, left, found)
    return Pruned(network, [rank >= 0 for rank in ranks], 0.0)


def _spreads(
    where: str, model: KANLayer | KAN, layers: Sequence[KANLayer], data: Data | None
) -> list[Spread]:
    """Return mean and standard deviation of every edge, over what reaches each layer."""
    start = Moments.uniform if data is None else Moments
    each = [start(layer.in_features, layer.grid) for layer in layers]
    if data is not None and isinstance(model, KAN):
        record_layer_inputs(where, model, data, [moments.add for moments in each])
    elif data is not None:
        for x in batches(where, data, layers[0].in_features):
            each[0].add(x)
    if not all(moments.sums[0].any() for moments in each):
        argument = "x" if where == "prune" else "data"
        remedy = "Pass inputs as the model will see them."
        raise ValueError(validate.message(where, argument, "at least one input", "none", remedy))
    pairs = zip(each, layers, strict=True)
    return [moments.spread(layer.control_points()) for moments, layer in pairs]


def _ranks(spreads: Sequence[Spread]) -> list[npt.NDArray[np.int64]]:
    """Rank all edges by their spread, relative to the spread of their layer's outputs."""
    totals = [np.sqrt((std**2).sum(0).mean()) for _, std in spreads]
    scores = [
        std / total if total else std for (_, std), total in zip(spreads, totals, strict=True)
    ]
    flat = np.concatenate([score.ravel() for score in scores])
    ranks = flat.argsort(kind="stable").argsort(kind="stable")
    ends = np.cumsum([score.size for score in scores])[:-1]
    parts = np.split(ranks, ends)
    return [part.reshape(score.shape) for part, score in zip(parts, scores, strict=True)]


def _remove_idle_nodes(
    network: KAN, points: list[jax.Array], left: list[Kept]
) -> tuple[KAN, list[Kept]]:
    """Build the network of these control points without the hidden features that nothing uses."""
    widths = [len(points[0]), *(c.shape[2] for c in points)]
    keep = [np.ones(width, bool) for width in widths]
    for index in reversed(range(1, len(points))):  # a node that feeds idle ones alone is idle
        keep[index] = _find_used(network, index, left[index], keep[index + 1])
        first, idle = int(keep[index].nonzero()[0][0]), np.flatnonzero(~keep[index])
        points[index] = points[index].at[first].add(points[index][idle].sum(0))
        left[index - 1] = left[index - 1] & keep[index]
    ends = list(pairwise(keep))
    cut = [c[i][:, :, o] for c, (i, o) in zip(points, ends, strict=True)]
    matrices = zip(network.residuals, ends, strict=False)
    smaller = _rebuild(network, cut, [w[i][:, o] for w, (i, o) in matrices], keep)
    return smaller, left


def _find_used(network: KAN, index: int, left: Kept, outputs: Kept) -> Kept:
    """Return which inputs of a layer are used: by edges, residuals, or the normalisation."""
    if network.norm == "layer":
        return np.ones(len(left), bool)
    used: Kept = np.array(left.any(1))
    if network.residuals:
        used |= (np.asarray(network.residuals[index])[:, outputs] != 0).any(1)
    used[0] |= not used.any()
    return used


def _rebuild(
    network: KAN,
    points: Sequence[jax.Array],
    residuals: Sequence[jax.Array],
    keep: Sequence[Kept] | None = None,
) -> KAN:
    """Return the network of other control points and residual matrices, for some features."""
    layers = []
    for index, (layer, c) in enumerate(zip(network.layers, points, strict=True)):
        config = layer.config
        if config.shapes and keep is not None:
            shapes = config.shapes.select(np.flatnonzero(keep[index]).tolist())
            config = replace(config, shapes=shapes or None)
        theta = parameters_from(config.spec, c.astype(compute_dtype(c.dtype)))
        layers.append(layer.of(theta.astype(layer.theta.dtype), config))
    return network.of(layers, residuals, network.norm, network.dropout, network.input_map)


def _like(values: Array, array: jax.Array) -> jax.Array:
    return jnp.asarray(values, array.dtype)


def _check(model: object, where: str = "importance", argument: str = "model", *kinds: type) -> None:
    if not isinstance(model, kinds or (KANLayer, KAN)):
        names = " or ".join(f"a {kind.__name__}" for kind in kinds or (KANLayer, KAN))
        remedy = "A module of Flax has `pure()`."
        got = type(model).__name__
        raise TypeError(validate.message(where, argument, names, got, remedy))
