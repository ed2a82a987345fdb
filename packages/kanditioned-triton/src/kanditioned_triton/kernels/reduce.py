"""The second stage of a split sum: partial sums added in a fixed order, without atomics."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl


@triton.jit
def reduce_partials(partial_ptr, sum_ptr, size, partials, BLOCK: tl.constexpr):
    """Write Σ_n partial[n], with `size` numbers in each."""
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = index < size
    acc = tl.load(partial_ptr + index, mask=mask, other=0.0)
    for n in range(1, partials):
        acc += tl.load(partial_ptr + tl.cast(n, tl.int64) * size + index, mask=mask, other=0.0)
    tl.store(sum_ptr + index, acc, mask=mask)
