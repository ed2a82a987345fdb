"""What is compared: a matrix product of equal parameters, `nn.Linear`, and release 1.0.3."""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from kanditioned_triton import device, measure
from kanditioned_triton.runner import Check, Context, Row, Step
from kanditioned_triton.workload import (
    COUNTS,
    PRECISIONS,
    SHAPE,
    layer_call,
    our_layer,
    withhold,
)

Checks = Iterator[tuple[str, Check]]
VARIABLE = "KANDITIONED_1X"
"""Environment variable: the folder that release 1.0.3 is in."""
FORMATS = (("bfloat16", "medium"), ("float32", "highest"))
COMPILED_COUNTS = COUNTS[:1] if device.INTERPRETED else (8, 32)


def products(context: Context) -> Checks:
    """Time the products of a step whose input was expanded beforehand, and `nn.Linear`."""

    def linear(dtype: str, precision: str) -> Row:
        layer = nn.Linear(*SHAPE[1:], bias=False)
        step, inference, _ = layer_call(layer, SHAPE, dtype)
        with _precision(precision):
            return {"inference": measure.quantiles_ms(inference), "ms": measure.quantiles_ms(step)}

    def product(dtype: str, precision: str, count: int) -> Row:
        batch, inputs, outputs = SHAPE
        sizes = ((batch, inputs * count), (inputs * count, outputs), (batch, outputs))
        kind = getattr(torch, dtype)
        a, w, gy = (torch.randn(size, device=device.KIND, dtype=kind) for size in sizes)
        forms: dict[str, Callable[[], Any]] = {
            "interpolate": lambda: a @ w,
            "accumulate": lambda: a.T @ gy,
            "contract": lambda: gy @ w.T,
        }
        with _precision(precision):
            return {name: measure.quantiles_ms(form) for name, form in forms.items()}

    for dtype, precision in PRECISIONS:
        yield f"nn.Linear {dtype} {precision}", functools.partial(linear, dtype, precision)
    for (dtype, precision), count in itertools.product(PRECISIONS, COUNTS):
        name = f"product {dtype} {precision} K={count}"
        yield name, functools.partial(product, dtype, precision, count)


def time_release(context: Context) -> Checks:
    """Time release 1.0.3 in eager mode, and ours beside it."""
    for impl, (dtype, precision), count in itertools.product(
        ("embedding_bag", "embedding"), FORMATS, COUNTS
    ):
        name = f"1.0.3 {impl} {dtype} {precision} K={count}"
        build = functools.partial(_release, impl, count)
        yield name, functools.partial(_beside, context, build, dtype, precision, count)


def time_compiled(context: Context) -> Checks:
    """Time the compiled layers of release 1.0.3 and of PyTorch operations, and ours beside them."""
    for (dtype, precision), count in itertools.product(FORMATS, COMPILED_COUNTS):
        builds: dict[str, Callable[[], nn.Module]] = {
            f"ours {impl}": functools.partial(our_layer, SHAPE, count, precision, impl)
            for impl in ("dense", "embedding")
        }
        for impl in ("embedding_bag", "embedding"):
            builds[f"1.0.3 {impl}"] = functools.partial(_release, impl, count)
        for name, build in builds.items():
            check = functools.partial(
                _beside, context, functools.partial(_compile, build), dtype, precision, count
            )
            yield f"{name} {dtype} {precision} K={count}", check


def _beside(
    context: Context,
    build: Callable[[], nn.Module],
    dtype: str,
    precision: str,
    count: int,
) -> Row:
    """Time a step of a layer and of ours in turns."""
    our_step, our_inference, _ = layer_call(our_layer(SHAPE, count, precision), SHAPE, dtype)
    row: Row = withhold(context, our_step, dtype, precision) or {}
    with _precision(precision):
        try:
            row |= _time(build(), dtype)
        except torch.cuda.OutOfMemoryError:
            row["reason"] = "out of memory"
        torch.compiler.reset()
        if not device.INTERPRETED:
            torch.cuda.empty_cache()
        if "withheld" not in row:
            row["ours"] = measure.quantiles_ms(our_step)
            row["ours, inference"] = measure.quantiles_ms(our_inference)
    return row


def _time(layer: nn.Module, dtype: str) -> Row:
    step, inference, size = layer_call(layer, SHAPE, dtype)
    return {
        "ms": measure.quantiles_ms(step, 10, 40),
        "inference": measure.quantiles_ms(inference, 10, 40),
        "memory": round((size + measure.peak_bytes(step)) / (2 * size), 3),
    }


def _release(impl: str, count: int) -> nn.Module:
    """Return a layer of release 1.0.3.

    Raises:
        LookupError: `KANDITIONED_1X` does not say where it is.
    """
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        raise LookupError(f"{VARIABLE} must name the folder that release 1.0.3 is in")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module("KANditioned.kan_layer")
    layer: nn.Module = module.KANLayer(
        *SHAPE[1:], init="random_normal", num_control_points=count, impl=impl
    )
    return layer


def _compile(build: Callable[[], nn.Module]) -> nn.Module:
    torch.compiler.reset()  # each is compiled for itself, with no limit on their number
    layer = build()
    layer.compile(backend="aot_eager" if device.INTERPRETED else "inductor")
    return layer


@contextlib.contextmanager
def _precision(name: str) -> Iterator[None]:
    """What PyTorch's own float32 products round to, inside a `with` block."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


STEPS = [
    Step(6, "products", 45, products, lambda: len(PRECISIONS) * (len(COUNTS) + 1)),
    Step(7, "release 1.0.3", 60, time_release, lambda: 2 * len(FORMATS) * len(COUNTS)),
    Step(10, "compiled", 40, time_compiled, lambda: 4 * len(FORMATS) * len(COMPILED_COUNTS)),
]
