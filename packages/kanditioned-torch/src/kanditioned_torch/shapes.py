"""Monotone and convex edges: free control points become feasible (see `kanditioned_spec.shapes`).

A feasible point is a blend of two free ones. Which two is found without gradients; the blend itself
is a gather, which PyTorch differentiates in every mode and to any order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from kanditioned_spec import Shapes, validate
from kanditioned_spec.blends import SPARE_BITS

from .blends import keep_whole, native_points, native_signs
from .precision import without_autocast


def feasible(control_points: Tensor, shapes: Shapes) -> Tensor:
    """Return feasible control points of the shape (I, K, O) of the free ones.

    Raises:
        ValueError: The control points are a part of the features alone.

    Numerics:
        In the dtype of the control points, float32 or float64. Increments of convex edges are
        exactly in order, see `kanditioned_spec.shapes`. An edge that is not finite stays as it is.
    """
    _check_features("feasible", control_points, shapes)
    signs = native_signs(control_points, shapes)
    if signs is not None:
        if torch.compiler.is_compiling():
            keep_whole()
        return native_points(control_points, signs)
    with without_autocast(control_points.device.type):
        return _compose(control_points, shapes)


def _compose(control_points: Tensor, shapes: Shapes) -> Tensor:
    """Return the same by PyTorch's own operations."""
    convex = [i for i, sign in enumerate(shapes.convex) if sign]
    monotone = [i for i, sign in enumerate(shapes.monotone) if sign and not shapes.convex[i]]
    result = _replace(control_points, monotone, _monotone, shapes)
    return _replace(result, convex, _convex, shapes)


def infeasibility(control_points: Tensor, shapes: Shapes) -> Tensor:
    """Return Σ |c - c'|² / 2, a scalar, of the features that have a shape."""
    _check_features("infeasibility", control_points, shapes)
    free, shaped = control_points, shapes.features
    if len(shaped) < len(free):
        free = free.index_select(0, torch.tensor(shaped, dtype=torch.int64, device=free.device))
    return mse_loss(free, feasible(free, shapes.select(shaped)), reduction="sum") / 2


def _check_features(where: str, control_points: Tensor, shapes: Shapes) -> None:
    if len(control_points) != len(shapes.monotone):
        constraint = f"of all {len(shapes.monotone)} features"
        remedy = "Layers with shapes may be spread over processes by outputs, not by inputs."
        got = f"{len(control_points)} of them"
        raise ValueError(validate.message(where, "control_points", constraint, got, remedy))


def _replace(c: Tensor, features: Sequence[int], rule: object, shapes: Shapes) -> Tensor:
    """Apply a rule to some features."""
    if not features:
        return c
    assert callable(rule)
    monotone = _signs([shapes.monotone[i] for i in features], c)
    convex = _signs([shapes.convex[i] for i in features], c)
    every = len(features) == len(c)
    index = torch.tensor(features, device=c.device)
    free = c if every else c.index_select(0, index)
    points = rule(free, monotone, convex)
    return points if every else c.index_copy(0, index, points)


def _signs(signs: Sequence[int], c: Tensor) -> Tensor:
    return torch.tensor(signs, dtype=c.dtype, device=c.device)[:, None, None]


def _monotone(c: Tensor, sign: Tensor, _: Tensor) -> Tensor:
    rising = sign * c
    highest = rising.cummax(1).values
    lowest = rising.flip(1).cummin(1).values.flip(1)
    # The ends are the largest and the smallest of an edge, and NaN if one of it is.
    usable = (highest[:, -1:].isfinite() & lowest[:, :1].isfinite()).detach()
    return torch.where(usable, (highest + lowest) * (sign / 2), c)


def _convex(c: Tensor, monotone: Tensor, convex: Tensor) -> Tensor:
    usable = c.detach().isfinite().all(1, keepdim=True)
    finite = torch.where(usable, c, 0)
    direction = monotone * convex
    left, right = hull(convex * finite.detach(), direction)
    k = torch.arange(c.shape[1], device=c.device)[:, None]
    ratio = torch.where(left == right, 0, (k - left) / (right - left).clamp(min=1).to(c.dtype))
    points = (1 - ratio) * finite.gather(1, left) + ratio * finite.gather(1, right)
    points = points + (finite - points).mean(1, keepdim=True)
    exact = _in_exact_order(points.detach(), convex, direction)
    return torch.where(usable, exact + (points - points.detach()), c)


