"""The three contractions on tensors: which kernel, which tiles, which memory.

Shapes as in `kanditioned_torch.impls.base`: x and direction (B, I), control points (I, K, O),
grad_y (B, O), any strides. Besides its result a call allocates at most the partial sums of
`split_k`, and for the bucketed gradient one int32 per number in x and a few per tile of knots.
"""

from __future__ import annotations

import struct
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from kanditioned_torch.precision import compute_dtype

from . import arithmetic, configs, device, kernels
from .arithmetic import Arithmetic
from .buckets import sort_batch
from .configs import Config, ceil_div
from .device import Device
from .split_k import Split, reduce_partials, split_k

NARROW = 16


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
    if 0 in (batch, in_features, out_features):
        return y.zero_()
    compute = compute_dtype(*_dtypes(x, direction, control_points))
    how = arithmetic.of_weights(
        _name(control_points.dtype),
        precision,
        compute=_name(compute),
        has_direction=direction is not None,
    )
    groups = _groups(count)
    is_dense = _is_dense(gpu, "dense_interpolate", how, count, batch)
    kernel = "dense_interpolate" if is_dense else "lookup_interpolate"
    config = configs.config(gpu.family, kernel, how.precision)
    config = configs.fit(config, batch, in_features * groups, out_features)
    tiles = ceil_div(batch, config.block_b) * ceil_div(out_features, config.block_o)
    part_bytes = batch * out_features * compute.itemsize
    chunk = _chunk(config, in_features)
    features = config.block_g // chunk
    step = features if is_dense else 1
    split = split_k(tiles, in_features, max(1, 32 // groups), part_bytes, gpu, step)
    is_even = out_features % config.block_o == 0
    target = y if split.number == 1 else y.new_empty(split.number, *y.shape, dtype=compute)
    arguments: tuple[Any, ...] = (
        x,
        direction,
        control_points,
        target,
        batch,
        in_features,
        count,
        out_features,
        split.each,
        *x.stride(),
        *_strides(direction),
        *control_points.stride(),
        _bits(spline_width),
        direction is not None,
    )
    with device.guard(x):
        if is_dense:
            is_even = is_even and in_features % features == 0 and split.each % features == 0
            kernels.dense_interpolate[tiles, split.number](
                *arguments,
                **how.constants("WEIGHT", "VALUE"),
                IS_EVEN=is_even and count % (chunk * kernels.GROUP) == 0,
                **_dense(config, groups, chunk),
                NARROW=min(NARROW, config.block_o),
                **config.schedule(),
            )
        else:
            kernels.lookup_interpolate[tiles, split.number](
                *arguments,
                getattr(tl, _name(compute)),
                _offset_type(control_points),
                is_even,
                config.block_b,
                config.block_o,
                **config.schedule(),
            )
        reduce_partials(target, y, split)
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
    if 0 in (batch, in_features, out_features):
        return gx.zero_()
    compute = compute_dtype(*_dtypes(x, control_points, grad_y))
    how = arithmetic.of_products(
        _name(grad_y.dtype),
        _name(control_points.dtype),
        precision,
        compute=_name(compute),
        is_hip=gpu.is_hip,
    )
    groups = _groups(count)
    is_dense = _is_dense(gpu, "dense_contract", how, count, batch)
    kernel = "dense_contract" if is_dense else "lookup_contract"
    config = configs.config(gpu.family, kernel, how.precision)
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
        _bits(spline_width),
    )
    with device.guard(x):
        if is_dense:
            config = configs.fit(config, batch, in_features * groups, out_features)
            chunk = _chunk(config, in_features)
            features = config.block_g // chunk
            grid = (ceil_div(batch, config.block_b) * ceil_div(in_features, features),)
            is_even = out_features % config.block_o == 0 and in_features % features == 0
            kernels.dense_contract[grid](
                *arguments,
                **how.constants("GY", "C"),
                IS_EVEN=is_even and count % (chunk * kernels.GROUP) == 0,
                **_dense(config, groups, chunk),
                **config.schedule(),
            )
        else:
            config = configs.fit(config, batch, in_features, out_features)
            grid = (ceil_div(batch, config.block_b) * ceil_div(in_features, config.block_g),)
            kernels.lookup_contract[grid](
                *arguments,
                getattr(tl, _name(compute)),
                _offset_type(control_points),
                out_features % config.block_o == 0,
                config.block_b,
                config.block_g,
                config.block_o,
                **config.schedule(),
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
    if 0 in (batch, *shape):
        return x.new_zeros(shape, dtype=dtype)
    compute = compute_dtype(*_dtypes(x, direction, grad_y))
    how = arithmetic.of_weights(
        _name(grad_y.dtype),
        precision,
        compute=_name(compute),
        has_direction=direction is not None,
    )
    groups = _groups(num_control_points)
    is_bucketed = num_control_points > configs.dense_up_to(gpu.family, "accumulate", how.precision)
    kernel = "bucketed_accumulate" if is_bucketed else "accumulate"
    config = configs.config(gpu.family, kernel, how.precision)
    owned = groups if is_bucketed else in_features * groups
    config = configs.fit(config, batch, owned, out_features)
    chunk = config.block_g if is_bucketed else _chunk(config, in_features)
    features, chunks = config.block_g // chunk, ceil_div(groups, chunk)
    tiles = ceil_div(in_features, features) * chunks
    tiles *= ceil_div(out_features, config.block_o)
    gc = x.new_empty(shape, dtype=dtype)
    split, order, starts, parts = Split(1, batch), None, None, 1
    with device.guard(x):
        if is_bucketed:
            width, knots = _bits(spline_width), chunk * kernels.GROUP
            order, starts = sort_batch(
                x, num_control_points, width, getattr(tl, _name(compute)), knots
            )
            parts = starts.shape[2]
        else:
            part_bytes = gc.numel() * compute.itemsize
            step = config.block_b
            split = split_k(tiles, batch, 4 * step, part_bytes, gpu, step)
        target = gc if split.number == 1 else gc.new_empty(split.number, *shape, dtype=compute)
        kernels.accumulate[tiles, split.number](
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
            split.each,
            parts,
            *x.stride(),
            *_strides(direction),
            *grad_y.stride(),
            _bits(spline_width),
            direction is not None,
            is_bucketed,
            **how.constants("WEIGHT", "VALUE"),
            IS_EVEN=not is_bucketed
            and batch % config.block_b == 0
            and in_features % features == 0
            and out_features % config.block_o == 0,
            **_dense(config, groups, chunk),
            NARROW=min(NARROW, config.block_o),
            **config.schedule(),
        )
        reduce_partials(target, gc, split)
    return gc


def _is_dense(gpu: Device, kernel: str, how: Arithmetic, count: int, batch: int) -> bool:
    """Whether the matrix product is taken: not for batches that fill no tile of it."""
    smallest = 1 if device.INTERPRETED else configs.SMALLEST
    return batch >= smallest and count <= configs.dense_up_to(gpu.family, kernel, how.precision)


def _chunk(config: Config, in_features: int) -> int:
    """Return how many groups of a feature a tile holds: one, unless features are too few."""
    return config.block_g // min(config.block_g, configs.power_of_two(in_features))


def _offset_type(control_points: Tensor) -> Any:
    """Return an integer type that holds the offsets within one feature's control points."""
    (_, count, outputs), (_, knot, output) = control_points.shape, control_points.stride()
    return tl.int32 if count * abs(knot) + outputs * abs(output) < 2**31 else tl.int64


def _bits(spline_width: float) -> int:
    """Return the bits of a float64, see `kernels.basis.width_of`."""
    bits: int = struct.unpack("<q", struct.pack("<d", spline_width))[0]
    return bits


def _dense(config: Config, groups: int, chunk: int) -> dict[str, int]:
    """Return what the dense kernels are told of their tiles."""
    return {
        "INTERPRETED": device.INTERPRETED,
        "CHUNKS": ceil_div(groups, chunk),
        "CHUNK": chunk,
        "BLOCK_B": config.block_b,
        "BLOCK_G": config.block_g,
        "BLOCK_O": config.block_o,
    }


def _groups(num_control_points: int) -> int:
    return ceil_div(num_control_points, kernels.GROUP)


def _strides(direction: Tensor | None) -> tuple[int, ...]:
    return (0, 0) if direction is None else direction.stride()


def _dtypes(*tensors: Tensor | None) -> list[torch.dtype]:
    return [tensor.dtype for tensor in tensors if tensor is not None]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
