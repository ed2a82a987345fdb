"""Where inputs fall, and the hat basis as a tile in registers.

Knots are taken in groups of `GROUP` consecutive ones. A group's weights are made by one thread and
joined in its registers, so that interval and fraction are computed once per input and group, not
once per weight.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

GROUP = 8
"""Knots in a group; `hat_tile` is written for it."""


@triton.jit
def locate(x, num_control_points, spline_width, COMPUTE: tl.constexpr):
    """Return interval (int32) and fraction; NaN has interval 0 and stays in the fraction."""
    width = width_of(spline_width, COMPUTE)
    u = (x.to(COMPUTE) + width / 2) * knots_per_unit(num_control_points, spline_width, COMPUTE)
    lowest = tl.where(u == u, tl.floor(u), 0.0)
    lowest = tl.minimum(tl.maximum(lowest, 0.0), (num_control_points - 2).to(COMPUTE))
    return lowest.to(tl.int32), u - lowest


@triton.jit
def width_of(spline_width, COMPUTE: tl.constexpr):
    """Return the spline width, which kernels are given as the bits of a float64.

    Triton passes a Python float as a float32, and compiles a kernel again for each constant.
    """
    return tl.cast(spline_width.to(tl.int64), tl.float64, bitcast=True).to(COMPUTE)


@triton.jit
def knots_per_unit(num_control_points, spline_width, COMPUTE: tl.constexpr):
    """Return 1/h = (K - 1)/w."""
    return (num_control_points - 1).to(COMPUTE) / width_of(spline_width, COMPUTE)


@triton.jit
def locate_along(
    x,
    v_ptrs,
    mask,
    num_control_points,
    spline_width,
    HAS_DIRECTION: tl.constexpr,
    COMPUTE: tl.constexpr,
):
    """Return interval and the weight of Δ: the fraction t, or v/h along a direction."""
    interval, weight = locate(x, num_control_points, spline_width, COMPUTE)
    if HAS_DIRECTION:
        v = tl.load(v_ptrs, mask=mask, other=0.0).to(COMPUTE)
        slope = v * knots_per_unit(num_control_points, spline_width, COMPUTE)
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
    knot_0 = tl.where(offset == 0, left, tl.where(offset == -1, right, 0.0))
    knot_1 = tl.where(offset == 1, left, tl.where(offset == 0, right, 0.0))
    knot_2 = tl.where(offset == 2, left, tl.where(offset == 1, right, 0.0))
    knot_3 = tl.where(offset == 3, left, tl.where(offset == 2, right, 0.0))
    knot_4 = tl.where(offset == 4, left, tl.where(offset == 3, right, 0.0))
    knot_5 = tl.where(offset == 5, left, tl.where(offset == 4, right, 0.0))
    knot_6 = tl.where(offset == 6, left, tl.where(offset == 5, right, 0.0))
    knot_7 = tl.where(offset == 7, left, tl.where(offset == 6, right, 0.0))
    even = tl.join(tl.join(knot_0, knot_4), tl.join(knot_2, knot_6))
    odd = tl.join(tl.join(knot_1, knot_5), tl.join(knot_3, knot_7))
    return tl.reshape(tl.join(even, odd), (ROWS, GROUPS * 8))


@triton.jit
def difference(products, offset, ROWS: tl.constexpr, GROUPS: tl.constexpr):
    """Return the product at knot l + 1 minus that at l, as far as a group holds them.

    The transpose of `hat_tile` with the weights -1 and 1; what is not selected is not touched.

    Args:
        products: One number per knot, [ROWS, GROUPS * GROUP].
        offset: Interval minus the first knot of the group, [ROWS, GROUPS].

    Returns:
        Shape [ROWS, GROUPS].
    """
    even, odd = tl.split(tl.reshape(products, (ROWS, GROUPS, 2, 2, 2)))
    of_0_4, of_2_6 = tl.split(even)
    of_1_5, of_3_7 = tl.split(odd)
    knot_0, knot_4 = tl.split(of_0_4)
    knot_1, knot_5 = tl.split(of_1_5)
    knot_2, knot_6 = tl.split(of_2_6)
    knot_3, knot_7 = tl.split(of_3_7)
    change = tl.where(offset == -1, knot_0, 0.0)
    change = tl.where(offset == 0, knot_1 - knot_0, change)
    change = tl.where(offset == 1, knot_2 - knot_1, change)
    change = tl.where(offset == 2, knot_3 - knot_2, change)
    change = tl.where(offset == 3, knot_4 - knot_3, change)
    change = tl.where(offset == 4, knot_5 - knot_4, change)
    change = tl.where(offset == 5, knot_6 - knot_5, change)
    change = tl.where(offset == 6, knot_7 - knot_6, change)
    return tl.where(offset == 7, -knot_7, change)
