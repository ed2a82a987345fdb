"""gx[b, i] = Σ_o gy[b, o] s'(x[b, i]): by lookup, and as gy Cᵀ with the two knots selected."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl

from .basis import difference, knots_per_unit, locate
from .product import matmul


@triton.jit
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
    SPLINE_WIDTH: tl.constexpr,
    COMPUTE: tl.constexpr,
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
    per_unit = knots_per_unit(num_control_points, SPLINE_WIDTH, COMPUTE)
    for i in range(first_feature, tl.minimum(first_feature + BLOCK_F, in_features)):
        feature = tl.cast(i, tl.int64)
        x = tl.load(x_ptr + rows * stride_xb + feature * stride_xi, mask=row_mask, other=0.0)
        interval, fraction = locate(x, num_control_points, SPLINE_WIDTH, COMPUTE)  # [B]
        left_rows = c_ptr + feature * stride_ci + interval.to(tl.int64) * stride_ck
        acc = tl.zeros((BLOCK_B, BLOCK_O), COMPUTE)
        for first in range(0, out_features, BLOCK_O):
            columns = first + tl.arange(0, BLOCK_O)
            mask = row_mask[:, None] & (columns < out_features)[None, :]
            left_ptrs = left_rows[:, None] + (columns.to(tl.int64) * stride_co)[None, :]
            left = tl.load(left_ptrs, mask=mask, other=0.0).to(COMPUTE)  # [B, O]
            right = tl.load(left_ptrs + stride_ck, mask=mask, other=0.0).to(COMPUTE)
            gy_ptrs = gy_rows + (columns.to(tl.int64) * stride_go)[None, :]
            acc += tl.load(gy_ptrs, mask=mask, other=0.0).to(COMPUTE) * (right - left)
        gx = tl.sum(acc, axis=1) * per_unit
        gx = tl.where(fraction == fraction, gx, fraction)
        tl.store(gx_ptr + rows * in_features + feature, gx, mask=row_mask)


@triton.jit
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
    SPLINE_WIDTH: tl.constexpr,
    COMPUTE: tl.constexpr,
    OPERAND: tl.constexpr,
    PRECISION: tl.constexpr,
    INTERPRETED: tl.constexpr,
    FEATURE_GROUPS: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_G: tl.constexpr,
    BLOCK_O: tl.constexpr,
):
    """Write a tile of gx from products gy · c with `BLOCK_G` groups of knots.

    `FEATURE_GROUPS` groups of each feature are taken at a time, so the tile has
    `BLOCK_G` / `FEATURE_GROUPS` features. Of all products a sample keeps two, at the ends of its
    interval: a number that is not finite reaches what it belongs to and nothing else.
    """
    FEATURES: tl.constexpr = BLOCK_G // FEATURE_GROUPS
    feature_tiles = tl.cdiv(in_features, FEATURES)
    rows = (tl.program_id(0) // feature_tiles).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    first_feature = tl.program_id(0) % feature_tiles * FEATURES
    row_mask = rows < batch
    gy_rows = (gy_ptr + rows * stride_gb)[:, None]
    group = tl.arange(0, BLOCK_G)
    feature = first_feature + group // FEATURE_GROUPS  # [G]
    column = tl.arange(0, BLOCK_G * 8)
    c_feature = first_feature + column // (FEATURE_GROUPS * 8)  # [8 G]
    mask = row_mask[:, None] & (feature < in_features)[None, :]
    x_ptrs = (x_ptr + rows * stride_xb)[:, None] + (feature.to(tl.int64) * stride_xi)[None, :]
    slope = tl.zeros((BLOCK_B, BLOCK_G), COMPUTE)
    for first_knot in range(0, num_control_points, FEATURE_GROUPS * 8):
        c_knot = first_knot + column % (FEATURE_GROUPS * 8)
        c_rows = c_ptr + c_feature.to(tl.int64) * stride_ci + c_knot.to(tl.int64) * stride_ck
        c_mask = (c_feature < in_features) & (c_knot < num_control_points)
        products = tl.zeros((BLOCK_B, BLOCK_G * 8), COMPUTE)
        for first in range(0, out_features, BLOCK_O):
            columns = first + tl.arange(0, BLOCK_O)
            o_mask = columns < out_features
            gy_ptrs = gy_rows + (columns.to(tl.int64) * stride_go)[None, :]
            gy = tl.load(gy_ptrs, mask=row_mask[:, None] & o_mask[None, :], other=0.0)  # [B, O]
            c_ptrs = c_rows[:, None] + (columns.to(tl.int64) * stride_co)[None, :]
            c = tl.load(c_ptrs, mask=c_mask[:, None] & o_mask[None, :], other=0.0)  # [8 G, O]
            c = tl.trans(c.to(OPERAND))
            products = matmul(gy.to(OPERAND), c, products, PRECISION, INTERPRETED)
        x = tl.load(x_ptrs, mask=mask, other=0.0)
        interval, fraction = locate(x, num_control_points, SPLINE_WIDTH, COMPUTE)  # [B, G]
        offset = interval - first_knot - (group % FEATURE_GROUPS * 8)[None, :]
        slope += difference(products, offset, BLOCK_B, BLOCK_G)
        slope = tl.where(fraction == fraction, slope, fraction)
    gx = tl.sum(tl.reshape(slope, (BLOCK_B, FEATURES, FEATURE_GROUPS)), axis=2)
    gx *= knots_per_unit(num_control_points, SPLINE_WIDTH, COMPUTE)
    features = first_feature + tl.arange(0, FEATURES)
    gx_ptrs = gx_ptr + (rows * in_features)[:, None] + features[None, :]
    tl.store(gx_ptrs, gx, mask=row_mask[:, None] & (features < in_features)[None, :])
