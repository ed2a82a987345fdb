"""Kernels of another package as operators, and the implementation made of them.

The operators are opaque to torch.compile, which takes their results' shapes and dtypes from the
functions registered as fakes. They have no derivatives of their own: those are the same operators
again, and `kanditioned_torch.autograd` says which. They are defined with `torch.library.Library`,
whose calls cost 4 µs where those of `torch.library.custom_op` cost 13 to 20 (torch 2.13 and 2.11,
Zen 4, 2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .base import Impl


def _interpolate(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    return x.new_empty(x.shape[0], control_points.shape[2], dtype=dtype)


def _contract(
    x: Tensor,
    control_points: Tensor,
    grad_y: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    return x.new_empty(x.shape, dtype=dtype)


def _accumulate(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    return x.new_empty(x.shape[1], num_control_points, grad_y.shape[1], dtype=dtype)


def _vjp(
    x: Tensor, control_points: Tensor, grad_y: Tensor, spline_width: float, precision: str
) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), control_points.new_empty(control_points.shape)


_SCHEMAS: dict[str, tuple[str, Callable[..., Any]]] = {
    "interpolate": (
        "(Tensor x, Tensor? direction, Tensor control_points, float spline_width, "
        "ScalarType dtype, str precision) -> Tensor",
        _interpolate,
    ),
    "contract": (
        "(Tensor x, Tensor control_points, Tensor grad_y, float spline_width, "
        "ScalarType dtype, str precision) -> Tensor",
        _contract,
    ),
    "accumulate": (
        "(Tensor x, Tensor? direction, Tensor grad_y, SymInt num_control_points, "
        "float spline_width, ScalarType dtype, str precision) -> Tensor",
        _accumulate,
    ),
    "vjp": (
        "(Tensor x, Tensor control_points, Tensor grad_y, float spline_width, str precision) "
        "-> (Tensor, Tensor)",
        _vjp,
    ),
}
"""Signature and fake of each contraction of `Impl`."""
_LIBRARIES: list[torch.library.Library] = []
"""Operators live as long as theirs."""


def operators(namespace: str, key: str, kernels: Mapping[str, Callable[..., Any]]) -> Impl:
    """Define an operator for each kernel and return the implementation made of them.

    Args:
        namespace: Of the operators, the name of the package.
        key: The dispatch key: `"CPU"`, or `"CompositeExplicitAutograd"` for every device.
        kernels: By the names of the contractions of `Impl`, `"vjp"` or not, each with its
            arguments.
    """
    library = torch.library.Library(namespace, "DEF")  # type: ignore[no-untyped-call]
    _LIBRARIES.append(library)
    for name, kernel in kernels.items():
        schema, fake = _SCHEMAS[name]
        library.define(name + schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]
        library.impl(name, kernel, key)  # type: ignore[no-untyped-call]
        torch.library.register_fake(f"{namespace}::{name}", fake, lib=library)
    defined = getattr(torch.ops, namespace)
    return Impl(**{name: getattr(defined, name).default for name in kernels})
