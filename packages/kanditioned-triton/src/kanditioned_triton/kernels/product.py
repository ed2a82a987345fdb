"""Products on matrix units, at the precision that was asked for."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl


@triton.jit
def multiply_add(
    weights,
    values,
    acc,
    OPERAND: tl.constexpr,
    PARTS: tl.constexpr,
    PRECISION: tl.constexpr,
    INTERPRETED: tl.constexpr,
):
    """Return acc + weights @ values.

    The weights are a sum of `PARTS` numbers of the format `OPERAND`, each the rounding of what the
    ones before leave: three bfloat16, or two float16, carry all digits of a float32. Values that
    are stored in `OPERAND` are exact.
    """
    values = values.to(OPERAND)
    part = weights.to(OPERAND)
    acc = matmul(part, values, acc, PRECISION, INTERPRETED)
    for _ in tl.static_range(PARTS - 1):
        weights = weights - part.to(weights.dtype)
        part = weights.to(OPERAND)
        acc = matmul(part, values, acc, PRECISION, INTERPRETED)
    return acc


@triton.jit
def matmul(a, b, acc, PRECISION: tl.constexpr, INTERPRETED: tl.constexpr):
    """Return acc + a @ b, accumulated in the dtype of `acc`.

    The interpreter multiplies 16-bit factors wrongly, so they are widened there. float64 is kept
    off the matrix units: Triton 3.7.1 does not compile every shape for them.
    """
    if a.dtype == tl.float64:
        return acc + tl.sum(a[:, :, None] * b[None, :, :], axis=1)
    if INTERPRETED:
        a = a.to(acc.dtype)
        b = b.to(acc.dtype)
    return tl.dot(a, b, acc, input_precision=PRECISION, out_dtype=acc.dtype)


@triton.jit
def is_finite(acc):
    """Whether every number of a tile [M, N] is finite."""
    spoiled = tl.where(acc - acc == 0, 0, 1)
    return tl.max(spoiled) == 0
