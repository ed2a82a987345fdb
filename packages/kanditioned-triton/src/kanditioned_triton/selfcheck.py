"""Everything that needs a GPU, in one command and one file.

    python -m kanditioned_triton.selfcheck --output results.json

1. The conformance kit on CUDA, for the triton, torch and jax backends that are installed.
2. compute-sanitizer, memcheck and racecheck, on a small case, where it is installed.
3. Two runs of every contraction: the same bits.
4. The ceilings: matrix product and copy.
5. Times and peak memory of a forward pass and of a training step at `SHAPES`, against the compiled
   PyTorch implementations, a matrix product with as many parameters whose input was expanded
   beforehand, `nn.Linear`, and kanditioned 1.0.3 where the environment variable KANDITIONED_1X
   names a folder that it is installed in.

Speed is measured after correctness, and not at all if that failed (`--force` does).
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor, nn

from kanditioned_torch import KANLayer

from . import device, launch, measure

SHAPES = (
    *((8192, 1024, 1024, count) for count in (8, 16, 32, 64, 256)),
    (8192, 256, 256, 128),
    (65536, 256, 256, 32),
    (1024, 4096, 4096, 8),
    (64, 64, 64, 8),
    (1, 1024, 1024, 8),
)
"""(B, I, O, K)."""
PRECISIONS = (
    (torch.bfloat16, "medium"),
    (torch.float32, "high"),
    (torch.float32, "highest"),
)
STOCK = ("embedding", "dense")
BACKENDS = (
    "kanditioned_torch.backend:triton",
    "kanditioned_torch.backend:embedding",
    "kanditioned_torch.backend:dense",
    "kanditioned_jax.backend:auto",
)


def main(arguments: list[str] | None = None) -> int:
    """Run all parts and write the results; return 0 if everything that was run is correct."""
    parser = argparse.ArgumentParser("python -m kanditioned_triton.selfcheck")
    parser.add_argument("--output", type=Path, default=Path("selfcheck.json"))
    parser.add_argument("--profile", default="ci", help="of the conformance kit (default: ci)")
    parser.add_argument("--skip-kit", action="store_true", help="leave the conformance kit out")
    parser.add_argument("--force", action="store_true", help="time even what is not correct")
    parser.add_argument("--small", action="store_true", help="run the small case alone")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("no GPU: nothing was checked", file=sys.stderr)
        return 2
    if options.small:
        small_case()
        return 0
    results: dict[str, Any] = {"environment": environment()}
    results["conformance"] = {} if options.skip_kit else conformance(options.profile)
    results["sanitizer"] = sanitizer()
    results["same bits twice"] = same_bits_twice()
    is_correct = all(
        part["passed"]
        for section in ("conformance", "sanitizer", "same bits twice")
        for part in results[section].values()
    )
    if is_correct or options.force:
        results["ceilings"] = measure.ceilings()
        results["timings"] = []
        for row in timings():
            print(row, flush=True)
            results["timings"].append(row)
    options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"{'correct' if is_correct else 'NOT correct'}: {options.output}")
    return 0 if is_correct else 1


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


def conformance(profile: str) -> dict[str, Any]:
    """Run the kit on CUDA for each backend whose package is installed."""
    results = {}
    for backend in BACKENDS:
        if importlib.util.find_spec(backend.partition(".")[0]) is None:
            continue
        command = [
            *("-m", "pytest", "-q", "--pyargs", "kanditioned_conformance.chapters"),
            *("-p", "kanditioned_conformance.plugin", "--kan-device", "cuda"),
            *("--kan-backend", backend, "--kan-profile", profile),
        ]
        results[backend] = _outcome([sys.executable, *command])
    return results


def sanitizer() -> dict[str, Any]:
    """Run the small case under compute-sanitizer, if it is on the path."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        return {}
    small = [sys.executable, "-m", "kanditioned_triton.selfcheck", "--small"]
    return {
        tool: _outcome([program, "--tool", tool, "--error-exitcode", "1", *small])
        for tool in ("memcheck", "racecheck")
    }


def small_case() -> None:
    """Run every kernel once, with tails in every direction."""
    for shape in ((70, 9, 19, 5), (70, 5, 11, 37), (150, 3, 9, 140), (1, 40, 3, 8)):
        for dtype in (torch.float32, torch.bfloat16):
            for contraction in _contractions(shape, dtype, "highest").values():
                contraction().cpu()  # waits for it


