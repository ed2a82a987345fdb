"""gc[i, k, o] = Σ_b φ_k(x[b, i]) gy[b, o]: Φᵀ gy, over the whole batch or over buckets of it."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

from .basis import hat_tile, left_weight, locate_along
from .product import is_finite, multiply_add


@triton.jit
def accumulate(
    x_ptr,
    v_ptr,
    gy_ptr,
    order_ptr,
    starts_ptr,
    gc_ptr,
    batch,
    in_features,
    num_control_points,
    out_features,
    batch_share,
    stride_xb,
    stride_xi,
    stride_vb,
    stride_vi,
    stride_gb,
    stride_go,
    SPLINE_WIDTH: tl.constexpr,
    HAS_DIRECTION: tl.constexpr,
    BUCKETED: tl.constexpr,
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
    """Write a tile of `BLOCK_G` groups of knots and `BLOCK_O` outputs, owned by this program.

    Dense: groups are numbered through all features, and program_id(1) sums one share of the
    batch into its own part of `gc_ptr`. Bucketed: a tile belongs to one feature and reads only the
    samples whose interval touches it, in the order of `bucket`.

    As in `dense_interpolate`, a tile that is not finite is computed again, sample by sample.
    """
    column_tiles = tl.cdiv(out_features, BLOCK_O)
    tile = tl.program_id(0) // column_tiles
    first_column = tl.program_id(0) % column_tiles * BLOCK_O
    columns = first_column + tl.arange(0, BLOCK_O)
    if BUCKETED:
        feature_tiles = tl.cdiv(FEATURE_GROUPS, BLOCK_G)
        owner = tile // feature_tiles
        first_knot = tile % feature_tiles * (BLOCK_G * 8)
        feature = owner + tl.zeros((BLOCK_G,), tl.int32)
        base = first_knot + tl.arange(0, BLOCK_G) * 8
        starts = starts_ptr + owner.to(tl.int64) * (num_control_points + 1)
        begin = tl.load(starts + tl.maximum(first_knot - 1, 0))
        end = tl.load(starts + tl.minimum(first_knot + BLOCK_G * 8, num_control_points))
        order_ptr += owner.to(tl.int64) * batch
    else:
        group = tile * BLOCK_G + tl.arange(0, BLOCK_G)
        feature = group // FEATURE_GROUPS  # [G]
        base = group % FEATURE_GROUPS * 8
        begin = tl.program_id(1) * batch_share
        end = tl.minimum(begin + batch_share, batch)
    x_columns = (x_ptr + feature.to(tl.int64) * stride_xi)[None, :]
    v_columns = x_columns
    if HAS_DIRECTION:
        v_columns = (v_ptr + feature.to(tl.int64) * stride_vi)[None, :]
    feature_mask = (feature < in_features)[None, :]
    gy_columns = gy_ptr + (columns.to(tl.int64) * stride_go)[None, :]
    acc = tl.zeros((BLOCK_G * 8, BLOCK_O), COMPUTE)
    for first in range(begin, end, BLOCK_B):
        index = first + tl.arange(0, BLOCK_B)
        inside = index < end
        rows = tl.load(order_ptr + index, mask=inside, other=0) if BUCKETED else index
        rows = rows.to(tl.int64)
        mask = inside[:, None] & feature_mask
        x = tl.load(x_columns + (rows * stride_xb)[:, None], mask=mask, other=0.0)  # [B, G]
        v_ptrs = v_columns + (rows * stride_vb)[:, None] if HAS_DIRECTION else x_columns
        interval, weight = locate_along(
            x, v_ptrs, mask, num_control_points, SPLINE_WIDTH, HAS_DIRECTION, COMPUTE
        )
        left = left_weight(weight, HAS_DIRECTION)
        phi = hat_tile(interval - base[None, :], left, weight, BLOCK_B, BLOCK_G)
        gy_mask = inside[:, None] & (columns < out_features)[None, :]
        gy = tl.load(gy_columns + (rows * stride_gb)[:, None], mask=gy_mask, other=0.0)  # [B, O]
        phi_t = tl.trans(phi)
        if PRECISION == "tf32":  # for sm_100, Triton 3.6 to 3.9 cannot store a bare transpose
            phi_t += 0.0
        acc = multiply_add(phi_t, gy, acc, OPERAND, PARTS, PRECISION, INTERPRETED)

    knot_in_tile = tl.arange(0, BLOCK_G * 8)
    if BUCKETED:
        c_feature = owner + tl.zeros((BLOCK_G * 8,), tl.int32)
        c_knot = first_knot + knot_in_tile
    else:
        c_group = tile * BLOCK_G + knot_in_tile // 8
        c_feature = c_group // FEATURE_GROUPS  # [8 G]
        c_knot = c_group % FEATURE_GROUPS * 8 + knot_in_tile % 8
        gc_ptr += tl.program_id(1).to(tl.int64) * in_features * num_control_points * out_features
    gc_rows = gc_ptr + (c_feature.to(tl.int64) * num_control_points + c_knot) * out_features
    gc_mask = (c_feature < in_features) & (c_knot < num_control_points)
    if is_finite(acc):
        mask = gc_mask[:, None] & (columns < out_features)[None, :]
        tl.store(gc_rows[:, None] + columns[None, :], acc, mask=mask)
    else:
        for start in range(0, BLOCK_O, NARROW):
            some = first_column + start + tl.arange(0, NARROW)
            exact = tl.zeros((BLOCK_G * 8, NARROW), COMPUTE)
            for position in range(begin, end):
                row = tl.load(order_ptr + position) if BUCKETED else position
                row = tl.cast(row, tl.int64)
                x_ptrs = x_ptr + c_feature.to(tl.int64) * stride_xi + row * stride_xb
                v_ptrs = x_ptrs
                if HAS_DIRECTION:
                    v_ptrs = v_ptr + c_feature.to(tl.int64) * stride_vi + row * stride_vb
                x = tl.load(x_ptrs, mask=gc_mask, other=0.0)  # [8 G]
                interval, weight = locate_along(
                    x, v_ptrs, gc_mask, num_control_points, SPLINE_WIDTH, HAS_DIRECTION, COMPUTE
                )
                is_left = (c_knot == interval)[:, None]
                is_right = (c_knot == interval + 1)[:, None]
                phi = tl.where(
                    is_left, left_weight(weight, HAS_DIRECTION)[:, None], weight[:, None]
                )
                gy_ptrs = gy_ptr + row * stride_gb + some.to(tl.int64) * stride_go
                gy = tl.load(gy_ptrs, mask=some < out_features, other=0.0).to(COMPUTE)
                exact += tl.where(is_left | is_right, phi * gy[None, :], 0.0)
            mask = gc_mask[:, None] & (some < out_features)[None, :]
            tl.store(gc_rows[:, None] + some[None, :], exact, mask=mask)
