"""Everything that needs a GPU, in one command and one file.

    python -m kanditioned_triton.selfcheck --output results.json

1. Every kernel once, what is timed once (in several processes: compiling takes longer than
   measuring), and twice for the same bits.
2. The conformance kit on CUDA, per dtype.
3. compute-sanitizer, memcheck and racecheck, on the small case, where it is installed.
4. The ceilings: matrix product and copy.
5. Times and peak memory of a forward pass and of a training step, see `timings`: against a matrix
   product with as many parameters whose input was expanded beforehand, `nn.Linear`, the compiled
   PyTorch implementations, and kanditioned 1.0.3 where the environment variable KANDITIONED_1X
   names the folder that it is installed in (the first, if it names several).
6. The kit for the PyTorch and JAX backends that are installed.

The file is written after each entry, and a run that finds it goes on with what it lacks: nothing is
lost when a run is cut short. Delete an entry from the file to have it made again. Speed is measured
after correctness, and not at all if something before it failed (`--force` does).
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor

from . import device, launch, measure, timings
from .timings import PRECISIONS

Entry = dict[str, Any]
PROCESSES = min(8, os.cpu_count() or 1)
CORRECTNESS = ("small case", "same bits twice", "conformance", "sanitizer")
SPEED = ("ceilings", "timings")
SECTIONS = CORRECTNESS + SPEED
DTYPES = ("float32", "bfloat16", "float16", "float64")
OURS = "kanditioned_torch.backend:triton"
OTHERS = (
    "kanditioned_torch.backend:embedding",
    "kanditioned_torch.backend:dense",
    "kanditioned_jax.backend:auto",
)


def main(arguments: list[str] | None = None) -> int:
    """Run what is not in the file yet; return 0 if everything in it is correct."""
    parser = argparse.ArgumentParser("python -m kanditioned_triton.selfcheck")
    parser.add_argument("--output", type=Path, default=Path("selfcheck.json"))
    parser.add_argument("--profile", default="dev", help="of the conformance kit (default: dev)")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="run these sections")
    parser.add_argument("--force", action="store_true", help="time even what is not correct")
    parser.add_argument("--small", action="store_true", help="run the small case, write no file")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("no GPU: nothing was checked", file=sys.stderr)
        return 2
    if options.small:
        small_case()
        return 0
    results = begun(options.output)
    for section, name, check in work(options.profile):
        if name in results[section] or section not in (options.only or SECTIONS):
            continue
        if section in SPEED and failures(results, CORRECTNESS) and not options.force:
            continue
        results[section][name] = entry = _recorded(check)
        print(section, name, entry, flush=True)
        options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        if "error" in entry:
            torch.cuda.synchronize()  # raises if the GPU's context is lost, and with it all to come
    failed = failures(results)
    print(f"{'NOT correct' if failed else 'correct'}: {options.output}", *failed, sep="\n")
    return 1 if failed else 0


def begun(output: Path) -> dict[str, Entry]:
    """Return the results in a file, or none yet.

    Raises:
        ValueError: They are of another device or another version.
    """
    here = environment()
    if not output.exists():
        return {"environment": here, **{section: {} for section in SECTIONS}}
    results: dict[str, Entry] = json.loads(output.read_text(encoding="utf-8"))
    before = {**results["environment"], "date": here["date"]}
    if before != here:
        raise ValueError(f"{output} has results of {before}, this is {here}: name another file")
    return results


def failures(results: dict[str, Entry], sections: Iterable[str] = SECTIONS) -> list[str]:
    """Return the names of entries that failed, as opposed to those that passed or only measure."""
    return [
        f"{section}: {name}"
        for section in sections
        for name, entry in results[section].items()
        if not entry.get("passed", "error" not in entry)
    ]


def work(profile: str) -> Iterator[tuple[str, str, Callable[[], Entry]]]:
    """Yield everything there is to do: section, name, and what does it."""
    small = [sys.executable, "-m", "kanditioned_triton.selfcheck", "--small"]
    yield "small case", "all kernels", partial(_outcome, small)
    yield "small case", "all that is timed", once_in_parallel
    for name, check in same_bits_twice():
        yield "same bits twice", name, check
    for dtype in DTYPES:
        yield "conformance", f"{OURS} {dtype}", partial(conformance, OURS, profile, dtype)
    program = shutil.which("compute-sanitizer")
    if program is not None:
        for tool in ("memcheck", "racecheck"):
            command = [program, "--tool", tool, "--error-exitcode", "1", *small]
            yield "sanitizer", tool, partial(_outcome, command)
    yield "ceilings", "all", measure.ceilings
    for name, check in timings.rows():
        yield "timings", name, check
    for backend in OTHERS:
        if importlib.util.find_spec(backend.partition(".")[0]) is not None:
            yield "conformance", backend, partial(conformance, backend, profile)


def environment() -> dict[str, Any]:
    """Return device, versions and date."""
    properties = torch.cuda.get_device_properties(0)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "device": properties.name,
        "multiprocessors": properties.multi_processor_count,
        "memory bytes": properties.total_memory,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "triton": triton.__version__,
    }


def conformance(backend: str, profile: str, dtype: str | None = None) -> Entry:
    """Run the kit on CUDA, in several processes if pytest-xdist is installed."""
    command = [
        *("-m", "pytest", "-q", "--pyargs", "kanditioned_conformance.chapters"),
        *("-p", "kanditioned_conformance.plugin", "-p", "no:cacheprovider", "-W", "default"),
        *("--kan-device", "cuda", "--kan-backend", backend, "--kan-profile", profile),
    ]
    if dtype is not None:
        command += ["--kan-dtype", dtype]
    if importlib.util.find_spec("xdist") is not None:
        command += ["-n", str(PROCESSES)]
    return _outcome([sys.executable, *command])


def small_case() -> None:
    """Run every kernel once, with tails in every direction."""
    for shape in ((70, 9, 19, 5), (70, 5, 11, 37), (150, 3, 9, 140), (1, 40, 3, 8)):
        for dtype in (torch.float32, torch.bfloat16):
            for contraction in _contractions(shape, dtype, "highest").values():
                contraction().cpu()  # waits for it


def once_in_parallel() -> Entry:
    """Run our kernels at every shape that is timed, so that Triton's cache on disk has them."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context) as pool:
        runs = [
            pool.submit(_once, shape, *precision)
            for shape in timings.SHAPES
            for precision in PRECISIONS
        ]
        for run in runs:
            run.result()
    return {"passed": True}


