"""How much the edges of a layer or of a network matter (see `kanditioned_spec.edges`)."""

from __future__ import annotations

from typing import overload

from kanditioned_spec import validate
from kanditioned_spec.edges import Moments
from kanditioned_spec.grid import Array

from .batches import Data, batches, record_layer_inputs
from .layer import KANLayer
from .network import KAN


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
        ValueError: They have another number of features.

    Numerics:
        Evaluated in float64 from the moments of the inputs, extrapolation included. NaN in a
        feature makes its edges NaN.

    Example:
        >>> from kanditioned_jax import KANLayer
        >>> importance(KANLayer(1, 1, "identity", spline_width=2.0)).round(3).tolist()
        [[0.577]]
    """
    _check(model)
    start = Moments.uniform if data is None else Moments
    if isinstance(model, KANLayer):
        moments = start(model.in_features, model.grid)
        for x in [] if data is None else batches("importance", data, model.in_features):
            moments.add(x)
        return moments.spread(model.control_points()).std
    each = [start(layer.in_features, layer.grid) for layer in model.layers]
    if data is not None:
        record_layer_inputs("importance", model, data, [moments.add for moments in each])
    return [
        moments.spread(layer.control_points()).std
        for moments, layer in zip(each, model.layers, strict=True)
    ]


def _check(model: object) -> None:
    if not isinstance(model, (KANLayer, KAN)):
        constraint, remedy = "a KANLayer or a KAN", "A module of Flax has `pure()`."
        got = type(model).__name__
        raise TypeError(validate.message("importance", "model", constraint, got, remedy))
