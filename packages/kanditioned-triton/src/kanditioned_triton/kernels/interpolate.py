"""y[b, o] = Σ_i s(x[b, i]), or its derivative along a direction: by lookup and as a matmul."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

from .basis import hat_tile, left_weight, locate_along
from .product import is_finite, multiply_add


@triton.jit
def _gather_rows(
    x_rows,
    v_rows,
    row_mask,
    c_columns,
    column_mask,
    begin,
    end,
    num_control_points,
    stride_xi,
    stride_vi,
    stride_ci,
    stride_ck,
    SPLINE_WIDTH: tl.constexpr,
    HAS_DIRECTION: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_O: tl.constexpr,
):
    """Return the sum of c_l + w Δ, or of w Δ along a direction, over features begin <= i < end."""
    acc = tl.zeros((BLOCK_B, BLOCK_O), COMPUTE)
    mask = row_mask[:, None] & column_mask[None, :]
    for i in range(begin, end):
        feature = tl.cast(i, tl.int64)
        x = tl.load(x_rows + feature * stride_xi, mask=row_mask, other=0.0)
        v_ptrs = v_rows + feature * stride_vi if HAS_DIRECTION else x_rows
        interval, weight = locate_along(
            x, v_ptrs, row_mask, num_control_points, SPLINE_WIDTH, HAS_DIRECTION, COMPUTE
        )  # [B]
        knots = c_columns + feature * stride_ci
        left_ptrs = knots[None, :] + (interval.to(tl.int64) * stride_ck)[:, None]
        left = tl.load(left_ptrs, mask=mask, other=0.0).to(COMPUTE)  # [B, O]
        right = tl.load(left_ptrs + stride_ck, mask=mask, other=0.0).to(COMPUTE)
        change = weight[:, None] * (right - left)
        acc += change if HAS_DIRECTION else left + change
    return acc


@triton.jit
def lookup_interpolate(
    x_ptr,
    v_ptr,
    c_ptr,
    y_ptr,
    batch,
    in_features,
    num_control_points,
    out_features,
    feature_share,
    stride_xb,
    stride_xi,
    stride_vb,
    stride_vi,
    stride_ci,
    stride_ck,
    stride_co,
    SPLINE_WIDTH: tl.constexpr,
    HAS_DIRECTION: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_O: tl.constexpr,
):
    """Write a tile [B, O] of y from two rows of control points per sample and feature.

    program_id(1) sums one share of the features into its own part of `y_ptr`. Outputs lie along
    the lanes; the rows of one feature that a batch tile reads are read again from L1.
    """
    begin = tl.program_id(1) * feature_share
    end = tl.minimum(begin + feature_share, in_features)
    y_ptr += tl.program_id(1).to(tl.int64) * batch * out_features
    batch_tiles = tl.cdiv(batch, BLOCK_B)
    rows = (tl.program_id(0) % batch_tiles).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    columns = tl.program_id(0) // batch_tiles * BLOCK_O + tl.arange(0, BLOCK_O)
    row_mask, column_mask = rows < batch, columns < out_features
    x_rows = x_ptr + rows * stride_xb
    v_rows = v_ptr + rows * stride_vb if HAS_DIRECTION else x_rows
    c_columns = c_ptr + columns.to(tl.int64) * stride_co
    acc = _gather_rows(
        x_rows, v_rows, row_mask, c_columns, column_mask, begin, end, num_control_points,
        stride_xi, stride_vi, stride_ci, stride_ck,
        SPLINE_WIDTH, HAS_DIRECTION, COMPUTE, BLOCK_B, BLOCK_O,
    )  # fmt: skip
    y_ptrs = y_ptr + (rows * out_features)[:, None] + columns[None, :]
    tl.store(y_ptrs, acc, mask=row_mask[:, None] & column_mask[None, :])


@triton.jit
def dense_interpolate(
    x_ptr,
    v_ptr,
    c_ptr,
    y_ptr,
    batch,
    in_features,
    num_control_points,
    out_features,
    feature_share,
    stride_xb,
    stride_xi,
    stride_vb,
    stride_vi,
    stride_ci,
    stride_ck,
    stride_co,
    SPLINE_WIDTH: tl.constexpr,
    HAS_DIRECTION: tl.constexpr,
    COMPUTE: tl.constexpr,
    OPERAND: tl.constexpr,
    PARTS: tl.constexpr,
    PRECISION: tl.constexpr,
    INTERPRETED: tl.constexpr,
    FEATURE_GROUPS: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_G: tl.constexpr,
    BLOCK_O: tl.constexpr,
    NARROW: tl.constexpr,
):
    """Write a tile [B, O] of y = Φ C, with Φ made in registers, `BLOCK_G` groups of knots a step.

    program_id(1) sums one share of the features into its own part of `y_ptr`.

    Groups are numbered through all features, `FEATURE_GROUPS` = ceil(K / 8) to each, so a step
    holds several features where K is small and a part of one where it is large.

    Zero weights meet every control point, so one that is not finite, or an infinite weight, may
    spoil what it should not. A tile that is not finite is therefore computed again by lookup.
    """
    begin = tl.program_id(1) * feature_share
    end = tl.minimum(begin + feature_share, in_features)
    y_ptr += tl.program_id(1).to(tl.int64) * batch * out_features
    batch_tiles = tl.cdiv(batch, BLOCK_B)
    rows = (tl.program_id(0) % batch_tiles).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    first_column = tl.program_id(0) // batch_tiles * BLOCK_O
    columns = first_column + tl.arange(0, BLOCK_O)
    row_mask, column_mask = rows < batch, columns < out_features
    x_rows = x_ptr + rows * stride_xb
    v_rows = v_ptr + rows * stride_vb if HAS_DIRECTION else x_rows
    c_columns = c_ptr + columns.to(tl.int64) * stride_co
    group_in_step = tl.arange(0, BLOCK_G)
    knot_in_step = tl.arange(0, BLOCK_G * 8)
    acc = tl.zeros((BLOCK_B, BLOCK_O), COMPUTE)
    for first in range(begin * FEATURE_GROUPS, end * FEATURE_GROUPS, BLOCK_G):
        group = first + group_in_step
        feature = group // FEATURE_GROUPS  # [G]
        mask = row_mask[:, None] & (feature < end)[None, :]
        x_ptrs = x_rows[:, None] + (feature.to(tl.int64) * stride_xi)[None, :]
        v_ptrs = x_ptrs
        if HAS_DIRECTION:
            v_ptrs = v_rows[:, None] + (feature.to(tl.int64) * stride_vi)[None, :]
        x = tl.load(x_ptrs, mask=mask, other=0.0)  # [B, G]
        interval, weight = locate_along(
            x, v_ptrs, mask, num_control_points, SPLINE_WIDTH, HAS_DIRECTION, COMPUTE
        )
        offset = interval - (group % FEATURE_GROUPS * 8)[None, :]
        phi = hat_tile(offset, left_weight(weight, HAS_DIRECTION), weight, BLOCK_B, BLOCK_G)

        knot_group = first + knot_in_step // 8
        c_feature = knot_group // FEATURE_GROUPS  # [8 G]
        c_knot = knot_group % FEATURE_GROUPS * 8 + knot_in_step % 8
        c_rows = c_feature.to(tl.int64) * stride_ci + c_knot.to(tl.int64) * stride_ck
        c_mask = (c_feature < end) & (c_knot < num_control_points)
        c = tl.load(
            c_columns[None, :] + c_rows[:, None],
            mask=c_mask[:, None] & column_mask[None, :],
            other=0.0,
        )  # [8 G, O]
        acc = multiply_add(phi, c, acc, OPERAND, PARTS, PRECISION, INTERPRETED)
    y_rows = y_ptr + rows * out_features
    if is_finite(acc):
        y_ptrs = y_rows[:, None] + columns[None, :]
        tl.store(y_ptrs, acc, mask=row_mask[:, None] & column_mask[None, :])
    else:
        for start in range(0, BLOCK_O, NARROW):
            some = first_column + start + tl.arange(0, NARROW)
            some_mask = some < out_features
            exact = _gather_rows(
                x_rows, v_rows, row_mask, c_ptr + some.to(tl.int64) * stride_co, some_mask,
                begin, end, num_control_points,
                stride_xi, stride_vi, stride_ci, stride_ck,
                SPLINE_WIDTH, HAS_DIRECTION, COMPUTE, BLOCK_B, NARROW,
            )  # fmt: skip
            y_ptrs = y_rows[:, None] + some[None, :]
            tl.store(y_ptrs, exact, mask=row_mask[:, None] & some_mask[None, :])