def _once(shape: timings.Shape, dtype: torch.dtype, precision: str) -> None:
    contractions = _contractions(shape, dtype, precision)
    for name in ("interpolate", "contract", "accumulate"):
        contractions[name]().cpu()  # waits for it


def same_bits_twice() -> Iterator[tuple[str, Callable[[], Entry]]]:
    """Yield a name and what runs every contraction twice on one input and compares bits."""
    for shape in ((8192, 256, 256, 8), (8192, 256, 256, 128), (4096, 16, 16, 64)):
        for dtype, precision in PRECISIONS:
            yield f"{shape}, {dtype}, {precision}", partial(_same_bits, shape, dtype, precision)


def _same_bits(shape: timings.Shape, dtype: torch.dtype, precision: str) -> Entry:
    different = [
        name
        for name, contraction in _contractions(shape, dtype, precision).items()
        if not torch.equal(contraction(), contraction())
    ]
    return {"passed": not different, "different": different}


def _contractions(
    shape: timings.Shape, dtype: torch.dtype, precision: str
) -> dict[str, Callable[[], Tensor]]:
    batch, in_features, out_features, count = shape
    sizes = ((batch, in_features), (in_features, count, out_features), (batch, out_features))
    x, c, gy = (torch.randn(size, device=device.KIND).to(dtype) for size in sizes)
    v = torch.randn_like(x)
    last = (4.0, dtype, precision)
    return {
        "interpolate": lambda: launch.interpolate(x, None, c, *last),
        "interpolate along": lambda: launch.interpolate(x, v, c, *last),
        "contract": lambda: launch.contract(x, c, gy, *last),
        "accumulate": lambda: launch.accumulate(x, None, gy, count, *last),
        "accumulate along": lambda: launch.accumulate(x, v, gy, count, *last),
    }


def _recorded(check: Callable[[], Entry]) -> Entry:
    """Return what a check says, or the error that it ended with."""
    try:
        return check()
    except Exception:  # an entry that breaks is a result, and the others are wanted
        return {"error": traceback.format_exc()[-3000:]}


def _outcome(command: list[str]) -> Entry:
    # JAX would reserve most of the memory that several processes share.
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    tail = (run.stdout + run.stderr)[-3000:]
    entry: Entry = {"command": command[1:], "tail": tail}
    if "Device not supported" in tail:  # compute-sanitizer, under some virtual machines
        return entry
    return {"passed": run.returncode == 0, **entry}


if __name__ == "__main__":
    sys.exit(main())