@torch.library.custom_op("kanditioned::hull", mutates_args=())
def hull(c: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Return the vertices of the lower hull at or around every point, two of shape (I, K, O).

    Args:
        c: Shape (I, K, O).
        direction: Shape (I, 1, 1). 1 cuts the hull off left of its lowest vertex, -1 right of it.
    """
    count = c.shape[1]
    k = torch.arange(count, device=c.device)[:, None].expand(c.shape)
    inner = (k > 0) & (k < count - 1)
    vertex = torch.ones_like(inner)
    allowed = 8 * torch.finfo(c.dtype).eps
    while True:
        left, right = _vertices_around(vertex, k)
        before = torch.cat([left[:, :1], left[:, :-1]], 1)
        after = torch.cat([right[:, 1:], right[:, -1:]], 1)
        a, b = c.gather(1, before), c.gather(1, after)
        chord = a + (k - before) / (after - before).clamp(min=1).to(c.dtype) * (b - a)
        above = vertex & inner & (c - chord > allowed * (a.abs() + b.abs() + c.abs()))
        if not above.any():
            break
        vertex &= ~above
    heights = torch.where(vertex, c, torch.inf)
    first = heights.argmin(1, keepdim=True)  # of the lowest, and the last of them
    last = count - 1 - heights.flip(1).argmin(1, keepdim=True)
    low = torch.where(direction < 0, last, first)
    beyond = (k - low) * direction < 0
    return torch.where(beyond, low, left), torch.where(beyond, low, right)


@hull.register_fake
def _(c: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    return c.new_empty(c.shape, dtype=torch.int64), c.new_empty(c.shape, dtype=torch.int64)


@hull.register_vmap
def _(info: object, in_dims: tuple[int | None, ...], c: Tensor, direction: Tensor) -> object:
    """Take what is mapped over for more features."""
    dims = [dim for dim in in_dims if dim is not None]
    size = (c, direction)[in_dims.index(dims[0])].shape[dims[0]]
    moved = (
        array.unsqueeze(0).expand(size, *array.shape) if dim is None else array.movedim(dim, 0)
        for array, dim in zip((c, direction), in_dims, strict=True)
    )
    flat = [array.reshape(-1, *array.shape[2:]) for array in moved]
    left, right = (index.unflatten(0, (size, -1)) for index in hull(*flat))
    return (left, right), (0, 0)


def _vertices_around(vertex: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest vertices at or before and at or after every point."""
    left = torch.where(vertex, k, 0).cummax(1).values
    last = k.shape[1] - 1
    right = torch.where(vertex, k, last).flip(1).cummin(1).values.flip(1)
    return left, right


def _in_exact_order(c: Tensor, convex: Tensor, direction: Tensor) -> Tensor:
    """Return points whose increments are in order exactly, as `blends.in_exact_order` does."""
    increments = convex * c.diff(dim=1)
    in_order = (increments.diff(dim=1) >= 0).all(1, keepdim=True)
    in_order &= (direction * increments >= 0).all(1, keepdim=True)
    limits = torch.finfo(c.dtype)
    largest = c.abs().amax(1, keepdim=True).clamp(min=limits.tiny)
    power = largest / torch.frexp(largest).mantissa  # of two, exactly
    g = (power * (limits.eps / 2 * 2**SPARE_BITS)).clamp(min=limits.tiny)
    steps = (increments / g).round().cummax(1).values
    steps = torch.where(direction == 0, steps, direction * (direction * steps).clamp(min=0))
    middle = c.shape[1] // 2
    risen = torch.cat([torch.zeros_like(c[:, :1]), (convex * steps).cumsum(1)], 1)
    at = slice(middle, middle + 1)
    return torch.where(in_order, c, g * ((c[:, at] / g).round() + risen - risen[:, at]))
