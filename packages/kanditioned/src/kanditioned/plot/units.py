"""What stands on the axis of an input: the layer's own units, or those before its input map."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kanditioned_spec import InputMap

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
