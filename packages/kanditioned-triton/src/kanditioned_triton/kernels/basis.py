"""Where inputs fall, and the hat basis as a tile in registers.

Knots are taken in groups of `GROUP` consecutive ones. A group's weights are made by one thread and
joined in its registers, so that interval and fraction are computed once per input and group, not
once per weight.
"""

# Annotations stay objects: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

GROUP = 8
"""Knots in a group; `hat_tile` is written for it."""


@triton.jit
def locate(x, K, SPLINE_WIDTH: tl.constexpr, COMPUTE: tl.constexpr):
    """Return interval (int32) and fraction; NaN has interval 0 and stays in the fraction."""
    u = (x.to(COMPUTE) + SPLINE_WIDTH / 2) * knots_per_unit(K, SPLINE_WIDTH, COMPUTE)
    lowest = tl.where(u == u, tl.floor(u), 0.0)
    lowest = tl.minimum(tl.maximum(lowest, 0.0), (K - 2).to(COMPUTE))
    return lowest.to(tl.int32), u - lowest


@triton.jit
def knots_per_unit(K, SPLINE_WIDTH: tl.constexpr, COMPUTE: tl.constexpr):
    """Return 1/h = (K - 1)/w."""
    return (K - 1).to(COMPUTE) / SPLINE_WIDTH


@triton.jit
def locate_along(
    x,
    v_ptrs,
    mask,
    K,
    SPLINE_WIDTH: tl.constexpr,
    HAS_DIRECTION: tl.constexpr,
    COMPUTE: tl.constexpr,
):
    """Return interval and the weight of Δ: the fraction t, or v/h along a direction."""
    interval, weight = locate(x, K, SPLINE_WIDTH, COMPUTE)
    if HAS_DIRECTION:
        v = tl.load(v_ptrs, mask=mask, other=0.0).to(COMPUTE)
        slope = v * knots_per_unit(K, SPLINE_WIDTH, COMPUTE)
        weight = tl.where(weight == weight, slope, weight)
    return interval, weight


@triton.jit
def left_weight(weight, HAS_DIRECTION: tl.constexpr):
    """Return the weight of c_l where `weight` is that of c_{l+1}."""
    return -weight if HAS_DIRECTION else 1 - weight


@triton.jit
def hat_tile(offset, left, right, ROWS: tl.constexpr, GROUPS: tl.constexpr):
    """Return the weights of `GROUPS` groups of knots, [ROWS, GROUPS * GROUP].

    Args:
        offset: Interval minus the first knot of the group, [ROWS, GROUPS].
        left: Weight of c_l, [ROWS, GROUPS].
        right: Weight of c_{l+1}, [ROWS, GROUPS].
    """
    even = tl.join(
        tl.join(_hat(offset, left, right, 0), _hat(offset, left, right, 4)),
        tl.join(_hat(offset, left, right, 2), _hat(offset, left, right, 6)),
    )
    odd = tl.join(
        tl.join(_hat(offset, left, right, 1), _hat(offset, left, right, 5)),
        tl.join(_hat(offset, left, right, 3), _hat(offset, left, right, 7)),
    )
    return tl.reshape(tl.join(even, odd), (ROWS, GROUPS * 8))


@triton.jit
def _hat(offset, left, right, KNOT: tl.constexpr):
    return tl.where(offset == KNOT, left, tl.where(offset == KNOT - 1, right, 0.0))
