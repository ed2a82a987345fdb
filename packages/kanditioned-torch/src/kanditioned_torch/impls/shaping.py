"""Kernels of another package for feasible control points, as operators (see `native`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from kanditioned_spec import Shapes

from ..plain import dispatches, is_plain

FREE = "4"
"""The digit of a feature without a shape, see `signs_of`."""


class Shaping(NamedTuple):
    """Feasible control points, and the linear map that this is almost everywhere.

    Attributes:
        points: Of free points (I, K, O), float32 or float64, and the signs of their features as
            `signs_of` writes them, gives feasible ones and their marks, which tell that map.
        moved: Of marks, a tangent or a gradient (I, K, O), the signs, and whether it is a gradient,
            gives what that map or its transpose makes of it.
        most_control_points: K is at most this.
    """

    points: Callable[[Tensor, str], tuple[Tensor, Tensor]]
    moved: Callable[[Tensor, Tensor, str, bool], Tensor]
    most_control_points: int


def signs_of(shapes: Shapes) -> str:
    """Return shapes as a text, which operators take: a digit for each feature.

    0 is decreasing and concave, 4 is free, 8 increasing and convex: three times the monotone sign,
    plus the convex one, plus 4.
    """
    return "".join(str(3 * m + c + 4) for m, c in zip(*shapes, strict=True))


def shapes_of(signs: str) -> Shapes:
    """Return the shapes of such a text."""
    each = [int(digit) for digit in signs]
    return Shapes(tuple(n // 3 - 1 for n in each), tuple(n % 3 - 1 for n in each))


def define(library: torch.library.Library, namespace: str, key: str, kernels: Shaping) -> Shaping:
    """Define an operator for each kernel, and return functions that take the quickest way."""
    library.define(  # type: ignore[no-untyped-call]
        "shaped_points(Tensor control_points, str signs) -> (Tensor, Tensor)",
        tags=(torch.Tag.pt2_compliant_tag,),
    )
    library.define(  # type: ignore[no-untyped-call]
        "shaped_moved(Tensor marks, Tensor moved, str signs, bool transposed) -> Tensor",
        tags=(torch.Tag.pt2_compliant_tag,),
    )
    library.impl("shaped_points", kernels.points, key)  # type: ignore[no-untyped-call]
    library.impl("shaped_moved", kernels.moved, key)  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"{namespace}::shaped_points", _fake_points, lib=library)
    torch.library.register_fake(f"{namespace}::shaped_moved", _fake_moved, lib=library)
    defined = getattr(torch.ops, namespace)
    points, moved = defined.shaped_points.default, defined.shaped_moved.default
    if key != "CPU":
        return kernels._replace(points=points, moved=moved)

    def straight_points(c: Tensor, signs: str) -> tuple[Tensor, Tensor]:
        call = kernels.points if is_plain(c) and not dispatches() else points
        return call(c, signs)

    def straight_moved(marks: Tensor, v: Tensor, signs: str, transposed: bool) -> Tensor:
        plain = is_plain(marks) and is_plain(v) and not dispatches()
        call = kernels.moved if plain else moved
        return call(marks, v, signs, transposed)

    return kernels._replace(points=straight_points, moved=straight_moved)


def _fake_points(c: Tensor, signs: str) -> tuple[Tensor, Tensor]:
    marked = len(signs) - signs.count(FREE)
    return c.new_empty(c.shape), c.new_empty((marked, *c.shape[1:]), dtype=torch.uint8)


def _fake_moved(marks: Tensor, moved: Tensor, signs: str, transposed: bool) -> Tensor:
    return moved.new_empty(moved.shape)
