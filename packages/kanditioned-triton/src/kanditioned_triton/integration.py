"""The kernels in their surroundings: conformance kit, CUDA graphs, compiler, JAX, sanitizer."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from . import device, measure
from .runner import Check, Context, Row
from .values import Problem
from .workload import COUNTS, PRECISIONS, SHAPE, calls, layer_call, our_layer

Checks = Iterator[tuple[str, Check]]
CORES = os.cpu_count() or 1
KIT = "kanditioned_torch.backend:triton"


def kit(dtypes: tuple[str, ...], context: Context) -> Checks:
    """Run the conformance kit on CUDA; what the box cuts short has its counts so far."""
    for number, dtype in enumerate(dtypes):
        yield dtype, functools.partial(_kit, context, dtype, len(dtypes) - number)


def _kit(context: Context, dtype: str, share: int) -> Row:
    seconds = max(5, int((context.remaining() - 3) / share))
    kind = "cpu" if device.INTERPRETED else "cuda"
    command = [
        *(sys.executable, "-m", "pytest", "-q", "--tb=short", "-rfE"),
        *("--pyargs", "kanditioned_conformance.chapters", "-p", "kanditioned_conformance.plugin"),
        *("-p", "no:cacheprovider", "-W", "default", "--kan-device", kind, "--kan-backend", KIT),
        *("--kan-profile", "dev", "--kan-dtype", dtype),
    ]
    if device.INTERPRETED:
        command += ["--collect-only"]
    elif importlib.util.find_spec("xdist") is not None:
        command += ["-n", str(CORES)]
    status, text = run_bounded(command, seconds)
    summary = {
        n: int(c) for c, n in re.findall(r"(\d+) (passed|failed|skipped|errors?|tests)\b", text)
    }
    dots = re.findall(r"(?m)^([.FEsxX]+)(?: *\[ *\d+%\])?$", text)
    partial = {
        word: sum(line.count(mark) for line in dots)
        for mark, word in ((".", "passed"), ("F", "failed"), ("E", "errors"), ("s", "skipped"))
    }
    row: Row = {"counts": summary or partial, "status": status, "tail": text[-2500:]}
    row["failures"] = re.findall(r"(?m)^(?:FAILED|ERROR) (.{1,200})", text)[:60]
    if status in (124, 137):
        row["cut"] = f"after {seconds} s"
    elif device.INTERPRETED:  # nothing was run, which the kit calls an error
        row["failed"] = {} if summary.get("tests") else {"kit": "nothing collected"}
    elif status != 0:
        row["failed"] = {"kit": status}
    return row


def run_bounded(command: list[str], seconds: float) -> tuple[int, str]:
    """Run a command for so long at most; return its status, 124 if it was ended, and its output."""
    variables = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYTHONFAULTHANDLER": "1"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        whole = ["timeout", "--signal=INT", "--kill-after=3", str(int(seconds)), *command]
        with log.open("wb") as file:
            run = subprocess.run(
                whole,
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return run.returncode, log.read_text(encoding="utf-8", errors="replace")


def integration(context: Context) -> Checks:
    """Same bits twice, CUDA graphs, the compiler, JAX."""
    for count, (dtype, precision) in itertools.product((COUNTS[0], COUNTS[-1]), PRECISIONS):
        name = f"{dtype} {precision} K={count}"
        yield f"same bits {name}", functools.partial(_same_bits, count, dtype, precision)
    for count in (COUNTS[0], COUNTS[-1]):
        yield f"graph K={count}", functools.partial(_graph, count)
        yield f"torch.compile K={count}", functools.partial(_compile, count)
    yield "jax", functools.partial(_jax, context)


def _same_bits(count: int, dtype: str, precision: str) -> Row:
    different = [n for n, c in calls(count, dtype, precision).items() if not torch.equal(c(), c())]
    return {"failed": dict.fromkeys(different, "other bits")}


def _graph(count: int) -> Row:
    """Capture a step in a CUDA graph after a warm-up, and replay it."""
    step, _, _ = layer_call(our_layer(SHAPE, count, "medium"), SHAPE, "bfloat16")
    eager = step()
    if device.INTERPRETED:
        return {"graph": "not in the interpreter"}
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    graph.replay()
    torch.cuda.synchronize()
    same = all(torch.equal(a, b) for a, b in zip(eager, captured, strict=True))
    row: Row = {"ms": measure.quantiles_ms(graph.replay)}
    return row if same else row | {"failed": {"graph": "other values than eager"}}


def _compile(count: int) -> Row:
    """Compile a layer whole; values must be those of eager mode."""
    layer = our_layer(SHAPE, count, "medium")
    step, _, _ = layer_call(layer, SHAPE, "bfloat16")
    torch.compiler.reset()
    backend = "aot_eager" if device.INTERPRETED else "inductor"
    fast: Any = torch.compile(layer, fullgraph=True, backend=backend)
    x = torch.randn(SHAPE[0], SHAPE[1], device=device.KIND).to(torch.bfloat16).requires_grad_()
    gy = torch.randn(SHAPE[0], SHAPE[2], device=device.KIND).to(torch.bfloat16)

    def run(called: Any) -> Any:
        return torch.autograd.grad(called(x), [x, *layer.parameters()], gy)

    same = all(torch.equal(a, b) for a, b in zip(run(layer), run(fast), strict=True))
    row: Row = {
        "eager ms": measure.quantiles_ms(step),
        "ms": measure.quantiles_ms(lambda: run(fast)),
    }
    return row if same else row | {"failed": {"compile": "other values than eager"}}


def _jax(context: Context) -> Row:
    """Time JAX's `auto` at two shapes, in a process of its own."""
    if importlib.util.find_spec("kanditioned_jax") is None:
        return {"skipped": "kanditioned-jax is not installed"}
    command = [sys.executable, "-c", JAX.format(batch=SHAPE[0], width=SHAPE[1], counts=COUNTS[:2])]
    status, text = run_bounded(command, max(5.0, context.remaining()))
    row: Row = {"tail": text[-1500:]}
    return row if status == 0 else row | {"error": f"status {status}"}


