"""What stands on the axis of an input: the layer's own units, or those before its input map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kanditioned_spec import InputMap, validate

from .curves import Array


class Units(NamedTuple):
    """From the layer's inputs of one feature to what stands on its axis.

    Attributes:
        on_axis: Increasing or decreasing.
        kinks: The layer's inputs at which it bends.
    """

    on_axis: Callable[[Array], Array]
    kinks: Array

    @classmethod
    def affine(cls, offset: float, scale: float) -> Units:
        """Return offset + scale · z."""
        return cls(lambda z: np.asarray(offset + scale * z), np.empty(0))

    @classmethod
    def before(cls, input_map: InputMap, feature: int) -> Units:
        """Return the input units of a map's feature."""
        points, images = input_map.breakpoints[[feature]], input_map.images[[feature]]
        one = InputMap(points, images)
        return cls(lambda z: one.inverse(z[:, None])[:, 0], images[0])


def input_map_of(where: str, given: Any, in_features: int) -> InputMap | None:
    """Return the numbers of an input map of the spec, of PyTorch or of JAX, if there is one.

    Raises:
        TypeError: It is none.
        ValueError: It has another number of features.
    """
    if given is None:
        return None
    numbers: Any = None if isinstance(given, type) else getattr(given, "numbers", given)
    if not isinstance(numbers, InputMap) and numbers is not given and callable(numbers):
        numbers = numbers()  # a method in PyTorch, a field in JAX
    remedy = "For example network.input_map."
    if not isinstance(numbers, InputMap):
        got = type(given).__name__
        raise TypeError(validate.message(where, "input_map", "an InputMap", got, remedy))
    if numbers.in_features != in_features:
        constraint, got = f"of {in_features} features", str(numbers.in_features)
        raise ValueError(validate.message(where, "input_map", constraint, got, remedy))
    return numbers
