"""How the arrays of a case lie in memory.

In `"swapped"` the first two axes are exchanged; `"padded"` has something after each row, and
`"reversed"` negative strides. In `"repeated"` all rows of a batch are one, of stride 0.
`"only_inputs"` and `"only_weights"` leave the other arrays contiguous. In `"one_gradient"` all of
grad_y is one number, as that of a sum is, and in `"one_function"` all edges have the same control
points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kanditioned_spec.protocol import NumpyArray

Layout = Literal[
    "contiguous",
    "fortran",
    "swapped",
    "stepped",
    "padded",
    "reversed",
    "repeated",
    "read_only",
    "only_inputs",
    "only_weights",
    "one_gradient",
    "one_function",
]

_PLAIN = "contiguous"
_OF_EACH: dict[Layout, tuple[str, ...]] = {
    "repeated": ("repeated", _PLAIN, "repeated", "repeated", _PLAIN),
    "only_inputs": ("fortran", _PLAIN, _PLAIN, _PLAIN, _PLAIN),
    "only_weights": (_PLAIN, "fortran", _PLAIN, _PLAIN, _PLAIN),
    "one_gradient": (_PLAIN, _PLAIN, "one number", _PLAIN, _PLAIN),
    "one_function": (_PLAIN, "one edge", _PLAIN, _PLAIN, _PLAIN),
}
"""Of each of `cases.Arrays`, where they differ."""


def laid_out(arrays: Sequence[NumpyArray], layout: Layout) -> list[NumpyArray]:
    """Return the numbers of contiguous arrays in another layout; some layouts repeat numbers.

    Args:
        arrays: Those of `cases.Arrays`, in its order.
        layout: Of all of them.
    """
    kinds = _OF_EACH.get(layout, (layout,) * len(arrays))
    return [_laid_out(array, kind) for array, kind in zip(arrays, kinds, strict=True)]


def _laid_out(array: NumpyArray, layout: str) -> NumpyArray:
    if layout == "fortran":
        return np.asfortranarray(array)
    if layout == "swapped":
        return np.ascontiguousarray(array.swapaxes(0, 1)).swapaxes(0, 1)
    if layout == "stepped":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if layout == "padded":
        return np.concatenate([array, array], axis=-1)[..., : array.shape[-1]]
    if layout == "reversed":
        return np.flip(np.ascontiguousarray(np.flip(array)))
    if layout == "read_only":
        array.flags.writeable = False
    strides = {
        "repeated": (0, *array.strides[1:]),
        "one number": (0,) * array.ndim,
        "one edge": (0, *array.strides[1:-1], 0),
    }.get(layout)
    return as_strided(array, array.shape, strides) if strides and array.size else array
