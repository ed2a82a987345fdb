"""What the base adapters have in common: what is declared, and what is refused."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import SPEC_VERSION, BackendInfo, Problem

Supports = Callable[[Problem], bool | str]
Matrix = Callable[[Problem], npt.NDArray[np.float64]]
"""T (K, P) of parameters that are not control points, such as `np.tri(K)` of increments."""


def declare(
    name: str, packages: Iterable[str], dtypes: tuple[str, ...], **declared: Any
) -> BackendInfo:
    """Return the `BackendInfo` of an implementation that computes in float32 or wider.

    Args:
        name: Of the implementation.
        packages: The distributions whose versions are shown; one that is named twice, once.
        dtypes: The storage dtypes that it takes.
        **declared: Further fields of `BackendInfo`, such as `extrapolation`.
    """
    fields: dict[str, Any] = {
        "devices": ("cpu",),
        "parameterizations": ("bspline",),
        "accumulation": {d: "float64" if d == "float64" else "float32" for d in dtypes},
    }
    shown = dict.fromkeys((*packages, "numpy"))
    framework = ", ".join(f"{each} {importlib.metadata.version(each)}" for each in shown)
    return BackendInfo(name, framework, SPEC_VERSION, dtypes, **fields | declared)


def inverse(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what makes parameters of control points: the exact inverse, or that of least norm."""
    rows, columns = matrix.shape
    return np.asarray(np.linalg.inv(matrix) if rows == columns else np.linalg.pinv(matrix))


def takes_all(problem: Problem) -> bool | str:
    """Take every problem."""
    return True
