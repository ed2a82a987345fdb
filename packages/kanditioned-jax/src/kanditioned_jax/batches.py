"""Passes over data of any size, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from kanditioned_spec import validate

from .arguments import Kept, keep_array

Data = Any
"""Inputs (..., I), or an iterable of batches of them: arrays, or tuples with the inputs first."""

_ROWS = 8192
"""An array is cut into batches of this many rows, so that temporaries stay small."""


def batches(where: str, data: Data, in_features: int) -> Iterator[Kept]:
    """Iterate over `data` as matrices (B, I).

    Raises:
        TypeError: It is neither an array nor an iterable of arrays, of floating numbers.
        ValueError: A batch has another number of features.
    """
    if isinstance(data, (jax.Array, np.ndarray)):
        validate.last_dimension(where, "data", data.shape, in_features)
        rows = data.reshape(-1, in_features)
        data = (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))
    if not isinstance(data, Iterable):
        remedy = "Batches are arrays (..., in_features), or tuples with the inputs first."
        got = type(data).__name__
        raise TypeError(validate.message(where, "data", "an array or batches of them", got, remedy))
    for batch in data:
        x = keep_array(where, "data", batch[0] if isinstance(batch, (tuple, list)) else batch)
        validate.last_dimension(where, "data", x.shape, in_features)
        yield x.reshape(-1, in_features)


class Stack(Protocol):
    """Layers one after the other: a network, for what stands below it."""

    @property
    def layers(self) -> Sequence[Any]:
        """The layers, each with `in_features`."""

    def layer_inputs(self, x: Kept) -> Sequence[jax.Array]:
        """Return what reaches every layer when `x` reaches the first."""


def record_layer_inputs(
    where: str, network: Stack, data: Data, callbacks: Iterable[Callable[[jax.Array], None]]
) -> None:
    """Run a network over data and show each callback the inputs (B, I) of its layer, in order.

    Nothing is dropped.
    """
    each = list(callbacks)
    for x in batches(where, data, network.layers[0].in_features):
        for callback, inputs in zip(each, network.layer_inputs(x), strict=True):
            callback(inputs)
