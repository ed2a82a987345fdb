"""Rounding to a storage dtype, in the NumPy dtype that holds it (bfloat16 in float32)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def is_rounded(values: npt.ArrayLike, dtype: str) -> npt.NDArray[np.bool_]:
    """Whether each number is one of a storage dtype, NaN included."""
    wide = np.asarray(values, dtype=np.float64)
    return np.asarray(np.isnan(wide) | (wide == round_to(wide, dtype)))


def round_to(values: npt.ArrayLike, dtype: str) -> Floats:
    """Round to the nearest number of a storage dtype, ties to even.

    Args:
        values: Any numbers.
        dtype: `"float64"`, `"float32"`, `"float16"` or `"bfloat16"`.

    Returns:
        The rounded numbers, in new memory; of bfloat16, which NumPy lacks, as float32.

    Numerics:
        What is too large becomes infinite; NaN, infinities and the sign of zero are kept. A number
        that is wider than float32 is rounded to float32 before it is rounded to bfloat16.
    """
    with np.errstate(over="ignore"):
        if dtype != "bfloat16":
            return np.array(values, dtype=dtype)
        single = np.array(values, dtype=np.float32)
    bits = single.view(np.uint32)
    to_even = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    kept = ((bits + to_even) & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(single), single, kept)
