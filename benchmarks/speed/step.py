"""One timed call, the same for every framework."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass
class Step:
    """A layer that is ready to be timed.

    Attributes:
        layer: The layer.
        inputs: Makes fresh random arguments of `run` from a seed.
        run: Computes y, or y and the gradients by the input and every parameter.
        synchronize: Waits until everything is computed; takes what `run` returned.
        arrays: Maps arguments, or what `run` returned, to float64 arrays, y first.
    """

    layer: Any
    inputs: Callable[[int], tuple[Any, ...]]
    run: Callable[..., Any]
    synchronize: Callable[[Any], Any]
    arrays: Callable[[Any], list[npt.NDArray[np.float64]]]
