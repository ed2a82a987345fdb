"""What an implementation is.

The layer and all its derivatives are contractions of one trilinear form. Let l be the interval of
x[b, i], Δ_l = c_{l+1} - c_l, and w a weight per (b, i). The form

    F(w, c, gy) = Σ_{b,i,o} gy[b, o] (affine · c[i, l, o] + w[b, i] Δ_l[i, o])

gives the layer (w = t, affine) and its derivative along a direction v (w = v/h, not affine). It is
contracted over all but one argument:

    interpolate   ∂F/∂gy    Σ_i affine · c_l + w Δ_l                     (B, O)
    contract      ∂F/∂w     Σ_o gy Δ_l                                   (B, I)
    accumulate    ∂F/∂c     (affine - w) gy onto c_l, w gy onto c_{l+1}  (I, K, O)

Each is a derivative of the others, so these three suffice for derivatives of any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from kanditioned_spec import Grid


class SplineConfig(NamedTuple):
    """What does not change from call to call.

    Attributes:
        grid: Where the knots are.
        impl: A name in `selection.IMPL_NAMES`.
        precision: How operands of products may be rounded: `"highest"` not at all, `"high"` to
            TF32, `"medium"` to bfloat16. An implementation may always give more.
    """

    grid: Grid
    impl: str
    precision: str


class Interpolate(Protocol):
    """The layer, or its derivative along a direction."""

    def __call__(
        self,
        x: Tensor,
        direction: Tensor | None,
        control_points: Tensor,
        config: SplineConfig,
        dtype: torch.dtype,
        /,
    ) -> Tensor:
        """Return Σ_i s(x), or along a direction v (B, I) the derivative Σ_i v s'(x): (B, O)."""


class Contract(Protocol):
    """The gradient by x."""

    def __call__(
        self,
        x: Tensor,
        control_points: Tensor,
        grad_y: Tensor,
        config: SplineConfig,
        dtype: torch.dtype,
        /,
    ) -> Tensor:
        """Return Σ_o gy s'(x), the gradient by x: (B, I)."""


class Accumulate(Protocol):
    """The gradient by the control points, or its derivative along a direction."""

    def __call__(
        self,
        x: Tensor,
        direction: Tensor | None,
        grad_y: Tensor,
        config: SplineConfig,
        dtype: torch.dtype,
        /,
    ) -> Tensor:
        """Return the gradient by the control points (I, K, O), or its derivative along v."""


class Vjp(Protocol):
    """Both gradients in one pass."""

    def __call__(
        self, x: Tensor, control_points: Tensor, grad_y: Tensor, config: SplineConfig, /
    ) -> tuple[Tensor, Tensor]:
        """Return both gradients, in the dtypes of x and of the control points."""


class Direct(Protocol):
    """The layer alone, where the quickest call counts."""

    def __call__(self, x: Tensor, control_points: Tensor, grid: Grid, /) -> Tensor:
        """Return Σ_i s(x): (B, O), for tensors of one dtype, float32 or float64."""


@dataclass(frozen=True)
class Impl:
    """One way to evaluate the layer and its derivatives.

    Shapes: x and direction (B, I), control_points (I, K, O), grad_y (B, O), with any strides and
    any mix of floating dtypes. Positions and sums are float32, or float64 if an argument is;
    results are rounded once, to `dtype`. NaN in x[b, i] reaches row b of y, entry (b, i) of the
    gradient by x, and the control points of interval 0 of feature i, and nothing else.

    Attributes:
        interpolate: The layer, or its derivative along a direction.
        contract: The gradient by x.
        accumulate: The gradient by the control points, or its derivative along a direction.
        vjp: Both gradients in one pass, if that is faster.
        direct: The layer for what `plain` calls plain, past PyTorch's dispatcher.
    """

    interpolate: Interpolate
    contract: Contract
    accumulate: Accumulate
    vjp: Vjp | None = None
    direct: Direct | None = None
