"""gc[i, k, o] = Σ_b φ_k(x[b, i]) gy[b, o]: Φᵀ gy, over the whole batch or over buckets of it."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

from .basis import hat_tile, left_weight, locate_along
from .product import add_product, is_finite


@triton.jit(do_not_specialize=["num_control_points", "spline_width"])
def accumulate(
    x_ptr,
    v_ptr,
    gy_ptr,
    order_ptr,
    start_ptr,
    gc_ptr,
    batch,
    in_features,
    num_control_points,
    out_features,
    batch_share,
    parts,
    stride_xb,
    stride_xi,
    stride_vb,
    stride_vi,
    stride_gb,
    stride_go,
    spline_width,
    HAS_DIRECTION: tl.constexpr,
    BUCKETED: tl.constexpr,
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
    """Write a tile of `BLOCK_G` groups of knots and `BLOCK_O` outputs, owned by this program.

    A tile has `CHUNK` groups of each of `BLOCK_G` / `CHUNK` features. Dense: program_id(1) sums one
    share of the batch into its own part of `gc_ptr`. Bucketed: a tile belongs to one feature and
    reads only the samples whose interval touches it, in the order of `bucket`.

    Where gy is stored in 16 bits, the product is (gyᵀ Φ)ᵀ: gy and Φ are multiplied from shared
    memory as they lie, which takes fewer registers than Φᵀ gy, where Φ is transposed on its way to
    the matrix unit. A transposed gy of float32 would be read number by number.

    As in `dense_interpolate`, a tile that is not finite is computed again, sample by sample.
    """
    column_tiles = tl.cdiv(out_features, BLOCK_O)
    tile = tl.program_id(0) // column_tiles
    first_column = tl.program_id(0) % column_tiles * BLOCK_O
    columns = first_column + tl.arange(0, BLOCK_O)
    FEATURES: tl.constexpr = BLOCK_G // CHUNK
    first_feature = tile // CHUNKS * FEATURES
    first_knot = tile % CHUNKS * (CHUNK * 8)
    if BUCKETED:
        feature_order = tl.cast(first_feature, tl.int64)
        order_ptr += feature_order * batch
        starts = start_ptr + feature_order * CHUNKS * 2 * parts
        key = tile % CHUNKS * 2
        begin = tl.load(starts + tl.maximum(key - 1, 0) * parts)
        end = tl.load(starts + (key + 2) * parts, mask=key + 2 < CHUNKS * 2, other=batch)
    else:
        begin = tl.program_id(1) * batch_share
        end = tl.minimum(begin + batch_share, batch)
    group = tl.arange(0, BLOCK_G)
    feature = first_feature + group // CHUNK  # [G]
    base = first_knot + group % CHUNK * 8
    x_columns = (x_ptr + feature.to(tl.int64) * stride_xi)[None, :]
    v_columns = x_columns
    if HAS_DIRECTION:
        v_columns = (v_ptr + feature.to(tl.int64) * stride_vi)[None, :]
    gy_columns = gy_ptr + (columns.to(tl.int64) * stride_go)[None, :]
    if VALUE_PARTS == 1:
        acc = tl.zeros((BLOCK_O, BLOCK_G * 8), COMPUTE)
    else:
        acc = tl.zeros((BLOCK_G * 8, BLOCK_O), COMPUTE)
    for first in range(begin, end, BLOCK_B):
        index = first + tl.arange(0, BLOCK_B)
        inside = index < end
        rows = tl.load(order_ptr + index, mask=inside, other=0) if BUCKETED else index
        rows = rows.to(tl.int64)
        x_ptrs = x_columns + (rows * stride_xb)[:, None]
        v_ptrs = v_columns + (rows * stride_vb)[:, None] if HAS_DIRECTION else x_columns
        gy_ptrs = gy_columns + (rows * stride_gb)[:, None]
        mask = inside[:, None] & (feature < in_features)[None, :]
        if IS_EVEN:
            x = tl.load(x_ptrs)  # [B, G]
            gy = tl.load(gy_ptrs)  # [B, O]
        else:
            gy_mask = inside[:, None] & (columns < out_features)[None, :]
            x = tl.load(x_ptrs, mask=mask, other=0.0)
            gy = tl.load(gy_ptrs, mask=gy_mask, other=0.0)
        interval, weight = locate_along(
            x, v_ptrs, mask, num_control_points, spline_width, HAS_DIRECTION, COMPUTE
        )
        left = left_weight(weight, HAS_DIRECTION)
        phi = hat_tile(interval - base[None, :], left, weight, BLOCK_B, BLOCK_G)
        if VALUE_PARTS == 1:
            gy = tl.trans(gy)
            acc = add_product(
                gy, phi, acc, OPERAND, VALUE_PARTS, WEIGHT_PARTS, IS_EXACT, INTERPRETED
            )
        else:
            phi = tl.trans(phi)
            acc = add_product(
                phi, gy, acc, OPERAND, WEIGHT_PARTS, VALUE_PARTS, IS_EXACT, INTERPRETED
            )
    if VALUE_PARTS == 1:
        acc = tl.trans(acc)

    knot = tl.arange(0, BLOCK_G * 8)
    c_feature = first_feature + knot // (CHUNK * 8)  # [8 G]
    c_knot = first_knot + knot % (CHUNK * 8)
    if not BUCKETED:
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
                    x, v_ptrs, gc_mask, num_control_points, spline_width, HAS_DIRECTION, COMPUTE
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