def same_bits_twice() -> dict[str, Any]:
    """Run every contraction twice on one input and compare bits."""
    results = {}
    for shape in ((8192, 256, 256, 8), (8192, 256, 256, 128), (4096, 16, 16, 64)):
        for dtype, precision in PRECISIONS:
            for name, contraction in _contractions(shape, dtype, precision).items():
                passed = torch.equal(contraction(), contraction())
                results[f"{name} {shape} {dtype} {precision}"] = {"passed": passed}
    return results


def _contractions(
    shape: tuple[int, int, int, int], dtype: torch.dtype, precision: str
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


def timings() -> Iterator[dict[str, Any]]:
    """Yield a row per shape, dtype, precision and competitor."""
    for shape in SHAPES:
        for dtype, precision in PRECISIONS:
            torch.set_float32_matmul_precision(precision)
            for name, build in competitors(shape, precision).items():
                row = {
                    "competitor": name,
                    **dict(zip(("B", "I", "O", "K"), shape, strict=True)),
                    "dtype": str(dtype).removeprefix("torch."),
                    "precision": precision,
                }
                try:
                    yield row | _timed(build, shape, dtype)
                except torch.cuda.OutOfMemoryError:
                    yield row | {"reason": "out of memory"}
                torch.cuda.empty_cache()
    torch.set_float32_matmul_precision("highest")


def competitors(
    shape: tuple[int, int, int, int], precision: str
) -> dict[str, Callable[[], nn.Module]]:
    """Return constructors by name; a product of equal parameters takes B × I K inputs."""
    _, inputs, outputs, count = shape

    def ours(impl: str) -> nn.Module:
        return KANLayer(inputs, outputs, num_control_points=count, impl=impl, precision=precision)

    built: dict[str, Callable[[], nn.Module]] = {"triton": partial(ours, "triton")}
    for impl in STOCK:
        built[f"{impl}, compiled"] = partial(_compiled, partial(ours, impl))
    built["matmul of equal parameters"] = partial(nn.Linear, inputs * count, outputs, bias=False)
    built["nn.Linear"] = partial(nn.Linear, inputs, outputs, bias=False)
    folder = os.environ.get("KANDITIONED_1X")
    if folder:
        if folder not in sys.path:
            sys.path.insert(0, folder)
        released = importlib.import_module("KANditioned.kan_layer").KANLayer
        for impl in ("embedding", "embedding_bag"):
            options = {"init": "random_normal", "num_control_points": count, "impl": impl}
            eager = partial(released, inputs, outputs, **options)
            built[f"1.0.3 {impl}"] = eager
            built[f"1.0.3 {impl}, compiled"] = partial(_compiled, eager)
    return built


def _compiled(build: Callable[[], nn.Module]) -> nn.Module:
    torch.compiler.reset()  # each shape is compiled for itself, with no limit on their number
    compiled: nn.Module = torch.compile(build())  # type: ignore[assignment]
    return compiled


def _timed(
    build: Callable[[], nn.Module], shape: tuple[int, int, int, int], dtype: torch.dtype
) -> dict[str, float]:
    """Time inference and a training step of one layer on fresh random inputs."""
    layer = build().to(device.KIND, dtype)
    features = int(getattr(layer, "in_features", shape[1]))  # of the equal product, I K
    x = torch.randn(shape[0], features, device=device.KIND).to(dtype).requires_grad_()
    gy = torch.randn(shape[0], shape[2], device=device.KIND).to(dtype)
    parameters = list(layer.parameters())

    def inference() -> Tensor:
        with torch.no_grad():
            return layer(x)  # type: ignore[no-any-return]

    def step() -> Any:
        return torch.autograd.grad(layer(x), [x, *parameters], gy)

    edges = shape[0] * shape[1] * shape[2]
    forward_ms, step_ms = measure.median_ms(inference), measure.median_ms(step)
    least = 2 * (x.numel() + gy.numel() + sum(p.numel() for p in parameters)) * dtype.itemsize
    resident = (x.numel() + gy.numel() + sum(p.numel() for p in parameters)) * dtype.itemsize
    return {
        "inference ms": forward_ms,
        "step ms": step_ms,
        "inference edges/s": edges / forward_ms * 1e3,
        "step memory / (x, y, C and gradients)": (resident + measure.peak_bytes(step)) / least,
    }


def _outcome(command: list[str]) -> dict[str, Any]:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    tail = (run.stdout + run.stderr)[-3000:]
    print(tail, flush=True)
    return {"passed": run.returncode == 0, "command": command[1:], "tail": tail}


if __name__ == "__main__":
    sys.exit(main())
