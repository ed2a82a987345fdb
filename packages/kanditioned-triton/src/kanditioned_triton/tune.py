"""Measure tile sizes on the GPU at hand and write them into the table.

    python -m kanditioned_triton.tune                 print the table with this GPU's part measured
    python -m kanditioned_triton.tune --write         and store it in the package
    python -m kanditioned_triton.tune --output FILE   or elsewhere (see `configs`)
    python -m kanditioned_triton.tune --kernel NAME   measure this kernel, may be repeated
    python -m kanditioned_triton.tune --budget 300    begin no entry after so many seconds

For each kernel and precision the candidates are the table's own entry and its neighbours: each
side halved or doubled, half or twice the warps, one stage fewer or more. What does not compile,
spills or does not fit is left out by the error it raises or by its time. The best geometric mean
over `SHAPES` wins. bfloat16 comes first, and what a step runs most. The table is stored after each
entry; `KANDITIONED_TRITON_CONFIGS=FILE` goes on from what a run that was cut short has stored.

This takes minutes, and is never done while a layer runs. `autotune` does it for one layer, in the
process that calls it.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from triton.compiler.errors import CompilationError
from triton.runtime.errors import OutOfResources, PTXASError

from kanditioned_torch.precision import default_precision

from . import configs, device, launch, measure
from .configs import Config
from .measure import environment

SHAPES = ((8192, 1024, 1024), (4096, 256, 256), (512, 512, 512))
"""(B, I, O)."""
COUNTS = {"lookup": 128, "bucketed_accumulate": 128}
"""K by the first word of a kernel's name or the whole; 16 for the others."""
DTYPES = {
    "medium": torch.bfloat16,
    "high": torch.float32,
    "highest": torch.float32,
    "float64": torch.float64,
}
"""What is measured at a precision of the table, in this order."""
FIRST = ("dense_interpolate", "accumulate")
"""Kernels that are measured before the others."""


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print or store the table."""
    parser = argparse.ArgumentParser("python -m kanditioned_triton.tune")
    parser.add_argument("--write", action="store_true", help="store the table in the package")
    parser.add_argument("--output", type=Path, help="store the table here")
    names = sorted({row["kernel"] for row in configs.rows()})
    parser.add_argument("--kernel", action="append", choices=names, default=[], help="measure this")
    parser.add_argument("--budget", type=float, default=math.inf, metavar="SECONDS")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("no GPU: nothing was measured", file=sys.stderr)
        return 2
    target = Path(str(files(__package__) / "configs.json")) if options.write else options.output
    end = time.monotonic() + options.budget
    for entry in entries(_family(), options.kernel):
        if time.monotonic() >= end:
            print(f"no time left for {' '.join(entry)} and what follows it", file=sys.stderr)
            break
        configs.use(measure_entries([entry]))
        if target is not None:  # after each, so that nothing is lost if this is cut short
            target.write_text(configs.text(configs.table()), encoding="utf-8")
    if target is None:
        print(configs.text(configs.table()), end="")
    return 0


def autotune(
    batch: int,
    in_features: int,
    out_features: int,
    num_control_points: int,
    dtype: torch.dtype = torch.float32,
    precision: str | None = None,
) -> None:
    """Measure tile sizes for a layer and use the fastest in this process, from here on.

    The kernels that a training step of the layer runs are measured, at the size given; other layers
    that run them at the same precision use the same tiles. Takes minutes: each of three to four
    kernels is compiled for eleven candidates.

    Args:
        batch: Number of rows, B.
        in_features: Number of inputs, I.
        out_features: Number of outputs, O.
        num_control_points: Number of control points of each function, K.
        dtype: Of inputs and parameters.
        precision: As in `KANLayer`.
    """
    calls = _contractions((batch, in_features, out_features), num_control_points, dtype, precision)
    best: dict[tuple[str, str], Config] = {}
    for call in calls.values():
        with configs.using(configs.table()) as found:
            call()
        for (_, kernel, level), start in found.items():
            best[kernel, level] = fastest(kernel, level, start, [call])
    configs.use(configs.replace_entries(_family(), best))


def entries(family: str, kernels: Collection[str] = ()) -> list[tuple[str, str]]:
    """Return kernel and precision of a family's entries, what matters most first.

    Args:
        family: The family.
        kernels: Only these, if any is named.
    """
    found = {
        (row["kernel"], precision)
        for row in configs.rows()
        if row["family"] == family and (not kernels or row["kernel"] in kernels)
        for precision in row["precision"]
    }
    levels = list(DTYPES)
    return sorted(found, key=lambda entry: (levels.index(entry[1]), entry[0] not in FIRST, entry))


def measure_entries(some: Collection[tuple[str, str]]) -> dict[str, Any]:
    """Return the table with entries of this GPU, kernel and precision, measured."""
    family = _family()
    best: dict[tuple[str, str], Config] = {}
    for entry in some:
        best[entry] = _of_table(*entry, configs.config(family, *entry))
        print(*entry, best[entry], file=sys.stderr, flush=True)
    return configs.replace_entries(family, best, environment())


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


def fastest(
    kernel: str,
    precision: str,
    start: Config,
    calls: list[Callable[[], Tensor]],
    dense_up_to: int | None = None,
) -> Config:
    """Return the fastest of a config and its neighbours, for calls that run the kernel.

    Args:
        kernel: The kernel.
        precision: Of its entry.
        start: The config.
        calls: What is measured.
        dense_up_to: As in `configs.replace_entries`.
    """

    def mean_ms(config: Config) -> float:
        contents = configs.replace_entries(
            _family(), {(kernel, precision): config}, dense_up_to=dense_up_to
        )
        with configs.using(contents):
            try:
                times = [measure.median_ms(call) for call in calls]
            except (OutOfResources, CompilationError, PTXASError):
                return math.inf
        return math.prod(times) ** (1 / len(times))

    return min(neighbours(start), key=mean_ms)


def _of_table(kernel: str, precision: str, start: Config) -> Config:
    """Return the fastest config over `SHAPES`, at a K that the table need not choose it for."""
    count = COUNTS.get(kernel, COUNTS.get(kernel.partition("_")[0], 16))
    contraction = kernel.partition("_")[2] or "accumulate"
    calls = [
        _contractions(shape, count, DTYPES[precision], _ask(precision))[contraction]
        for shape in SHAPES
    ]
    is_lookup = kernel.startswith(("lookup", "bucketed"))
    return fastest(kernel, precision, start, calls, dense_up_to=0 if is_lookup else sys.maxsize)


def _ask(precision: str) -> str:
    return "highest" if precision == "float64" else precision


def _family() -> str:
    return device.of(torch.empty(0, device=device.KIND)).family


def _contractions(
    shape: tuple[int, int, int], count: int, dtype: torch.dtype, precision: str | None = None
) -> dict[str, Callable[[], Tensor]]:
    """Return the three contractions of a layer by name, on random tensors."""
    batch, inputs, outputs = shape
    sizes = ((batch, inputs), (inputs, count, outputs), (batch, outputs))
    x, c, gy = (torch.randn(size, device=device.KIND).to(dtype) for size in sizes)
    last = (4.0, dtype, precision or default_precision(dtype))
    return {
        "interpolate": lambda: launch.interpolate(x, None, c, *last),
        "contract": lambda: launch.contract(x, c, gy, *last),
        "accumulate": lambda: launch.accumulate(x, None, gy, count, *last),
    }


if __name__ == "__main__":
    sys.exit(main())
