"""What `selfcheck` does with our own kernels, step by step."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import torch
from torch import Tensor

from . import configs, device, measure
from .integration import integration, kit, sanitizer
from .measure import alive, environment
from .runner import Check, Context, Row, Step
from .values import Problem, ratio
from .workload import (
    CONTRACTIONS,
    COUNTS,
    PRECISIONS,
    SHAPE,
    TIMED,
    Candidate,
    calls,
    candidates,
    layer_call,
    our_layer,
    withhold,
)

__all__ = ["STEPS", "alive", "environment"]
Checks = Iterator[tuple[str, Check]]
CORES = os.cpu_count() or 1


def imports(context: Context) -> Checks:
    """Say which packages are there that later steps need, and make a layer."""

    def layer() -> Row:
        our_layer(SHAPE, COUNTS[0], "highest")
        names = ("kanditioned_jax", "kanditioned_conformance", "jax", "pytest", "xdist")
        return {name: importlib.util.find_spec(name) is not None for name in names}

    yield "layer", layer


def compile_first(context: Context) -> Checks:
    """Run once what will be timed, in as many processes as there are cores."""
    settings = [(k, d, p, n) for k in COUNTS for d, p in PRECISIONS for n in CONTRACTIONS]
    jobs: list[Any] = [*settings, *candidates()]

    def all_of_them() -> Row:
        refused: dict[str, str] = {}
        row: Row = {"variants": len(jobs), "refused": refused}
        # The interpreter compiles nothing; a process shows that the arguments can be sent.
        size = 1 if device.INTERPRETED else CORES
        pool = ProcessPoolExecutor(size, multiprocessing.get_context("spawn"))
        runs = {pool.submit(_once, job): str(job) for job in jobs}
        try:
            for run in as_completed(runs, timeout=max(1.0, context.remaining())):
                if run.result():
                    refused[runs[run]] = run.result()
        except TimeoutError:
            row["cut"] = [name for run, name in runs.items() if not run.done()]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            if "cut" in row:
                for process in multiprocessing.active_children():
                    process.kill()
        return row

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
                    got = _poison(call)
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


def _poison(call: Callable[[], Tensor]) -> Tensor:
    """Call twice; the second time the allocator hands out memory that holds NaN."""
    first = call()
    blocks = [torch.full_like(first, float("nan")) for _ in range(3)]
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
    return withhold(context, call, dtype, precision) or {"ms": measure.quantiles_ms(call)}


def _step_ms(
    context: Context, shape: tuple[int, int, int], count: int, dtype: str, precision: str
) -> Row:
    step, _, size = layer_call(our_layer(shape, count, precision), shape, dtype)
    row = withhold(context, step, dtype, precision) or {"ms": measure.quantiles_ms(step)}
    # Arguments are there before; results are made during the step.
    return row | {"memory": round((size + measure.peak_bytes(step)) / (2 * size), 4)}


def _inference_ms(
    context: Context, shape: tuple[int, int, int], count: int, dtype: str, precision: str
) -> Row:
    _, inference, _ = layer_call(our_layer(shape, count, precision), shape, dtype)
    return withhold(context, inference, dtype, precision) or {"ms": measure.quantiles_ms(inference)}


def tiles(context: Context) -> Checks:
    """Time the candidates, name the fastest of each, and compare its values with float64."""
    unique = candidates()

    def timed(candidate: Candidate) -> Row:
        return {"ms": measure.quantiles_ms(candidate.call(), 10, 40), "config": candidate.tiles()}

    for candidate in unique:
        yield str(candidate), functools.partial(timed, candidate)
    fastest: dict[str, tuple[float, str]] = {}
    for row in context.rows:
        if row.get("step") == "candidates" and "ms" in row:
            kernel, _, config = row["name"].rpartition(" ")
            found = (row["ms"][1], config)
            fastest[kernel] = min(fastest.get(kernel, found), found)
    yield "best", lambda: {"best": fastest}

    def checked(candidate: Candidate) -> Row:
        problem = Problem.random(SHAPE, candidate.count, candidate.dtype)
        got = _poison(candidate.call())
        worst = ratio(problem, candidate.contraction(), got, candidate.precision)
        return {"ratio": worst, "failed": {} if worst <= 1 else {"best": "wrong values"}}

    for candidate in unique:
        kernel, _, config = str(candidate).rpartition(" ")
        if config == fastest.get(kernel, (0.0, ""))[1]:
            yield f"values of {candidate}", functools.partial(checked, candidate)


def lmkan(context: Context) -> Checks:
    """Time the case that lmKAN publishes: (1024, 128, 128), 26 points, float32."""
    shape = (70, 4, 4) if device.INTERPRETED else (1024, 128, 128)

    def check(precision: str) -> Row:
        step, inference, _ = layer_call(our_layer(shape, 26, precision), shape, "float32")
        return {"forward ms": measure.quantiles_ms(inference), "ms": measure.quantiles_ms(step)}

    for precision in ("highest", "high"):
        yield precision, functools.partial(check, precision)


def _settings() -> int:
    return len(PRECISIONS) * len(COUNTS)


STEPS = [
    Step(1, "imports", 10, imports),
    Step(
        2, "compile", 60, compile_first, lambda: len(CONTRACTIONS) * _settings() + len(candidates())
    ),
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
