"""What is run on a GPU: shapes, formats, contractions, layers, and tiles that may be better."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kanditioned_torch import KANLayer

from . import configs, device
from .configs import Config
from .runner import Context, Row
from .values import Problem

SHAPE = (20, 2, 17) if device.INTERPRETED else (8192, 1024, 1024)
"""(B, I, O) of what is timed."""
COUNTS = (8, 64) if device.INTERPRETED else (8, 16, 32, 64, 256)
"""K of what is timed."""
PRECISIONS = (("bfloat16", "medium"), ("float32", "high"), ("float32", "highest"))
CONTRACTIONS = ("interpolate", "contract", "accumulate", "interpolate along", "accumulate along")
TIMED = CONTRACTIONS[:3]
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

    def tiles(self) -> dict[str, int] | None:
        """Return its tiles, or None for the table's."""
        return None if self.config is None else dict(self.config)

    def contraction(self) -> str:
        """Return the contraction that its kernel computes, the last word of the kernel's name."""
        return self.kernel.rpartition("_")[2]

    def call(self) -> Callable[[], Tensor]:
        """Return what runs the kernel, on tensors of its own."""
        run = calls(self.count, self.dtype, self.precision)[self.contraction()]
        entry = (self.kernel, self.precision)
        best = {} if self.config is None else {entry: Config(**dict(self.config))}
        is_dense = self.kernel.startswith("dense") or self.kernel == "accumulate"
        limit = sys.maxsize if is_dense else 0
        contents = configs.replace_entries(family(), best, dense_up_to=limit)

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
    at_hand = "sm_90" if device.INTERPRETED or not torch.cuda.is_available() else family()
    for row, (dtype, precision) in itertools.product(configs.candidates(at_hand), PRECISIONS):
        if precision in row["precision"]:
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
    return unique[:6] if device.INTERPRETED else unique


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


def withhold(context: Context, call: Callable[[], Any], dtype: str, precision: str) -> Row | None:
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
