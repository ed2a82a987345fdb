"""gx[b, i] = Σ_o gy[b, o] s'(x[b, i]): by lookup, and as gy Cᵀ with the two knots selected."""

import triton
import triton.language as tl

from .basis import knots_per_unit, locate
from .product import matmul


@triton.jit
def lookup_contract(
    x_ptr,
    c_ptr,
    gy_ptr,
    gx_ptr,
    B,
    I,
    K,
    O,
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
    batch_tiles = tl.cdiv(B, BLOCK_B)
    rows = (tl.program_id(0) % batch_tiles).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    first_feature = tl.program_id(0) // batch_tiles * BLOCK_F
    row_mask = rows < B
    gy_rows = (gy_ptr + rows * stride_gb)[:, None]
    per_unit = knots_per_unit(K, SPLINE_WIDTH, COMPUTE)
    for i in range(first_feature, tl.minimum(first_feature + BLOCK_F, I)):
        feature = tl.cast(i, tl.int64)
        x = tl.load(x_ptr + rows * stride_xb + feature * stride_xi, mask=row_mask, other=0.0)
        interval, fraction = locate(x, K, SPLINE_WIDTH, COMPUTE)  # [B]
        left_rows = c_ptr + feature * stride_ci + interval.to(tl.int64) * stride_ck
        acc = tl.zeros((BLOCK_B, BLOCK_O), COMPUTE)
        for first in range(0, O, BLOCK_O):
            columns = first + tl.arange(0, BLOCK_O)
            mask = row_mask[:, None] & (columns < O)[None, :]
            left_ptrs = left_rows[:, None] + (columns.to(tl.int64) * stride_co)[None, :]
            left = tl.load(left_ptrs, mask=mask, other=0.0).to(COMPUTE)  # [B, O]
            right = tl.load(left_ptrs + stride_ck, mask=mask, other=0.0).to(COMPUTE)
            gy_ptrs = gy_rows + (columns.to(tl.int64) * stride_go)[None, :]
            acc += tl.load(gy_ptrs, mask=mask, other=0.0).to(COMPUTE) * (right - left)
        gx = tl.sum(acc, axis=1) * per_unit
        gx = tl.where(fraction == fraction, gx, fraction)
        tl.store(gx_ptr + rows * I + feature, gx, mask=row_mask)


@triton.jit
def dense_contract(
    x_ptr,
    c_ptr,
    gy_ptr,
    gx_ptr,
    B,
    I,
    K,
    O,
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
    BLOCK_B: tl.constexpr,
    BLOCK_F: tl.constexpr,
    FEATURE_KNOTS: tl.constexpr,
    BLOCK_O: tl.constexpr,
):
    """Write a tile [B, F] of gx from products gy · c with `FEATURE_KNOTS` knots of each feature.

    Of all products a sample keeps two, at the ends of its interval, so that a number that is not
    finite reaches what it belongs to and nothing else.
    """
    feature_tiles = tl.cdiv(I, BLOCK_F)
    rows = (tl.program_id(0) // feature_tiles).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    first_feature = tl.program_id(0) % feature_tiles * BLOCK_F
    features = first_feature + tl.arange(0, BLOCK_F)
    row_mask = rows < B
    gy_rows = (gy_ptr + rows * stride_gb)[:, None]
    column = tl.arange(0, BLOCK_F * FEATURE_KNOTS)
    c_feature = first_feature + column // FEATURE_KNOTS  # [F k]
    knot = tl.arange(0, FEATURE_KNOTS)
    mask = row_mask[:, None] & (features < I)[None, :]
    x_ptrs = (x_ptr + rows * stride_xb)[:, None] + (features.to(tl.int64) * stride_xi)[None, :]
    x = tl.load(x_ptrs, mask=mask, other=0.0)
    interval, fraction = locate(x, K, SPLINE_WIDTH, COMPUTE)  # [B, F]
    gx = tl.zeros((BLOCK_B, BLOCK_F), COMPUTE)
    for first_knot in range(0, K, FEATURE_KNOTS):
        c_knot = first_knot + column % FEATURE_KNOTS
        c_rows = c_ptr + c_feature.to(tl.int64) * stride_ci + c_knot.to(tl.int64) * stride_ck
        c_mask = (c_feature < I) & (c_knot < K)
        products = tl.zeros((BLOCK_B, BLOCK_F * FEATURE_KNOTS), COMPUTE)
        for first in range(0, O, BLOCK_O):
            columns = first + tl.arange(0, BLOCK_O)
            o_mask = columns < O
            gy_ptrs = gy_rows + (columns.to(tl.int64) * stride_go)[None, :]
            gy = tl.load(gy_ptrs, mask=row_mask[:, None] & o_mask[None, :], other=0.0)  # [B, O]
            c_ptrs = c_rows[:, None] + (columns.to(tl.int64) * stride_co)[None, :]
            c = tl.load(c_ptrs, mask=c_mask[:, None] & o_mask[None, :], other=0.0)  # [F k, O]
            c = tl.trans(c.to(OPERAND))
            products = matmul(gy.to(OPERAND), c, products, PRECISION, INTERPRETED)
        of_knot = tl.reshape(products, (BLOCK_B, BLOCK_F, FEATURE_KNOTS))
        offset = (interval - first_knot)[:, :, None]
        kept = tl.where(knot[None, None, :] == offset + 1, of_knot, 0.0)
        kept -= tl.where(knot[None, None, :] == offset, of_knot, 0.0)
        gx += tl.sum(kept, axis=2)
    gx *= knots_per_unit(K, SPLINE_WIDTH, COMPUTE)
    gx = tl.where(fraction == fraction, gx, fraction)
    tl.store(gx_ptr + (rows * I)[:, None] + features[None, :], gx, mask=mask)
