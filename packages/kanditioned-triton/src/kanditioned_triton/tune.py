"""Measure tile sizes on the GPU at hand and write them into the table.

    python -m kanditioned_triton.tune                 print the table with this GPU's part measured
    python -m kanditioned_triton.tune --write         and store it in the package
    python -m kanditioned_triton.tune --output FILE   or elsewhere (see `configs`)

For each kernel and operand size the candidates are the table's own entry and its neighbours: each
side halved or doubled, half or twice the warps, one stage fewer or more. What does not compile,
spills or does not fit is left out by the error it raises or by its time. The best geometric mean
over `SHAPES` wins. This takes minutes, and is never done while a layer runs.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from triton.compiler.errors import CompilationError
from triton.runtime.errors import OutOfResources, PTXASError

from . import configs, device, launch, measure
from .configs import Config
from .selfcheck import environment

SHAPES = ((8192, 1024, 1024), (4096, 256, 256), (512, 512, 512))
"""(B, I, O)."""
COUNTS = {"lookup": 128, "bucketed_accumulate": 128}
"""K by the first word of a kernel's name or the whole; 16 for the others."""
DTYPES = {16: torch.bfloat16, 32: torch.float32, 64: torch.float64}


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print or store the table."""
    parser = argparse.ArgumentParser("python -m kanditioned_triton.tune")
    parser.add_argument("--write", action="store_true", help="store the table in the package")
    parser.add_argument("--output", type=Path, help="store the table here")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("no GPU: nothing was measured", file=sys.stderr)
        return 2
    contents = measured()
    target = Path(str(files(__package__) / "configs.json")) if options.write else options.output
    if target is None:
        print(configs.text(contents), end="")
    else:
        target.write_text(configs.text(contents), encoding="utf-8")
    return 0


def autotune() -> None:
    """Measure the tile sizes on the GPU at hand and use them in this process. Takes minutes."""
    configs.use(measured())


def measured() -> dict[str, Any]:
    """Return the table with this GPU's part measured."""
    family = _family()
    best: dict[tuple[str, int], Config] = {}
    for row in configs.rows():
        for bits in row["bits"] if row["family"] == family else ():
            entry = (row["kernel"], bits)
            if entry not in best:
                best[entry] = fastest(*entry, Config(**row["config"]))
                print(*entry, best[entry], file=sys.stderr, flush=True)
    return configs.replaced(family, best, environment())


def neighbours(config: Config) -> Iterator[Config]:
    """Yield a config and those that differ from it in one respect."""
    yield config
    for name in ("block_b", "block_g", "block_o", "num_warps"):
        for value in (getattr(config, name) // 2, getattr(config, name) * 2):
            if value >= (1 if name in ("block_g", "num_warps") else configs.SMALLEST):
                yield replace(config, **{name: value})
    for stages in (config.num_stages - 1, config.num_stages + 1):
        if stages >= 1:
            yield replace(config, num_stages=stages)


def fastest(kernel: str, bits: int, start: Config) -> Config:
    """Return the fastest of a config and its neighbours."""
    calls = [_call(kernel, bits, shape) for shape in SHAPES]
    times = {config: _mean_ms(kernel, bits, config, calls) for config in neighbours(start)}
    return min(times, key=times.__getitem__)


def _mean_ms(kernel: str, bits: int, config: Config, calls: list[Callable[[], Tensor]]) -> float:
    """Return the geometric mean of times with `config`, infinite if it does not run."""
    is_lookup = kernel.startswith(("lookup", "bucket"))
    contents = configs.replaced(
        _family(), {(kernel, bits): config}, dense_up_to=0 if is_lookup else sys.maxsize
    )
    with configs.using(contents):
        try:
            times = [measure.median_ms(call) for call in calls]
        except (OutOfResources, CompilationError, PTXASError):
            return math.inf
    return math.prod(times) ** (1 / len(times))


def _family() -> str:
    return device.of(torch.empty(0, device=device.KIND)).family


def _call(kernel: str, bits: int, shape: tuple[int, int, int]) -> Callable[[], Tensor]:
    """Return the contraction that runs `kernel`, on random tensors."""
    batch, inputs, outputs = shape
    count = COUNTS.get(kernel, COUNTS.get(kernel.partition("_")[0], 16))
    sizes = ((batch, inputs), (inputs, count, outputs), (batch, outputs))
    x, c, gy = (torch.randn(size, device=device.KIND).to(DTYPES[bits]) for size in sizes)
    last = (4.0, x.dtype, "medium" if bits == 16 else "highest")
    if "interpolate" in kernel:
        return lambda: launch.interpolate(x, None, c, *last)
    if "contract" in kernel:
        return lambda: launch.contract(x, c, gy, *last)
    return lambda: launch.accumulate(x, None, gy, count, *last)


if __name__ == "__main__":
    sys.exit(main())