JAX = """
import time, jax
import jax.numpy as jnp
from kanditioned_jax import KANLayer
print(jax.devices())
for k in {counts}:
    layer = KANLayer({width}, {width}, num_control_points=k, key=jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), ({batch}, {width}))
    step = jax.jit(jax.grad(lambda layer, x: layer(x).sum(), argnums=(0, 1)))
    jax.block_until_ready(step(layer, x))
    times = []
    for _ in range(5):
        began = time.perf_counter()
        jax.block_until_ready(step(layer, x))
        times.append((time.perf_counter() - began) * 1e3)
    print("K", k, "ms", sorted(times)[2], flush=True)
"""


def sanitizer(context: Context) -> Checks:
    """Run compute-sanitizer on a small case; it never decides anything."""
    program = shutil.which("compute-sanitizer")

    def check() -> Row:
        small = [sys.executable, "-m", __name__]
        if program is None:
            status, text = (
                (0, "no compute-sanitizer")
                if not device.INTERPRETED
                else run_bounded(small, max(5.0, context.remaining()))
            )
        else:
            tool = [program, "--tool", "memcheck", "--report-api-errors", "no"]
            status, text = run_bounded([*tool, *small], max(5.0, context.remaining()))
        return {"status": status, "tail": text[-1500:]}

    yield "memcheck", check


def small_case() -> None:
    """Run every kernel once, with tails in every direction."""
    for *shape, count in ((70, 9, 19, 5), (70, 5, 11, 37), (150, 3, 9, 140), (1, 40, 3, 8)):
        for dtype in ("float32", "bfloat16"):
            problem = Problem.random((shape[0], shape[1], shape[2]), count, dtype)
            for call in problem.calls("highest").values():
                call()
    measure.synchronize()


if __name__ == "__main__":
    small_case()
