"""The three contractions on tensors: which kernel, which tiles, which memory.

Shapes as in `kanditioned_torch.impls.base`: x and direction (B, I), control points (I, K, O),
grad_y (B, O), any strides. Besides its result a call allocates at most the partial sums of
`_Shares`, and for the bucketed gradient one int32 per number in x and two per knot of a feature.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from kanditioned_torch.precision import compute_dtype

from . import arithmetic, configs, device, kernels
from .arithmetic import Arithmetic
from .configs import Config
from .device import Device

SHARE_BYTES = 8 * 2**20
"""Partial sums are kept below this size."""
SUM_BLOCK = 1024
NARROW = 16


class _Shares(NamedTuple):
    """A sum divided among `number` programs that take `each` terms."""

    number: int
    each: int


def interpolate(
    x: Tensor,
    direction: Tensor | None,
    control_points: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    """Return Σ_i s(x), or with a direction v the derivative Σ_i v s'(x), (B, O)."""
    gpu = device.of(x)
    batch, (in_features, count, out_features) = x.shape[0], control_points.shape
    y = x.new_empty(batch, out_features, dtype=dtype)
    if batch == 0:
        return y
    compute = compute_dtype(*_dtypes(x, direction, control_points))
    how = arithmetic.of_weights(
        _name(control_points.dtype),
        precision,
        compute=_name(compute),
        has_direction=direction is not None,
        is_hip=gpu.is_hip,
    )
    groups = _groups(count)
    is_dense = _is_dense(gpu, "dense_interpolate", how, count, batch)
    kernel = "dense_interpolate" if is_dense else "lookup_interpolate"
    config = configs.config(gpu.family, kernel, how.bits)
    config = configs.fitted(config, batch, in_features * groups, out_features)
    tiles = _ceil_div(batch, config.block_b) * _ceil_div(out_features, config.block_o)
    part_bytes = batch * out_features * compute.itemsize
    shares = _shared(tiles, in_features, max(1, 32 // groups), part_bytes, gpu)
    target = y if shares.number == 1 else y.new_empty(shares.number, *y.shape, dtype=compute)
    arguments: tuple[Any, ...] = (
        x,
        direction,
        control_points,
        target,
        batch,
        in_features,
        count,
        out_features,
        shares.each,
        *x.stride(),
        *_strides(direction),
        *control_points.stride(),
        spline_width,
        direction is not None,
    )
    grid = (tiles, shares.number)
    with device.guard(x):
        if is_dense:
            kernels.dense_interpolate[grid](
                *arguments, **how.constants(), **_dense(config, groups), **_schedule(config)
            )
        else:
            kernels.lookup_interpolate[grid](
                *arguments,
                how.constants()["COMPUTE"],
                config.block_b,
                config.block_o,
                **_schedule(config),
            )
        _sum(target, y, shares)
    return y


def contract(
    x: Tensor,
    control_points: Tensor,
    grad_y: Tensor,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    """Return Σ_o gy s'(x), the gradient by x, (B, I)."""
    gpu = device.of(x)
    batch, (in_features, count, out_features) = x.shape[0], control_points.shape
    gx = x.new_empty(batch, in_features, dtype=dtype)
    if batch == 0:
        return gx
    how = arithmetic.of_products(
        _name(control_points.dtype),
        _name(grad_y.dtype),
        precision,
        compute=_name(compute_dtype(*_dtypes(x, control_points, grad_y))),
        is_hip=gpu.is_hip,
    )
    groups = _groups(count)
    is_dense = _is_dense(gpu, "dense_contract", how, count, batch)
    kernel = "dense_contract" if is_dense else "lookup_contract"
    config = configs.config(gpu.family, kernel, how.bits)
    arguments: tuple[Any, ...] = (
        x,
        control_points,
        grad_y,
        gx,
        batch,
        in_features,
        count,
        out_features,
        *x.stride(),
        *control_points.stride(),
        *grad_y.stride(),
        spline_width,
    )
    with device.guard(x):
        if is_dense:
            config = configs.fitted(config, batch, in_features * groups, out_features)
            feature_groups = min(config.block_g, groups & -groups)
            features = config.block_g // feature_groups
            grid = (_ceil_div(batch, config.block_b) * _ceil_div(in_features, features),)
            constants = how.constants()
            del constants["PARTS"]
            kernels.dense_contract[grid](
                *arguments,
                **constants,
                INTERPRETED=device.INTERPRETED,
                FEATURE_GROUPS=feature_groups,
                BLOCK_B=config.block_b,
                BLOCK_G=config.block_g,
                BLOCK_O=config.block_o,
                **_schedule(config),
            )
        else:
            config = configs.fitted(config, batch, in_features, out_features)
            grid = (_ceil_div(batch, config.block_b) * _ceil_div(in_features, config.block_g),)
            kernels.lookup_contract[grid](
                *arguments,
                how.constants()["COMPUTE"],
                config.block_b,
                config.block_g,
                config.block_o,
                **_schedule(config),
            )
    return gx


def accumulate(
    x: Tensor,
    direction: Tensor | None,
    grad_y: Tensor,
    num_control_points: int,
    spline_width: float,
    dtype: torch.dtype,
    precision: str,
) -> Tensor:
    """Return the gradient by the control points (I, K, O), or its derivative along v."""
    gpu = device.of(x)
    (batch, in_features), out_features = x.shape, grad_y.shape[1]
    shape = (in_features, num_control_points, out_features)
    if batch == 0:
        return x.new_zeros(shape, dtype=dtype)
    compute = compute_dtype(*_dtypes(x, direction, grad_y))
    how = arithmetic.of_weights(
        _name(grad_y.dtype),
        precision,
        compute=_name(compute),
        has_direction=direction is not None,
        is_hip=gpu.is_hip,
    )
    groups = _groups(num_control_points)
    is_bucketed = num_control_points > configs.dense_up_to(gpu.family, "accumulate", how.bits)
    kernel = "bucketed_accumulate" if is_bucketed else "accumulate"
    config = configs.config(gpu.family, kernel, how.bits)
    owned = groups if is_bucketed else in_features * groups
    config = configs.fitted(config, batch, owned, out_features)
    tiles = _ceil_div(owned, config.block_g) * _ceil_div(out_features, config.block_o)
    gc = x.new_empty(shape, dtype=dtype)
    shares, order, starts = _Shares(1, batch), None, None
    with device.guard(x):
        if is_bucketed:
            tiles *= in_features
            order, starts = _bucketed(x, num_control_points, spline_width, compute, gpu)
        else:
            part_bytes = gc.numel() * compute.itemsize
            shares = _shared(tiles, batch, 4 * config.block_b, part_bytes, gpu)
        target = gc if shares.number == 1 else gc.new_empty(shares.number, *shape, dtype=compute)
        kernels.accumulate[tiles, shares.number](
            x,
            direction,
            grad_y,
            order,
            starts,
            target,
            batch,
            in_features,
            num_control_points,
            out_features,
            shares.each,
            *x.stride(),
            *_strides(direction),
            *grad_y.stride(),
            spline_width,
            direction is not None,
            is_bucketed,
            **how.constants(),
            **_dense(config, groups),
            **_schedule(config),
        )
        _sum(target, gc, shares)
    return gc


def _bucketed(
    x: Tensor, num_control_points: int, spline_width: float, compute: torch.dtype, gpu: Device
) -> tuple[Tensor, Tensor]:
    """Return the samples of each feature by interval (I, B), and where intervals start (I, K+1)."""
    batch, in_features = x.shape
    order = x.new_empty(in_features, batch, dtype=torch.int32)
    starts = x.new_empty(in_features, num_control_points + 1, dtype=torch.int32)
    scratch = x.new_zeros(in_features, num_control_points, dtype=torch.int32)
    how = Arithmetic(_name(compute), _name(compute))
    config = configs.config(gpu.family, "bucket", how.bits)
    kernels.bucket[(in_features,)](
        x,
        order,
        starts,
        scratch,
        batch,
        num_control_points,
        *x.stride(),
        spline_width,
        how.constants()["COMPUTE"],
        config.block_b,
        config.block_o,
        num_warps=config.num_warps,
        num_stages=1,  # its loops read what the turn before has written
    )
    return order, starts


def _is_dense(gpu: Device, kernel: str, how: Arithmetic, count: int, batch: int) -> bool:
    """Whether the matrix product is taken: not for batches that fill no tile of it."""
    smallest = 1 if device.INTERPRETED else configs.SMALLEST
    return batch >= smallest and count <= configs.dense_up_to(gpu.family, kernel, how.bits)


def _shared(tiles: int, length: int, smallest: int, size: int, gpu: Device) -> _Shares:
    """Divide a sum so that `tiles` keep every multiprocessor busy.

    Args:
        tiles: Programs without division.
        length: Terms of the sum.
        smallest: Terms that are worth a program.
        size: Bytes of one partial sum.
        gpu: The device.
    """
    number = min(
        _ceil_div(gpu.units, tiles),
        _ceil_div(length, smallest),
        max(1, SHARE_BYTES // size),
    )
    each = _ceil_div(length, number)
    return _Shares(_ceil_div(length, each), each)


def _sum(parts: Tensor, total: Tensor, shares: _Shares) -> None:
    """Add partial sums in their order, if there are several."""
    if shares.number > 1:
        size = total.numel()
        grid = (_ceil_div(size, SUM_BLOCK),)
        kernels.sum_shares[grid](parts, total, size, shares.number, SUM_BLOCK)


def _dense(config: Config, groups: int) -> dict[str, int]:
    return {
        "INTERPRETED": device.INTERPRETED,
        "FEATURE_GROUPS": groups,
        "BLOCK_B": config.block_b,
        "BLOCK_G": config.block_g,
        "BLOCK_O": config.block_o,
        "NARROW": min(NARROW, config.block_o),
    }


def _schedule(config: Config) -> dict[str, int]:
    return {"num_warps": config.num_warps, "num_stages": config.num_stages}


def _groups(num_control_points: int) -> int:
    return _ceil_div(num_control_points, kernels.GROUP)


def _ceil_div(length: int, step: int) -> int:
    """As `triton.cdiv`, whose calls from Python cost 5 µs (Triton 3.7.1, Zen 4, 2026-11)."""
    return -(-length // step)


def _strides(direction: Tensor | None) -> tuple[int, ...]:
    return (0, 0) if direction is None else direction.stride()


def _dtypes(*tensors: Tensor | None) -> list[torch.dtype]:
    return [tensor.dtype for tensor in tensors if tensor is not None]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
