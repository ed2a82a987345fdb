"""gx[b, i] = Σ_o gy[b, o] s'(x[b, i]): by lookup, and as gy Cᵀ with the two knots selected."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

from .basis import difference, knots_per_unit, locate
from .product import add_product


@triton.jit(do_not_specialize=["num_control_points", "spline_width"])
def lookup_contract(
    x_ptr,
    c_ptr,
    gy_ptr,
    gx_ptr,
    batch,
    in_features,
    num_control_points,
    out_features,
    stride_xb,
    stride_xi,
    stride_ci,
    stride_ck,
    stride_co,
    stride_gb,
    stride_go,
    spline_width,
    COMPUTE: tl.constexpr,
    OFFSET: tl.constexpr,
    IS_EVEN: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_F: tl.constexpr,
    BLOCK_O: tl.constexpr,
):
    """Write `BLOCK_F` columns of a batch tile of gx, one after the other."""
    batch_tiles = tl.cdiv(batch, BLOCK_B)
    rows = (tl.program_id(0) % batch_tiles).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    first_feature = tl.program_id(0) // batch_tiles * BLOCK_F
    row_mask = rows < batch
    gy_rows = (gy_ptr + rows * stride_gb)[:, None]
    per_unit = knots_per_unit(num_control_points, spline_width, COMPUTE)
    for i in range(first_feature, tl.minimum(first_feature + BLOCK_F, in_features)):
        feature = tl.cast(i, tl.int64)
        x = tl.load(x_ptr + rows * stride_xb + feature * stride_xi, mask=row_mask, other=0.0)
        interval, fraction = locate(x, num_control_points, spline_width, COMPUTE)  # [B]
        left_rows = (interval.to(OFFSET) * stride_ck)[:, None]
        acc = tl.zeros((BLOCK_B, BLOCK_O), COMPUTE)
        for first in range(0, out_features, BLOCK_O):
            columns = first + tl.arange(0, BLOCK_O)
            mask = row_mask[:, None] & (columns < out_features)[None, :]
            offsets = left_rows + (columns.to(OFFSET) * stride_co)[None, :]
            left_ptrs = c_ptr + feature * stride_ci + offsets
            gy_ptrs = gy_rows + (columns.to(tl.int64) * stride_go)[None, :]
            if IS_EVEN:
                left = tl.load(left_ptrs).to(COMPUTE)  # [B, O]
                right = tl.load(left_ptrs + stride_ck).to(COMPUTE)
                gy = tl.load(gy_ptrs, mask=row_mask[:, None], other=0.0).to(COMPUTE)
            else:
                left = tl.load(left_ptrs, mask=mask, other=0.0).to(COMPUTE)
                right = tl.load(left_ptrs + stride_ck, mask=mask, other=0.0).to(COMPUTE)
                gy = tl.load(gy_ptrs, mask=mask, other=0.0).to(COMPUTE)
            acc += gy * (right - left)
        gx = tl.sum(acc, axis=1) * per_unit
        gx = tl.where(fraction == fraction, gx, fraction)
        tl.store(gx_ptr + rows * in_features + feature, gx, mask=row_mask)


@triton.jit(do_not_specialize=["num_control_points", "spline_width"])
def dense_contract(
    x_ptr,
    c_ptr,
    gy_ptr,
    gx_ptr,
    batch,
    in_features,
    num_control_points,
    out_features,
    stride_xb,
    stride_xi,
    stride_ci,
    stride_ck,
    stride_co,
    stride_gb,
    stride_go,
    spline_width,
    COMPUTE: tl.constexpr,
    OPERAND: tl.constexpr,
    GY_PARTS: tl.constexpr,
    C_PARTS: tl.constexpr,
    IS_EXACT: tl.constexpr,
    INTERPRETED: tl.constexpr,
    CHUNKS: tl.constexpr,
    CHUNK: tl.constexpr,
    IS_EVEN: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_G: tl.constexpr,
    BLOCK_O: tl.constexpr,
):
    """Write a tile of gx, of `BLOCK_G` / `CHUNK` features, from products gy · c.

    `CHUNK` groups of knots of each feature are taken at a time, over all outputs, `CHUNKS` times in
    a row. Of all products a sample keeps two, at the ends of its interval: a number that is not
    finite reaches what it belongs to and nothing else. Tiles of the batch follow one another, so
    that control points are read once while grad_y stays in the L2 cache.
    """
    FEATURES: tl.constexpr = BLOCK_G // CHUNK
    batch_tiles = tl.cdiv(batch, BLOCK_B)
    rows = (tl.program_id(0) % batch_tiles).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    first_feature = tl.program_id(0) // batch_tiles * FEATURES
    row_mask = rows < batch
    group = tl.arange(0, BLOCK_G)
    feature = first_feature + group // CHUNK  # [G]
    mask = row_mask[:, None] & (feature < in_features)[None, :]
    x_ptrs = (x_ptr + rows * stride_xb)[:, None] + (feature.to(tl.int64) * stride_xi)[None, :]
    x = tl.load(x_ptrs, mask=mask, other=0.0)
    interval, fraction = locate(x, num_control_points, spline_width, COMPUTE)  # [B, G]
    interval -= (group % CHUNK * 8)[None, :]
    column = tl.arange(0, BLOCK_G * 8)
    c_feature = first_feature + column // (CHUNK * 8)  # [8 G]
    c_knot = column % (CHUNK * 8)
    o_column = tl.arange(0, BLOCK_O)
    gy_ptrs = (gy_ptr + rows * stride_gb)[:, None] + (o_column.to(tl.int64) * stride_go)[None, :]
    c_rows = c_feature.to(tl.int64) * stride_ci + c_knot.to(tl.int64) * stride_ck
    c_ptrs = (c_ptr + c_rows)[:, None] + (o_column.to(tl.int64) * stride_co)[None, :]
    slope = tl.zeros((BLOCK_B, BLOCK_G), COMPUTE)
    products = tl.zeros((BLOCK_B, BLOCK_G * 8), COMPUTE)
    first, first_knot = 0, 0
    for _ in range(CHUNKS * tl.cdiv(out_features, BLOCK_O)):
        o_first = tl.cast(first, tl.int64)
        gy_first = gy_ptrs + o_first * stride_go
        c_first = c_ptrs + (o_first * stride_co + tl.cast(first_knot, tl.int64) * stride_ck)
        if IS_EVEN:
            gy = tl.load(gy_first, mask=row_mask[:, None], other=0.0)  # [B, O]
            c = tl.load(c_first)  # [8 G, O]
        else:
            o_mask = first + o_column < out_features
            gy = tl.load(gy_first, mask=row_mask[:, None] & o_mask[None, :], other=0.0)
            c_mask = (c_feature < in_features) & (first_knot + c_knot < num_control_points)
            c = tl.load(c_first, mask=c_mask[:, None] & o_mask[None, :], other=0.0)
        products = add_product(
            gy, tl.trans(c), products, OPERAND, GY_PARTS, C_PARTS, IS_EXACT, INTERPRETED
        )
        is_last = first + BLOCK_O >= out_features
        if is_last:
            slope += difference(products, interval - first_knot, BLOCK_B, BLOCK_G)
            products = tl.zeros((BLOCK_B, BLOCK_G * 8), COMPUTE)
        first = tl.where(is_last, 0, first + BLOCK_O)
        first_knot = tl.where(is_last, first_knot + CHUNK * 8, first_knot)
    slope = tl.where(fraction == fraction, slope, fraction)
    gx = tl.sum(tl.reshape(slope, (BLOCK_B, FEATURES, CHUNK)), axis=2)
    gx *= knots_per_unit(num_control_points, spline_width, COMPUTE)
    features = first_feature + tl.arange(0, FEATURES)
    gx_ptrs = gx_ptr + (rows * in_features)[:, None] + features[None, :]
    tl.store(gx_ptrs, gx, mask=row_mask[:, None] & (features < in_features)[None, :])
