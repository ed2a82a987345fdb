"""The kernels as PyTorch operators, and the implementation `impl="triton"` made of them.

The operators are opaque to torch.compile, which takes their results' shapes and dtypes from the
functions registered as fakes. They have no derivatives of their own: those are the same three
operators again, and `kanditioned_torch.autograd` says which. They are defined with
`torch.library.Library`, whose calls cost 4 µs where those of `torch.library.custom_op` cost 13 to
17 (torch 2.13 and 2.11, Zen 4, 2026-11).

`torch.library.triton_op` would show the kernels to the compiler, and traces them; but it records
the plan of one batch size, tiles and shares of a sum, so that an export with a dynamic batch fails
(torch 2.11), and it takes no kernel that the interpreter runs. Opaque operators plan at every call.
A package of AOTInductor calls them through Python, where this module must have been imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kanditioned_torch.impls import Impl

from . import launch


def _fake_interpolate(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    return x.new_empty(x.shape[0], control_points.shape[2], dtype=dtype)


def _fake_contract(
    x: Tensor,
    control_points: Tensor,
    grad_y: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    return x.new_empty(x.shape, dtype=dtype)


def _fake_accumulate(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    return x.new_empty(x.shape[1], num_control_points, grad_y.shape[1], dtype=dtype)


def _defined(schema: str, fake: Callable[..., Tensor]) -> Any:
    """Define an operator for every device, since `launch` says where it cannot run."""
    name = _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]

    def kernel(*arguments: Any) -> Tensor:  # `launch` may be what is importing this module
        result: Tensor = getattr(launch, name)(*arguments)
        return result

    _LIBRARY.impl(name, kernel, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"kanditioned_triton::{name}", fake, lib=_LIBRARY)
    return getattr(torch.ops.kanditioned_triton, name).default


_LIBRARY = torch.library.Library("kanditioned_triton", "DEF")  # type: ignore[no-untyped-call]

interpolate = _defined(
    "interpolate(Tensor x, Tensor? direction, Tensor control_points, float spline_width, "
    "ScalarType dtype, str precision) -> Tensor",
    _fake_interpolate,
)
contract = _defined(
    "contract(Tensor x, Tensor control_points, Tensor grad_y, float spline_width, "
    "ScalarType dtype, str precision) -> Tensor",
    _fake_contract,
)
accumulate = _defined(
    "accumulate(Tensor x, Tensor? direction, Tensor grad_y, SymInt num_control_points, "
    "float spline_width, ScalarType dtype, str precision) -> Tensor",
    _fake_accumulate,
)
impl = Impl(interpolate, contract, accumulate)
