"""Times and memory of calls on the GPU at hand, and the two ceilings that bind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import triton.testing

CEILING_SIDE = 8192
"""Side of the square matrices, and square root of the numbers copied."""


def median_ms(call: Callable[[], Any], warmup_ms: int = 50, repeat_ms: int = 200) -> float:
    """Return the median time of a call between device events, with a cold L2 cache."""
    time = triton.testing.do_bench(call, warmup=warmup_ms, rep=repeat_ms, return_mode="median")
    return float(time)


def peak_bytes(call: Callable[[], Any]) -> int:
    """Return how much more memory is allocated during a call than before it."""
    call()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def matmul_rate(dtype: torch.dtype, *, tf32: bool = False) -> float:
    """Return flop/s of a large square product of random matrices."""
    a, b = (torch.randn(CEILING_SIDE, CEILING_SIDE, device="cuda").to(dtype) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        seconds = median_ms(lambda: a @ b) / 1e3
    finally:
        torch.set_float32_matmul_precision(before)
    return 2 * CEILING_SIDE**3 / seconds


def copy_rate() -> float:
    """Return bytes read and written per second by a large copy on the device."""
    source = torch.randn(4 * CEILING_SIDE, CEILING_SIDE, device="cuda")
    target = torch.empty_like(source)
    seconds = median_ms(lambda: target.copy_(source)) / 1e3
    return 2 * source.numel() * source.element_size() / seconds


def ceilings() -> dict[str, float]:
    """Return both ceilings: the matrix products of each format, and the copy."""
    return {
        "bfloat16 flop/s": matmul_rate(torch.bfloat16),
        "tf32 flop/s": matmul_rate(torch.float32, tf32=True),
        "float32 flop/s": matmul_rate(torch.float32),
        "copy bytes/s": copy_rate(),
    }
