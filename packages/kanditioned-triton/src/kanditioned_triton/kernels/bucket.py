"""A stable counting sort of the batch by interval, one feature a program, without atomics."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

from .basis import locate


@triton.jit
def _ranks(key, BLOCK_B: tl.constexpr):
    """Return how many earlier samples of a block have the same key, and how many later ones."""
    place = tl.arange(0, BLOCK_B)
    same = key[:, None] == key[None, :]
    earlier = tl.sum((same & (place[None, :] < place[:, None])).to(tl.int32), axis=1)
    later = tl.sum((same & (place[None, :] > place[:, None])).to(tl.int32), axis=1)
    return earlier, later


@triton.jit
def _intervals(
    x_column,
    first,
    batch,
    num_control_points,
    stride_xb,
    SPLINE_WIDTH: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK_B: tl.constexpr,
):
    """Return samples of a block, which of them exist, and their intervals; K for the others."""
    rows = first + tl.arange(0, BLOCK_B)
    x = tl.load(x_column + rows.to(tl.int64) * stride_xb, mask=rows < batch, other=0.0)
    interval, _ = locate(x, num_control_points, SPLINE_WIDTH, COMPUTE)
    return rows, rows < batch, tl.where(rows < batch, interval, num_control_points)


@triton.jit
def bucket(
    x_ptr,
    order_ptr,
    starts_ptr,
    next_ptr,
    batch,
    num_control_points,
    stride_xb,
    stride_xi,
    SPLINE_WIDTH: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Write the samples of one feature in the order of their intervals.

    Args:
        order_ptr: Samples, (I, B) int32.
        starts_ptr: Number of samples in an interval below k, (I, K + 1) int32.
        next_ptr: Scratch (I, K) int32, zero at the start: counts, then the next free places.
    """
    feature = tl.program_id(0).to(tl.int64)
    x_column = x_ptr + feature * stride_xi
    order_ptr += feature * batch
    starts_ptr += feature * (num_control_points + 1)
    next_ptr += feature * num_control_points
    for first in range(0, batch, BLOCK_B):
        _, exists, key = _intervals(
            x_column, first, batch, num_control_points, stride_xb, SPLINE_WIDTH, COMPUTE, BLOCK_B
        )
        earlier, later = _ranks(key, BLOCK_B)
        is_last = exists & (later == 0)
        count = tl.load(next_ptr + key, mask=is_last, other=0)
        tl.store(next_ptr + key, count + earlier + 1, mask=is_last)
        tl.debug_barrier()  # the next block reads these counts
    total = 0
    for first in range(0, num_control_points, BLOCK_K):
        knot = first + tl.arange(0, BLOCK_K)
        count = tl.load(next_ptr + knot, mask=knot < num_control_points, other=0)
        start = total + tl.cumsum(count, axis=0) - count
        tl.store(starts_ptr + knot, start, mask=knot < num_control_points)
        total += tl.sum(count, axis=0)
    tl.store(starts_ptr + num_control_points, total)
    tl.debug_barrier()
    for first in range(0, num_control_points, BLOCK_K):
        knot = first + tl.arange(0, BLOCK_K)
        start = tl.load(starts_ptr + knot, mask=knot < num_control_points, other=0)
        tl.store(next_ptr + knot, start, mask=knot < num_control_points)
    tl.debug_barrier()
    for first in range(0, batch, BLOCK_B):
        rows, exists, key = _intervals(
            x_column, first, batch, num_control_points, stride_xb, SPLINE_WIDTH, COMPUTE, BLOCK_B
        )
        earlier, later = _ranks(key, BLOCK_B)
        place = tl.load(next_ptr + key, mask=exists, other=0) + earlier
        tl.store(order_ptr + place, rows, mask=exists)
        tl.debug_barrier()  # every sample has read its place before one of them moves it on
        tl.store(next_ptr + key, place + 1, mask=exists & (later == 0))
        tl.debug_barrier()
