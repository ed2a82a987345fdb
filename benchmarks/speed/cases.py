"""What is measured: shapes, modes and precisions, as data."""

from __future__ import annotations

import random
from dataclasses import dataclass

from kanditioned_spec.costs import Sizes

from ..tune.measurement import COMMON

MODES = ("inference", "train", "train_penalty")
"""Forward without gradients; forward and gradients of weights and inputs; the same with a smoothing
penalty in a parameterization that makes it well conditioned (`competitors.PENALISED`)."""

PRECISIONS = ("highest", "high", "bfloat16", "autocast")
"""float32; float32 with TF32 products; bfloat16 storage; float32 storage under autocast."""


CPU_SHAPES = COMMON
GPU_SHAPES = (
    *CPU_SHAPES,
    *(Sizes(8192, 1024, 1024, count) for count in (8, 16, 32, 64, 256)),
    Sizes(65536, 256, 256, 32),
    Sizes(1024, 4096, 4096, 8),
    Sizes(1048576, 64, 64, 32),
)
SHAPES = {"cpu": CPU_SHAPES, "cuda": GPU_SHAPES}
SWEEPS = {
    "K": tuple(Sizes(1024, 64, 64, 2**n) for n in range(2, 11)),
    "B": tuple(Sizes(2**n, 64, 64, 16) for n in range(0, 15, 2)),
    "width": tuple(Sizes(512, 2**n, 2**n, 16) for n in range(2, 10)),
}
"""One size varied, the others fixed."""


@dataclass(frozen=True)
class Case:
    """One thing to time.

    Attributes:
        shape: Sizes.
        mode: One of `MODES`.
        precision: One of `PRECISIONS`.
        device: `"cpu"` or `"cuda"`.
        spline_width: Width of the domain; inputs are standard normal.
    """

    shape: Sizes
    mode: str = "train"
    precision: str = "highest"
    device: str = "cpu"
    spline_width: float = 4.0

    @property
    def edges(self) -> int:
        """B · I · O."""
        return self.shape.batch * self.shape.in_features * self.shape.out_features

    @property
    def passes(self) -> int:
        """How often each edge is visited: once forward, twice more for the gradients."""
        return 1 if self.mode == "inference" else 3

    @property
    def dense_flops(self) -> int:
        """Multiplications and additions of the hat basis times the control points."""
        return 2 * self.edges * self.shape.num_control_points * self.passes

    @property
    def bytes_moved(self) -> int:
        """Traffic that nothing can avoid: what is used of each argument, and each result, once."""
        batch, inputs, outputs, count = self.shape
        size = 2 if self.precision == "bfloat16" else 4
        rows = min(2 * batch, count)
        forward = batch * inputs + inputs * rows * outputs + batch * outputs
        gradients = batch * inputs + inputs * count * outputs + batch * outputs
        return size * (forward if self.mode == "inference" else forward + gradients)


def random_shapes(count: int, seed: int) -> tuple[Sizes, ...]:
    """Draw shapes log-uniformly, of at most 2²⁶ edges and 2²³ control points."""
    rng = random.Random(seed)
    shapes: list[Sizes] = []
    while len(shapes) < count:
        shape = Sizes(
            *(round(2 ** rng.uniform(*log)) for log in ((0, 13), (2, 10), (2, 10), (1, 8)))
        )
        batch, inputs, outputs, points = shape
        if batch * inputs * outputs <= 2**26 and inputs * points * outputs <= 2**23:
            shapes.append(shape)
    return tuple(shapes)
