"""Types of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Array = npt.NDArray[np.floating[Any]]
Objects = npt.NDArray[Any]
"""Of one table column: float64 with NaN, or objects for a category."""
