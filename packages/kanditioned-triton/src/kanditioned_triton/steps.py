"""What `selfcheck` does with our own kernels, step by step."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kanditioned_torch import KANLayer

from . import configs, device, measure
from .configs import Config
from .measure import alive, environment
from .runner import Check, Context, Row, Step
from .values import Problem, ratio

__all__ = ["STEPS", "alive", "environment"]
Checks = Iterator[tuple[str, Check]]
SHAPE = (70, 5, 19) if device.INTERPRETED else (8192, 1024, 1024)
"""(B, I, O) of what is timed."""
COUNTS = (8, 64) if device.INTERPRETED else (8, 16, 32, 64, 256)
"""K of what is timed."""
PRECISIONS = (("bfloat16", "medium"), ("float32", "high"), ("float32", "highest"))
CONTRACTIONS = ("interpolate", "contract", "accumulate", "interpolate along", "accumulate along")
TIMED = CONTRACTIONS[:3]
CORES = os.cpu_count() or 1
KIT = "kanditioned_torch.backend:triton"
EITHER_COUNTS = COUNTS[-1:] if device.INTERPRETED else (64, 128, 256)
"""K at which dense kernels are compared with lookups."""


@dataclass(frozen=True)
class Candidate:
    """A kernel with tiles that may be better than the table's, or with the table's (None)."""

    kernel: str
    dtype: str
    precision: str
    count: int
    config: tuple[tuple[str, int], ...] | None = None

    def __str__(self) -> str:
        tiles = "table" if self.config is None else "/".join(str(v) for _, v in self.config)
        return f"{self.kernel} {self.dtype} {self.precision} K={self.count} {tiles}"

    def call(self) -> Callable[[], Tensor]:
        """Return what runs the kernel, on tensors of its own."""
        run = calls(self.count, self.dtype, self.precision)[_contraction(self.kernel)]
        bits = 16 if self.dtype == "bfloat16" else 32
        best = {} if self.config is None else {(self.kernel, bits): Config(**dict(self.config))}
        is_dense = self.kernel.startswith("dense") or self.kernel == "accumulate"
        limit = sys.maxsize if is_dense else 0
        contents = configs.replaced(family(), best, dense_up_to=limit)

        def called() -> Tensor:
            with configs.using(contents):
                return run()

        return called


def family() -> str:
    """Return the family of the GPU at hand."""
    return device.of(torch.empty(0, device=device.KIND)).family


def calls(count: int, dtype: str, precision: str) -> dict[str, Callable[[], Tensor]]:
    """Return the contractions by name, on random tensors."""
    return Problem.random(SHAPE, count, dtype).calls(precision)


def candidates() -> list[Candidate]:
    """Return the candidates of the table, then dense kernels and lookups at larger K."""
    found: dict[Candidate, None] = {}
    listed = getattr(configs, "candidates", lambda family: ())(
        "sm_90" if device.INTERPRETED or not torch.cuda.is_available() else family()
    )
    for row in listed:
        for bits in row["bits"]:
            for dtype, precision in PRECISIONS:
                if bits != (16 if dtype == "bfloat16" else 32):
                    continue
                if row.get("precision", precision) != precision:
                    continue
                for count in row["K"]:
                    found[Candidate(row["kernel"], dtype, precision, count)] = None
                    tiles = tuple(row["config"].items())
                    found[Candidate(row["kernel"], dtype, precision, count, tiles)] = None
    pairs = (
        ("dense_interpolate", "lookup_interpolate"),
        ("dense_contract", "lookup_contract"),
        ("accumulate", "bucketed_accumulate"),
    )
    for count, (dtype, precision), pair in itertools.product(EITHER_COUNTS, PRECISIONS, pairs):
        for kernel in pair:
            found[Candidate(kernel, dtype, precision, count)] = None
    unique = list(found)
    return unique[:8] if device.INTERPRETED else unique


def compiled(context: Context) -> Checks:
    """Run once what will be timed, in as many processes as there are cores."""
    settings = [(k, d, p, n) for k in COUNTS for d, p in PRECISIONS for n in CONTRACTIONS]
    jobs: list[Any] = [*settings, *candidates()]

    def all_of_them() -> Row:
        refused = {}
        # The interpreter compiles nothing; a process shows that the arguments can be sent.
        pool = ProcessPoolExecutor(
            1 if device.INTERPRETED else CORES, multiprocessing.get_context("spawn")
        )
        try:
            runs = {pool.submit(_once, job): str(job) for job in jobs}
            for run in as_completed(runs, timeout=max(1.0, context.left())):
                if run.result():
                    refused[runs[run]] = run.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return {"variants": len(jobs), "refused": refused}

    yield "all", all_of_them


def _once(job: Any) -> str:
    try:
        if isinstance(job, Candidate):
            job.call()()
        else:
            count, dtype, precision, name = job
            calls(count, dtype, precision)[name]()
        measure.synchronize()
    except Exception as error:  # reported with the candidate that it belongs to
        return repr(error)[-300:]
    return ""


def values(context: Context) -> Checks:
    """Compare sampled rows and features with float64 at full tile size."""

    def check(count: int, dtype: str, precision: str) -> Row:
        row: Row = {"ratios": {}, "failed": {}, "kernels": {}}
        problem = Problem.random(SHAPE, count, dtype)
        for name, call in problem.calls(precision).items():
            with configs.using(configs.table()) as found:
                try:
                    got = _poisoned(call)
                    worst = ratio(problem, name, got, precision)
                    row["ratios"][name] = float(f"{worst:.3g}")
                    if not worst <= 1:
                        row["failed"][name] = f"{worst:.3g} times the bound"
                except Exception as error:
                    row["failed"][name] = repr(error)[-300:]
                row["kernels"][name] = sorted({kernel for _, kernel, _ in found})
        return row

    for (dtype, precision), count in itertools.product(PRECISIONS, COUNTS):
        name = f"{dtype} {precision} K={count}"
        yield name, functools.partial(check, count, dtype, precision)


def _poisoned(call: Callable[[], Tensor]) -> Tensor:
    """Call twice; the second time the allocator hands out memory that holds NaN."""
    first = call()
    like = (first.numel(),) if first.is_floating_point() else first.shape
    blocks = [torch.full(like, float("nan"), dtype=first.dtype, device=first.device)]
    blocks += [torch.full_like(blocks[0], float("nan")) for _ in range(2)]
    del first, blocks
    return call()


def ceilings(context: Context) -> Checks:
    """Measure matrix products and a copy."""
    yield "all", measure.ceilings


def ours(context: Context) -> Checks:
    """Time each contraction and a training step, bfloat16 first."""
    for (dtype, precision), count in itertools.product(PRECISIONS, COUNTS):
        for name in TIMED:
            yield (
                f"{name} {dtype} {precision} K={count}",
                functools.partial(_contraction_ms, context, name, dtype, precision, count),
            )
        for what, check in (("step", _step_ms), ("inference", _inference_ms)):
            yield (
                f"{what} {dtype} {precision} K={count}",
                functools.partial(check, context, SHAPE, count, dtype, precision),
            )


def _contraction_ms(context: Context, name: str, dtype: str, precision: str, count: int) -> Row:
    call = calls(count, dtype, precision)[name]
    return withheld(context, call, dtype, precision) or {"ms": measure.quantiles_ms(call)}


def layer_call(
    layer: torch.nn.Module, shape: tuple[int, int, int], dtype: str
) -> tuple[Callable[[], Any], Callable[[], Any], int]:
    """Return a training step and inference of a layer, and bytes of arguments and results."""
    batch, inputs, outputs = shape
    kind = getattr(torch, dtype)
    layer = layer.to(device.KIND, kind)
    inputs = int(getattr(layer, "in_features", inputs))
    x = torch.randn(batch, inputs, device=device.KIND).to(kind).requires_grad_()
    gy = torch.randn(batch, outputs, device=device.KIND).to(kind)
    parameters = list(layer.parameters())

    def step() -> Any:
        return torch.autograd.grad(layer(x), [x, *parameters], gy)

    def inference() -> Any:
        with torch.no_grad():
            return layer(x)

    numbers = x.numel() + gy.numel() + sum(p.numel() for p in parameters)
    return step, inference, numbers * kind.itemsize


def our_layer(
    shape: tuple[int, int, int], count: int, precision: str, impl: str = "triton"
) -> KANLayer:
    """Return a layer of ours."""
    return KANLayer(
        *shape[1:],
        num_control_points=count,
        impl=impl,
        precision=precision,
        device=device.KIND,
    )


def _step_ms(
    context: Context, shape: tuple[int, int, int], count: int, dtype: str, precision: str
) -> Row:
    step, _, size = layer_call(our_layer(shape, count, precision), shape, dtype)
    row = withheld(context, step, dtype, precision) or {"ms": measure.quantiles_ms(step)}
    # Arguments are there before; results are made during the step.
    return row | {"memory": round((size + measure.peak_bytes(step)) / (2 * size), 4)}


def _inference_ms(
    context: Context, shape: tuple[int, int, int], count: int, dtype: str, precision: str
) -> Row:
    _, inference, _ = layer_call(our_layer(shape, count, precision), shape, dtype)
    return withheld(context, inference, dtype, precision) or {"ms": measure.quantiles_ms(inference)}


def withheld(context: Context, call: Callable[[], Any], dtype: str, precision: str) -> Row | None:
    """Return the row of a call that is not timed because a kernel of it has wrong values."""
    with configs.using(configs.table()) as found:
        call()
    kernels = {kernel for _, kernel, _ in found}
    wrong: set[str] = set()
    last = {row["name"]: row for row in context.rows if row.get("step") == "values"}
    for name, row in last.items():
        if name.startswith(f"{dtype} {precision} "):
            for contraction in row.get("failed", ()):
                wrong |= kernels & set(row["kernels"][contraction])
    return {"withheld": f"wrong values: {sorted(wrong)}"} if wrong else None


def tiles(context: Context) -> Checks:
    """Time the candidates, and say which is the fastest of each."""
    unique = candidates()

    def check(candidate: Candidate) -> Row:
        tiles = None if candidate.config is None else dict(candidate.config)
        return {"ms": measure.quantiles_ms(candidate.call(), 10, 40), "config": tiles}

    for candidate in unique:
        yield str(candidate), functools.partial(check, candidate)

    def best() -> Row:
        fastest: dict[str, tuple[float, str]] = {}
        for row in context.rows:
            if row.get("step") == "candidates" and "ms" in row:
                kernel, _, config = row["name"].rpartition(" ")
                found = (row["ms"][1], config)
                fastest[kernel] = min(fastest.get(kernel, found), found)
        return {"best": fastest}

    yield "best", best


def kit(dtypes: tuple[str, ...], context: Context) -> Checks:
    """Run the conformance kit on CUDA; what the box cuts short has its counts so far."""
    for number, dtype in enumerate(dtypes):
        yield dtype, functools.partial(_kit, context, dtype, len(dtypes) - number)


def _kit(context: Context, dtype: str, share: int) -> Row:
    seconds = max(5, int((context.left() - 3) / share))
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
    status, text = bounded(command, seconds)
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


def bounded(command: list[str], seconds: float) -> tuple[int, str]:
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
        yield f"torch.compile K={count}", functools.partial(_compiled, count)
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
    stream = torch.cuda.Stream()
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


def _compiled(count: int) -> Row:
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
    status, text = bounded(command, max(5.0, context.left()))
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


def lmkan(context: Context) -> Checks:
    """Time the case that lmKAN publishes: (1024, 128, 128), 26 points, float32."""
    shape = (70, 4, 4) if device.INTERPRETED else (1024, 128, 128)

    def check(precision: str) -> Row:
        step, inference, _ = layer_call(our_layer(shape, 26, precision), shape, "float32")
        return {"forward ms": measure.quantiles_ms(inference), "ms": measure.quantiles_ms(step)}

    for precision in ("highest", "high"):
        yield precision, functools.partial(check, precision)


def sanitizer(context: Context) -> Checks:
    """Run compute-sanitizer on a small case; it never decides anything."""
    program = shutil.which("compute-sanitizer")

    def check() -> Row:
        small = [sys.executable, "-m", __spec__.name]
        if program is None:
            status, text = (
                (0, "no compute-sanitizer")
                if not device.INTERPRETED
                else bounded(small, max(5.0, context.left()))
            )
        else:
            tool = [program, "--tool", "memcheck", "--report-api-errors", "no"]
            status, text = bounded([*tool, *small], max(5.0, context.left()))
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


def _contraction(kernel: str) -> str:
    """Return the contraction that a kernel is for: its last word."""
    name = kernel.rpartition("_")[2]
    return name if name in TIMED else "accumulate"


def _settings() -> int:
    return len(PRECISIONS) * len(COUNTS)


STEPS = [
    Step(2, "compile", 60, compiled, lambda: len(CONTRACTIONS) * _settings() + len(candidates())),
    Step(3, "values", 60, values, _settings),
    Step(4, "ceilings", 20, ceilings),
    Step(5, "ours", 60, ours, lambda: 5 * _settings()),
    Step(8, "candidates", 60, tiles, lambda: len(candidates())),
    Step(9, "kit", 90, functools.partial(kit, ("float32", "bfloat16")), lambda: 2),
    Step(11, "integration", 30, integration, lambda: 11),
    Step(12, "lmKAN", 5, lmkan, lambda: 2),
    Step(13, "kit, other formats", 0, functools.partial(kit, ("float16", "float64")), lambda: 2),
    Step(14, "sanitizer", 10, sanitizer),
]
"""In the order of `selfcheck`; numbers 6, 7 and 10 are comparisons, which no wheel ships."""

if __name__ == "__main__":
    small_case()
