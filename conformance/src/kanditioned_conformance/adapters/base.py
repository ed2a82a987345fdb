"""What the base adapters have in common: what is declared, and what is refused."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any

import numpy as np

from kanditioned_spec import SPEC_VERSION, BackendInfo, Problem

Supports = Callable[[Problem], bool | str]


def declare(name: str, package: str, dtypes: tuple[str, ...], **declared: Any) -> BackendInfo:
    """Return the `BackendInfo` of an implementation that computes in float32 or wider.

    Args:
        name: Of the implementation.
        package: The distribution whose version is shown.
        dtypes: The storage dtypes that it takes.
        **declared: Further fields of `BackendInfo`, such as `extrapolation`.
    """
    fields: dict[str, Any] = {
        "devices": ("cpu",),
        "parameterizations": ("bspline",),
        "accumulation": {d: "float64" if d == "float64" else "float32" for d in dtypes},
    }
    version = importlib.metadata.version(package)
    framework = f"{package} {version}, numpy {np.__version__}"
    return BackendInfo(name, framework, SPEC_VERSION, dtypes, **fields | declared)


def takes_all(problem: Problem) -> bool | str:
    """Take every problem."""
    return True
