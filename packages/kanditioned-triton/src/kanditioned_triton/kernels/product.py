"""Products on matrix units, at the precision that was asked for."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl


@triton.jit
def add_product(
    a,
    b,
    acc,
    OPERAND: tl.constexpr,
    A_PARTS: tl.constexpr,
    B_PARTS: tl.constexpr,
    IS_EXACT: tl.constexpr,
    INTERPRETED: tl.constexpr,
    IS_GUARDED: tl.constexpr = False,
):
    """Return acc + a @ b.

    Each factor is the sum of up to three numbers of the format `OPERAND`, leading digits first:
    three bfloat16 carry all digits of a float32. Of the products of parts those are taken that
    count at the precision of the factor with more parts, the small ones first.

    Args:
        IS_EXACT: Add the product to `acc` outside of the matrix unit. Inside, digits are cut off
            and not rounded: after 3072 additions in a row 5e-5 of a sum was lost (H200, 2026-11).
        IS_GUARDED: An infinity is the sum of itself and nothing, otherwise of itself and NaN.
    """
    total = acc
    if IS_EXACT:
        total = tl.zeros_like(acc)
    a_1 = leading(a, OPERAND, A_PARTS)
    b_1 = leading(b, OPERAND, B_PARTS)
    if A_PARTS >= 2:
        a = remaining(a, OPERAND, IS_GUARDED)
        a_2 = leading(a, OPERAND, A_PARTS - 1)
    if B_PARTS >= 2:
        b = remaining(b, OPERAND, IS_GUARDED)
        b_2 = leading(b, OPERAND, B_PARTS - 1)
    if A_PARTS >= 3:
        a_3 = leading(remaining(a, OPERAND, False), OPERAND, 1)
        total = matmul(a_3, b_1, total, INTERPRETED)
    if B_PARTS >= 3:
        b_3 = leading(remaining(b, OPERAND, False), OPERAND, 1)
        total = matmul(a_1, b_3, total, INTERPRETED)
    if A_PARTS >= 2 and B_PARTS >= 2 and A_PARTS + B_PARTS >= 5:
        total = matmul(a_2, b_2, total, INTERPRETED)
    if A_PARTS >= 2:
        total = matmul(a_2, b_1, total, INTERPRETED)
    if B_PARTS >= 2:
        total = matmul(a_1, b_2, total, INTERPRETED)
    total = matmul(a_1, b_1, total, INTERPRETED)
    return acc + total if IS_EXACT else total


@triton.jit
def leading(x, OPERAND: tl.constexpr, PARTS: tl.constexpr):
    """Return the first of `PARTS` parts of x: the only one is rounded, others are cut off."""
    if PARTS > 1:
        x = cut(x, OPERAND)
    return x.to(OPERAND)


@triton.jit
def remaining(x, OPERAND: tl.constexpr, IS_GUARDED: tl.constexpr):
    """Return what the first part leaves of x, exactly; if guarded, nothing of an infinity."""
    rest = x.to(tl.float32) - cut(x, OPERAND)
    return tl.where(rest == rest, rest, 0.0) if IS_GUARDED else rest


@triton.jit
def cut(x, OPERAND: tl.constexpr):
    """Return a float32 with the leading digits of x, as many as `OPERAND` has.

    A bfloat16 is the upper half of a float32: a mask, which takes a fourth of the time of rounding.
    """
    x = x.to(tl.float32)
    if OPERAND.is_fp16():
        return x.to(OPERAND).to(tl.float32)
    return (x.to(tl.int32, bitcast=True) & -65536).to(tl.float32, bitcast=True)


@triton.jit
def matmul(a, b, acc, INTERPRETED: tl.constexpr):
    """Return acc + a @ b, accumulated in the dtype of `acc`.

    The interpreter multiplies 16-bit factors wrongly, so they are widened there. float64 is kept
    off the matrix units: Triton 3.7.1 does not compile every shape for them. float32 factors are
    rounded to TF32.
    """
    if a.dtype == tl.float64:
        return acc + tl.sum(a[:, :, None] * b[None, :, :], axis=1)
    if INTERPRETED:
        a = a.to(acc.dtype)
        b = b.to(acc.dtype)
    if a.dtype == tl.float32:
        return tl.dot(a, b, acc, input_precision="tf32", out_dtype=acc.dtype)
    return tl.dot(a, b, acc, out_dtype=acc.dtype)


@triton.jit
def is_finite(acc):
    """Whether every number of a tile [M, N] is finite."""
    spoiled = tl.where(acc - acc == 0, 0, 1)
    return tl.max(spoiled) == 0
