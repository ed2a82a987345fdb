"""The second stage of a sum that several programs share: in a fixed order, without atomics."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Annotations are objects here, not strings: Triton reads `tl.constexpr` from them.
import triton
import triton.language as tl


@triton.jit
def sum_shares(share_ptr, sum_ptr, size, shares, BLOCK: tl.constexpr):
    """Write Σ_s share[s], with `size` numbers in a share."""
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = index < size
    acc = tl.load(share_ptr + index, mask=mask, other=0.0)
    for share in range(1, shares):
        acc += tl.load(share_ptr + tl.cast(share, tl.int64) * size + index, mask=mask, other=0.0)
    tl.store(sum_ptr + index, acc, mask=mask)
