"""Kernels of another package as operators, and the implementation made of them.

The operators are opaque to torch.compile, which takes their results' shapes and dtypes from the
functions registered as fakes. They have no derivatives of their own: those are the same operators
again, and `kanditioned_torch.derivatives` says which. They are made with `torch.library.Library`,
whose calls cost 4 µs where those of `torch.library.custom_op` cost 13 to 20 (torch 2.13 and 2.11,
Zen 4, 2026-11). An operator takes numbers and strings, so a configuration is taken apart for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..plain import dispatches, is_plain
from . import shaping as shaping_operators
from .base import Accumulate, Contract, Direct, Impl, Interpolate, SplineConfig, Vjp
from .shaping import Shaping


@dataclass(frozen=True)
class Native:
    """What the entry point of a package with kernels names.

    Attributes:
        impl: The implementation.
        device_type: The device kind for which `impl="auto"` may take it.
        shaping: What makes control points feasible there, whatever `impl` is.
    """

    impl: Impl
    device_type: str
    shaping: Shaping | None = None


class _Operator(NamedTuple):
    """What each contraction of `Impl` is as an operator.

    Attributes:
        schema: Its arguments and results.
        fake: Makes results without numbers, from its arguments.
        calling: Makes the contraction from the operator.
    """

    schema: str
    fake: Callable[..., Any]
    calling: Callable[[Any], Any]


def _interpolate(operator: Any) -> Interpolate:
    def call(
        x: Tensor, direction: Tensor | None, c: Tensor, config: SplineConfig, dtype: torch.dtype
    ) -> Tensor:
        y: Tensor = operator(x, direction, c, config.grid.spline_width, dtype, config.precision)
        return y

    return call


def _contract(operator: Any) -> Contract:
    def call(
        x: Tensor, c: Tensor, grad_y: Tensor, config: SplineConfig, dtype: torch.dtype
    ) -> Tensor:
        grad: Tensor = operator(x, c, grad_y, config.grid.spline_width, dtype, config.precision)
        return grad

    return call


def _accumulate(operator: Any) -> Accumulate:
    def call(
        x: Tensor,
        direction: Tensor | None,
        grad_y: Tensor,
        config: SplineConfig,
        dtype: torch.dtype,
    ) -> Tensor:
        grad: Tensor = operator(x, direction, grad_y, *config.grid, dtype, config.precision)
        return grad

    return call


def _vjp(operator: Any) -> Vjp:
    def call(x: Tensor, c: Tensor, grad_y: Tensor, config: SplineConfig) -> tuple[Tensor, Tensor]:
        both: tuple[Tensor, Tensor]
        both = operator(x, c, grad_y, config.grid.spline_width, config.precision)
        return both

    return call


_OPERATORS = {
    "interpolate": _Operator(
        "(Tensor x, Tensor? direction, Tensor control_points, float spline_width, "
        "ScalarType dtype, str precision) -> Tensor",
        lambda x, v, c, width, dtype, precision: x.new_empty(x.shape[0], c.shape[2], dtype=dtype),
        _interpolate,
    ),
    "contract": _Operator(
        "(Tensor x, Tensor control_points, Tensor grad_y, float spline_width, "
        "ScalarType dtype, str precision) -> Tensor",
        lambda x, c, gy, width, dtype, precision: x.new_empty(x.shape, dtype=dtype),
        _contract,
    ),
    "accumulate": _Operator(
        "(Tensor x, Tensor? direction, Tensor grad_y, SymInt num_control_points, "
        "float spline_width, ScalarType dtype, str precision) -> Tensor",
        lambda x, v, gy, count, width, dtype, precision: x.new_empty(
            x.shape[1], count, gy.shape[1], dtype=dtype
        ),
        _accumulate,
    ),
    "vjp": _Operator(
        "(Tensor x, Tensor control_points, Tensor grad_y, float spline_width, str precision) "
        "-> (Tensor, Tensor)",
        lambda x, c, gy, width, precision: (x.new_empty(x.shape), c.new_empty(c.shape)),
        _vjp,
    ),
}
_LIBRARIES: list[torch.library.Library] = []
"""Operators live as long as theirs."""


def define(
    namespace: str,
    key: str,
    device_type: str,
    kernels: Mapping[str, Callable[..., Any]],
    direct: Direct | None = None,
    shaping: Shaping | None = None,
) -> Native:
    """Define an operator for each kernel, and make an implementation of them.

    Args:
        namespace: Of the operators, the name of the package.
        key: The dispatch key: `"CPU"`, or `"CompositeExplicitAutograd"` for every device.
        device_type: See `Native`.
        kernels: By the names of the contractions of `Impl`, `"vjp"` or not; each takes what its
            schema lists.
        direct: See `Impl`.
        shaping: Kernels for feasible control points, if the package has some.
    """
    library = torch.library.Library(namespace, "DEF")  # type: ignore[no-untyped-call]
    _LIBRARIES.append(library)
    for name, kernel in kernels.items():
        schema, fake, _ = _OPERATORS[name]
        library.define(name + schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]
        library.impl(name, kernel, key)  # type: ignore[no-untyped-call]
        torch.library.register_fake(f"{namespace}::{name}", fake, lib=library)
    defined = getattr(torch.ops, namespace)
    impl: dict[str, Any] = {}
    for name, kernel in kernels.items():
        operator = getattr(defined, name).default
        call = _straight_to(kernel, operator) if key == "CPU" else operator
        impl[name] = _OPERATORS[name].calling(call)
    if shaping is not None:
        shaping = shaping_operators.define(library, namespace, key, shaping)
    return Native(Impl(**impl, direct=direct), device_type, shaping)


def _straight_to(kernel: Callable[..., Any], operator: Callable[..., Any]) -> Callable[..., Any]:
    """Return the operator, which goes straight to its kernel where that is all it would do."""

    def call(x: Tensor, other: Tensor | None, third: Tensor, *rest: Any) -> Any:
        plain = is_plain(x) and (other is None or is_plain(other)) and is_plain(third)
        function = kernel if plain and not dispatches() else operator
        return function(x, other, third, *rest)

    return call
