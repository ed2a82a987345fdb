"""Peak memory of one step beyond what was there before it, in a process of its own.

On a GPU it is what PyTorch allocates. On a CPU it is the peak of the resident set, which the kernel
(Linux) resets on request; the C allocator is told to give memory back at once, so that what earlier
steps freed is not reused unseen.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import subprocess
import sys
from pathlib import Path

import torch

from kanditioned_spec.costs import Sizes

from .cases import Case
from .competitors import COMPETITORS, Competitor
from .environments import without_native_kernels
from .steps import build

_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def peak_mib(
    competitor: Competitor, case: Case, folder: Path, threads: int, *, stock: bool = False
) -> float:
    """Measure one step of a competitor in a subprocess.

    Args:
        competitor: Whose layer.
        case: What it computes.
        folder: Where competitors are installed.
        threads: Number of threads.
        stock: Hide our native CPU kernels.

    Raises:
        RuntimeError: The subprocess failed; its last line of output is in the message.
    """
    sizes = [str(size) for size in case.shape]
    options = [case.mode, case.precision, case.device, str(folder.resolve()), str(threads)]
    flags = ["--stock"] if stock else []
    finished = subprocess.run(
        [sys.executable, "-m", __spec__.name, competitor.label, *options, *sizes, *flags],
        env={**os.environ, **_ALLOCATOR},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        last = (finished.stderr.strip().splitlines() or ["no output"])[-1]
        raise RuntimeError(f"{competitor.label}: {last}")
    return float(finished.stdout.split()[-1])


def _measure(competitor: Competitor, case: Case, folder: Path) -> float:
    step = build(competitor, case, folder)
    for seed in range(3):
        step.synchronize(step.run(*step.inputs(seed)))
    inputs = step.inputs(3)
    gc.collect()
    if case.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step.synchronize(step.run(*inputs))
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    step.synchronize(step.run(*inputs))
    return (_resident("VmHWM") - before) / 1024


def _resident(field: str) -> int:
    """Return a field of /proc/self/status in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def main() -> None:
    """Measure what the command line says and print MiB."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("label", "mode", "precision", "device", "folder"):
        parser.add_argument(name)
    parser.add_argument("threads", type=int)
    parser.add_argument("sizes", type=int, nargs=4)
    parser.add_argument("--stock", action="store_true")
    given = parser.parse_args()
    if given.stock:
        without_native_kernels()
    torch.set_num_threads(given.threads)
    case = Case(Sizes(*given.sizes), given.mode, given.precision, given.device)
    competitor = next(c for c in COMPETITORS if c.label == given.label)
    print(_measure(competitor, case, Path(given.folder)))


if __name__ == "__main__":
    main()
