"""Times and memory of calls on the GPU at hand, the ceilings that bind them, and where that was."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import triton
import triton.testing

from . import device

CEILING_SIDE = 64 if device.INTERPRETED else 8192
"""Side of the square matrices, and square root of the numbers copied."""


def environment() -> dict[str, Any] | None:
    """Return device, versions and date, or nothing without a GPU."""
    where: dict[str, Any] = {"device": "interpreter"}
    if not device.INTERPRETED:
        if not torch.cuda.is_available():
            return None
        properties = torch.cuda.get_device_properties(0)
        where = {
            "device": properties.name,
            "multiprocessors": properties.multi_processor_count,
            "memory bytes": properties.total_memory,
        }
    return where | {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "triton": triton.__version__,
    }


def commit() -> str | None:
    """Return the commit that `KANDITIONED_COMMIT` names, or that of the clone at hand, if any."""
    named = os.environ.get("KANDITIONED_COMMIT")
    if named:
        return named
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return None
    return run.stdout.strip() or None


def synchronize() -> None:
    """Wait for the GPU, and raise what it has failed with."""
    if not device.INTERPRETED:
        torch.cuda.synchronize()


def alive() -> bool:
    """Return whether the GPU still computes in this process; an illegal access ends that."""
    try:
        torch.cuda.empty_cache()
        synchronize()
    except RuntimeError:
        return False
    return True


def quantiles_ms(call: Callable[[], Any], warmup_ms: int = 15, repeat_ms: int = 60) -> list[float]:
    """Return the time of a call that 20, 50 and 80 % stay below, with a cold L2 cache."""
    if device.INTERPRETED:
        began = time.perf_counter()
        call()
        return [(time.perf_counter() - began) * 1e3] * 3
    levels = [0.2, 0.5, 0.8]
    times = triton.testing.do_bench(call, warmup=warmup_ms, rep=repeat_ms, quantiles=levels)
    return [round(float(t), 5) for t in times]


def median_ms(call: Callable[[], Any], warmup_ms: int = 15, repeat_ms: int = 60) -> float:
    """Return the median time of a call between device events, with a cold L2 cache."""
    return quantiles_ms(call, warmup_ms, repeat_ms)[1]


def peak_bytes(call: Callable[[], Any]) -> int:
    """Return how much more memory is allocated during a call than before it."""
    call()
    if device.INTERPRETED:
        return 0
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def matmul_rate(dtype: torch.dtype, *, tf32: bool = False) -> float:
    """Return flop/s of a large square product of random matrices."""
    a, b = (torch.randn(CEILING_SIDE, CEILING_SIDE, device=device.KIND).to(dtype) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        seconds = median_ms(lambda: a @ b) / 1e3
    finally:
        torch.set_float32_matmul_precision(before)
    return 2 * CEILING_SIDE**3 / seconds


def copy_rate() -> float:
    """Return bytes read and written per second by a large copy on the device."""
    source = torch.randn(4 * CEILING_SIDE, CEILING_SIDE, device=device.KIND)
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
