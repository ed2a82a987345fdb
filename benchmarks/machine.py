"""The machine: what it is, and what it can do at most."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import statistics
import subprocess
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

RATES = ("matmul_highest", "matmul_high", "matmul_bfloat16", "copy")
"""What `ceilings` measures: flop/s, and bytes/s read and written."""
PACKAGES = ("torch", "jax", "triton", "numpy", "kanditioned-spec")


def check_device(parser: argparse.ArgumentParser, device: str) -> None:
    """End with a usage error if a GPU is asked for and PyTorch sees none."""
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda needs a GPU that PyTorch sees, got none; try --device cpu")


def description(device: str, threads: int) -> dict[str, Any]:
    """Return what every row of results carries: date, device, threads, versions, our commit."""
    name = torch.cuda.get_device_name() if device == "cuda" else _processor()
    return {
        "date": datetime.date.today().isoformat(),
        "device": name,
        "threads": threads,
        "load": round(os.getloadavg()[0], 1),
        "versions": _versions(),
    }


def ceilings(device: str, clock: Callable[[], float]) -> dict[str, float]:
    """Measure the best rates of matrix products (flop/s) and of copying (bytes/s)."""
    size = 8192 if device == "cuda" else 1024
    rates: dict[str, float] = {}
    precisions = [("highest", torch.float32), ("high", torch.float32), ("bfloat16", torch.bfloat16)]
    for precision, dtype in precisions if device == "cuda" else precisions[::2]:
        torch.set_float32_matmul_precision("high" if precision == "high" else "highest")
        a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        rates[f"matmul_{precision}"] = (
            2 * size**3 / _best(partial(torch.matmul, a, b), device, clock)
        )
    torch.set_float32_matmul_precision("highest")
    source = torch.randn(2**28 if device == "cuda" else 2**25, device=device)
    target = torch.empty_like(source)
    rates["copy"] = 2 * 4 * source.numel() / _best(lambda: target.copy_(source), device, clock)
    return rates


def _best(run: Callable[[], Any], device: str, clock: Callable[[], float]) -> float:
    """Return the lower quartile of ten calls' seconds."""
    seconds = []
    for _ in range(12):
        start = clock()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(clock() - start)
    return statistics.quantiles(seconds[2:], n=4)[0]


@lru_cache
def _versions() -> str:
    numbers = [
        ("python", platform.python_version()),
        *((name, _version(name)) for name in PACKAGES),
    ]
    installed = ", ".join(f"{name} {version}" for name, version in numbers if version)
    return f"{installed} at {commit}" if (commit := _commit()) else installed


def _commit() -> str:
    """Return the commit of this checkout, with a plus if it was changed; nothing without git."""

    def git(*arguments: str) -> str:
        folder = Path(__file__).parent.parent
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", ".", ":!benchmarks/results")
        return git("rev-parse", "--short", "HEAD") + "+" * bool(changed)
    except FileNotFoundError:
        return ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
