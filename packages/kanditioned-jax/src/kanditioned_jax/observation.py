"""What the layers of a network are given: passes over data, of any size, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from kanditioned_spec import validate

if TYPE_CHECKING:
    from .kan import KAN

Data = Any
"""Inputs (..., I), or an iterable of batches of them: arrays, or tuples with the inputs first."""

_ROWS = 8192
"""An array is cut into batches of this many rows, so that temporaries stay small."""


def batches(where: str, data: Data, in_features: int) -> Iterator[jax.Array]:
    """Iterate over `data` as matrices (B, I).

    Raises:
        TypeError: A batch does not hold floating numbers.
        ValueError: A batch has another number of features.
    """
    if isinstance(data, (jax.Array, np.ndarray)):
        validate.last_dimension(where, "data", data.shape, in_features)
        rows = data.reshape(-1, in_features)
        data = (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))
    for batch in data:
        x = jnp.asarray(batch[0] if isinstance(batch, (tuple, list)) else batch)
        validate.floating(where, "data", jnp.issubdtype(x.dtype, jnp.floating), x.dtype)
        validate.last_dimension(where, "data", x.shape, in_features)
        yield x.reshape(-1, in_features)


def observe(
    where: str, network: KAN, data: Data, watchers: Iterable[Callable[[jax.Array], None]]
) -> None:
    """Run a network over data and show each watcher the inputs (B, I) of its layer, in order."""
    watching = list(watchers)
    for x in batches(where, data, network.layers[0].in_features):
        for watch, given in zip(watching, network.run(x)[1], strict=True):
            watch(given)
