"""y[b, o] = Σ_i s(x[b, i]), or its derivative along a direction: by lookup and as a matmul."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

from .basis import hat_tile, left_weight, locate_along
from .product import add_product, is_finite


@triton.jit
def _gather_rows(
    x_rows,
    v_rows,
    row_mask,
    c_ptr,
    columns,
    column_mask,
    begin,
    end,
    num_control_points,
    stride_xi,
    stride_vi,
    stride_ci,
    stride_ck,
    stride_co,
    spline_width,
    HAS_DIRECTION: tl.constexpr,
    COMPUTE: tl.constexpr,
    OFFSET: tl.constexpr,
    IS_EVEN: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_O: tl.constexpr,
):
    """Return the sum of c_l + w Δ, or of w Δ along a direction, over features begin <= i < end.

    Args:
        OFFSET: An integer that holds every offset within the control points of a feature.
        IS_EVEN: Every column exists. Rows that do not read the first knots, and are not stored.
    """
    acc = tl.zeros((BLOCK_B, BLOCK_O), COMPUTE)
    mask = row_mask[:, None] & column_mask[None, :]
    c_columns = (columns.to(OFFSET) * stride_co)[None, :]
    x = tl.load(x_rows + tl.cast(begin, tl.int64) * stride_xi, mask=row_mask, other=0.0)
    for i in range(begin, end):
        feature = tl.cast(i, tl.int64)
        following = tl.cast(tl.minimum(i + 1, end - 1), tl.int64)
        x_following = tl.load(x_rows + following * stride_xi, mask=row_mask, other=0.0)
        v_ptrs = v_rows + feature * stride_vi if HAS_DIRECTION else x_rows
        interval, weight = locate_along(
            x, v_ptrs, row_mask, num_control_points, spline_width, HAS_DIRECTION, COMPUTE
        )  # [B]
        offsets = (interval.to(OFFSET) * stride_ck)[:, None] + c_columns
        left_ptrs = c_ptr + feature * stride_ci + offsets
        if IS_EVEN:
            left = tl.load(left_ptrs).to(COMPUTE)  # [B, O]
            right = tl.load(left_ptrs + stride_ck).to(COMPUTE)
        else:
            left = tl.load(left_ptrs, mask=mask, other=0.0).to(COMPUTE)
            right = tl.load(left_ptrs + stride_ck, mask=mask, other=0.0).to(COMPUTE)
        change = weight[:, None] * (right - left)
        acc += change if HAS_DIRECTION else left + change
        x = x_following  # loaded a turn ahead, since what follows waits for it
    return acc


@triton.jit(do_not_specialize=["num_control_points", "spline_width"])
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
    spline_width,
    HAS_DIRECTION: tl.constexpr,
    COMPUTE: tl.constexpr,
    OFFSET: tl.constexpr,
    IS_EVEN: tl.constexpr,
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
    acc = _gather_rows(
        x_rows, v_rows, row_mask, c_ptr, columns, column_mask, begin, end, num_control_points,
        stride_xi, stride_vi, stride_ci, stride_ck, stride_co, spline_width,
        HAS_DIRECTION, COMPUTE, OFFSET, IS_EVEN, BLOCK_B, BLOCK_O,
    )  # fmt: skip
    y_ptrs = y_ptr + (rows * out_features)[:, None] + columns[None, :]
    tl.store(y_ptrs, acc, mask=row_mask[:, None] & column_mask[None, :])


@triton.jit(do_not_specialize=["num_control_points", "spline_width"])
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
    spline_width,
    HAS_DIRECTION: tl.constexpr,
    COMPUTE: tl.constexpr,
    OPERAND: tl.constexpr,
    WEIGHT_PARTS: tl.constexpr,
    VALUE_PARTS: tl.constexpr,
    IS_EXACT: tl.constexpr,
    INTERPRETED: tl.constexpr,
    CHUNKS: tl.constexpr,
    CHUNK: tl.constexpr,
    IS_EVEN: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_G: tl.constexpr,
    BLOCK_O: tl.constexpr,
    NARROW: tl.constexpr,
):
    """Write a tile [B, O] of y = Φ C, with Φ made in registers, `BLOCK_G` groups of knots a step.

    program_id(1) sums one share of the features into its own part of `y_ptr`.

    A step takes `CHUNK` groups of each of `BLOCK_G` / `CHUNK` features, and the `CHUNKS` chunks of
    those features follow one another, so that x is read in rows of several features at every K.
    `IS_EVEN` says that no tile of control points reaches beyond them.

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
    FEATURES: tl.constexpr = BLOCK_G // CHUNK
    group = tl.arange(0, BLOCK_G)
    x_feature = group // CHUNK  # [G]
    knot = tl.arange(0, BLOCK_G * 8)
    c_feature = knot // (CHUNK * 8)  # [8 G]
    c_knot = knot % (CHUNK * 8)
    x_ptrs = x_rows[:, None] + (x_feature.to(tl.int64) * stride_xi)[None, :]
    c_rows = c_feature.to(tl.int64) * stride_ci + c_knot.to(tl.int64) * stride_ck
    c_ptrs = c_columns[None, :] + c_rows[:, None]
    v_ptrs = x_ptrs
    if HAS_DIRECTION:
        v_ptrs = v_rows[:, None] + (x_feature.to(tl.int64) * stride_vi)[None, :]
    acc = tl.zeros((BLOCK_B, BLOCK_O), COMPUTE)
    for step in range(tl.cdiv(end - begin, FEATURES) * CHUNKS):
        first = begin + step // CHUNKS * FEATURES
        first_knot = step % CHUNKS * (CHUNK * 8)
        mask = row_mask[:, None]
        if not IS_EVEN:
            mask = mask & (first + x_feature < end)[None, :]
        x_first = tl.cast(first, tl.int64) * stride_xi
        v_first = tl.cast(first, tl.int64) * stride_vi
        x = tl.load(x_ptrs + x_first, mask=mask, other=0.0)  # [B, G]
        interval, weight = locate_along(
            x, v_ptrs + v_first, mask, num_control_points, spline_width, HAS_DIRECTION, COMPUTE
        )
        offset = interval - (first_knot + group % CHUNK * 8)[None, :]
        phi = hat_tile(offset, left_weight(weight, HAS_DIRECTION), weight, BLOCK_B, BLOCK_G)

        c_first = tl.cast(first, tl.int64) * stride_ci + tl.cast(first_knot, tl.int64) * stride_ck
        if IS_EVEN:
            c = tl.load(c_ptrs + c_first)  # [8 G, O]
        else:
            c_mask = (first + c_feature < end) & (first_knot + c_knot < num_control_points)
            c_mask = c_mask[:, None] & column_mask[None, :]
            c = tl.load(c_ptrs + c_first, mask=c_mask, other=0.0)
        acc = add_product(phi, c, acc, OPERAND, WEIGHT_PARTS, VALUE_PARTS, IS_EXACT, INTERPRETED)
    y_rows = y_ptr + rows * out_features
    if is_finite(acc):
        y_ptrs = y_rows[:, None] + columns[None, :]
        tl.store(y_ptrs, acc, mask=row_mask[:, None] & column_mask[None, :])
    else:
        for start in range(0, BLOCK_O, NARROW):
            some = first_column + start + tl.arange(0, NARROW)
            some_mask = some < out_features
            exact = _gather_rows(
                x_rows, v_rows, row_mask, c_ptr, some, some_mask, begin, end, num_control_points,
                stride_xi, stride_vi, stride_ci, stride_ck, stride_co, spline_width,
                HAS_DIRECTION, COMPUTE, tl.int64, False, BLOCK_B, NARROW,
            )  # fmt: skip
            y_ptrs = y_rows[:, None] + some[None, :]
            tl.store(y_ptrs, exact, mask=row_mask[:, None] & some_mask[None, :])
