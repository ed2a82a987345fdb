"""What the base adapters have in common: what is declared, and what is refused."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from typing import Any

from kanditioned_spec import SPEC_VERSION, BackendInfo, Problem

Supports = Callable[[Problem], bool | str]


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


def takes_all(problem: Problem) -> bool | str:
    """Take every problem."""
    return True
