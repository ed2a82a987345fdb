"""A stable sort of the batch by tile of knots, per feature: count, scan, place. No atomics.

A tile of `KNOTS` knots needs the samples of its own intervals and of the one before them. So the
key of a sample is twice its tile, plus one in the last interval of a tile: what tile m needs are
the keys 2m - 1, 2m and 2m + 1, which lie side by side.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

from .basis import locate


@triton.jit
def _has_key(
    x_column,
    rows,
    end,
    keys,
    num_control_points,
    stride_xb,
    spline_width,
    COMPUTE: tl.constexpr,
    KNOTS: tl.constexpr,
):
    """Return which sample has which key, 0 or 1, [B, keys]."""
    x = tl.load(x_column + rows.to(tl.int64) * stride_xb, mask=rows < end, other=0.0)
    interval, _ = locate(x, num_control_points, spline_width, COMPUTE)
    key = interval // KNOTS * 2 + (interval % KNOTS == KNOTS - 1).to(tl.int32)
    return ((key[:, None] == keys[None, :]) & (rows < end)[:, None]).to(tl.int32)


@triton.jit(do_not_specialize=["num_control_points", "spline_width"])
def count_keys(
    x_ptr,
    count_ptr,
    batch,
    num_control_points,
    num_keys,
    parts,
    stride_xb,
    stride_xi,
    spline_width,
    COMPUTE: tl.constexpr,
    KNOTS: tl.constexpr,
    PART: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Write how many samples of one part of the batch have each key, (I, keys, parts) int32."""
    feature = (tl.program_id(0) // parts).to(tl.int64)
    part = tl.program_id(0) % parts
    x_column = x_ptr + feature * stride_xi
    end = tl.minimum((part + 1) * PART, batch)
    for first_key in range(0, num_keys, BLOCK_K):
        keys = first_key + tl.arange(0, BLOCK_K)
        count = tl.zeros((BLOCK_K,), tl.int32)
        for first in range(part * PART, end, BLOCK_B):
            rows = first + tl.arange(0, BLOCK_B)
            count += tl.sum(
                _has_key(
                    x_column, rows, end, keys, num_control_points, stride_xb, spline_width,
                    COMPUTE, KNOTS,
                ),
                axis=0,
            )  # fmt: skip
        counts = count_ptr + (feature * num_keys + keys) * parts + part
        tl.store(counts, count, mask=keys < num_keys)


@triton.jit(do_not_specialize=["num_control_points", "spline_width"])
def place_samples(
    x_ptr,
    start_ptr,
    order_ptr,
    batch,
    num_control_points,
    num_keys,
    parts,
    stride_xb,
    stride_xi,
    spline_width,
    COMPUTE: tl.constexpr,
    KNOTS: tl.constexpr,
    PART: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Write the samples of one part of the batch where they belong, `order` (I, B) int32.

    Args:
        start_ptr: The place of the first of them by key and part, (I, keys, parts) int32.
    """
    feature = (tl.program_id(0) // parts).to(tl.int64)
    part = tl.program_id(0) % parts
    x_column = x_ptr + feature * stride_xi
    order_ptr += feature * batch
    end = tl.minimum((part + 1) * PART, batch)
    for first_key in range(0, num_keys, BLOCK_K):
        keys = first_key + tl.arange(0, BLOCK_K)
        starts = start_ptr + (feature * num_keys + keys) * parts + part
        start = tl.load(starts, mask=keys < num_keys, other=0)
        for first in range(part * PART, end, BLOCK_B):
            rows = first + tl.arange(0, BLOCK_B)
            has_key = _has_key(
                x_column, rows, end, keys, num_control_points, stride_xb, spline_width,
                COMPUTE, KNOTS,
            )  # fmt: skip
            before = start[None, :] + tl.cumsum(has_key, axis=0) - has_key
            place = tl.sum(has_key * before, axis=1)
            tl.store(order_ptr + place, rows, mask=tl.sum(has_key, axis=1) > 0)
            start += tl.sum(has_key, axis=0)
