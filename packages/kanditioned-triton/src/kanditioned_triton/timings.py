"""Times and peak memory of layers on a GPU, ours and what they are measured against."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kanditioned_torch import KANLayer

from . import device, measure

Shape = tuple[int, int, int, int]
"""(B, I, O, K)."""
SHAPES: tuple[Shape, ...] = (
    *((8192, 1024, 1024, count) for count in (8, 16, 32, 64, 256)),
    (8192, 256, 256, 128),
    (65536, 256, 256, 32),
    (1024, 4096, 4096, 8),
    (64, 64, 64, 8),
    (1, 1024, 1024, 8),
)
PRECISIONS = (
    (torch.bfloat16, "medium"),
    (torch.float32, "high"),
    (torch.float32, "highest"),
)
STOCK = ("embedding", "dense")


def rows() -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield a name and what measures it, per competitor, shape and precision.

    What is quick comes first: ours, and single matrix products; compiled layers come last.
    """
    for name in competitors((1, 1, 1, 2), "highest"):
        for shape in SHAPES:
            for dtype, precision in PRECISIONS:
                row = f"{name}, {shape}, {dtype}, {precision}".replace("torch.", "")
                yield row, partial(row_of, name, shape, dtype, precision)


def row_of(name: str, shape: Shape, dtype: torch.dtype, precision: str) -> dict[str, Any]:
    """Measure one competitor, or say that it does not fit into memory."""
    row: dict[str, Any] = {
        "competitor": name,
        **dict(zip(("B", "I", "O", "K"), shape, strict=True)),
        "dtype": str(dtype).removeprefix("torch."),
        "precision": precision,
    }
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        return row | _timed(competitors(shape, precision)[name], shape, dtype)
    except torch.cuda.OutOfMemoryError:
        return row | {"reason": "out of memory"}
    finally:
        torch.set_float32_matmul_precision(before)
        torch.cuda.empty_cache()


def competitors(shape: Shape, precision: str) -> dict[str, Callable[[], nn.Module]]:
    """Return constructors by name; a product of equal parameters takes B × I K inputs."""
    _, inputs, outputs, count = shape

    def ours(impl: str) -> nn.Module:
        return KANLayer(inputs, outputs, num_control_points=count, impl=impl, precision=precision)

    built: dict[str, Callable[[], nn.Module]] = {
        "triton": partial(ours, "triton"),
        "matmul of equal parameters": partial(nn.Linear, inputs * count, outputs, bias=False),
        "nn.Linear": partial(nn.Linear, inputs, outputs, bias=False),
    }
    slow = {impl: partial(ours, impl) for impl in STOCK}
    folder = os.environ.get("KANDITIONED_1X", "").partition(os.pathsep)[0]
    if folder:
        if folder not in sys.path:
            sys.path.insert(0, folder)
        released = importlib.import_module("KANditioned.kan_layer").KANLayer
        for impl in ("embedding", "embedding_bag"):
            options = {"init": "random_normal", "num_control_points": count, "impl": impl}
            slow[f"1.0.3 {impl}"] = partial(released, inputs, outputs, **options)
            built[f"1.0.3 {impl}"] = slow[f"1.0.3 {impl}"]
    built |= {f"{name}, compiled": partial(_compiled, build) for name, build in slow.items()}
    return built


def _compiled(build: Callable[[], nn.Module]) -> nn.Module:
    torch.compiler.reset()  # each shape is compiled for itself, with no limit on their number
    compiled: nn.Module = torch.compile(build())  # type: ignore[assignment]
    return compiled


def _timed(build: Callable[[], nn.Module], shape: Shape, dtype: torch.dtype) -> dict[str, float]:
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
