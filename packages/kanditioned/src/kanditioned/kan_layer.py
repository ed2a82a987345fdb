"""The drop-in for version 1.x of this package: its layer, signature and checkpoints.

New code uses `kanditioned.KANLayer`. All that is known of 1.x is in this module:

- `variant` "B-spline" keeps the control points in `kan_weight` (I, K, O), "parallel_scan" the
  ramps of both directions in `r_weight` and `l_weight`, each (I, K, O), and "DCT", which 1.x only
  announces, scaled cosine coefficients in `dct_weight` (I, K, O).
- State dicts of 1.x also hold two index tables, `local_bias` and `feature_offset`. They follow from
  the sizes, so they are accepted and not read.
- The default `impl` of 1.0.4, "sparse_matmul_csr", raises there on every input. Here it works.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kanditioned_spec import Grid, initializers, parameterization, validate

from .backends import package
from .plot import plot_edges

package("torch")  # says how to install it, where it is not

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import kanditioned_torch  # noqa: E402
from kanditioned_torch import spline_forward  # noqa: E402
from kanditioned_torch.parameterizations import map_of  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["KANLayer"]

VARIANTS = {"B-spline": "bspline", "parallel_scan": "parallel_scan", "DCT": "dct"}
"""The variants, and what the parameterizations are called now."""
IMPLS = {
    "embedding_bag": "embedding_bag",
    "embedding": "embedding",
    "sparse_matmul_csr": "sparse_csr",
}
"""The implementations, and what they are called now."""

_WEIGHTS = {
    "B-spline": ("kan_weight",),
    "parallel_scan": ("r_weight", "l_weight"),
    "DCT": ("dct_weight",),
}
_INDEX_TABLES = ("local_bias", "feature_offset")


class KANLayer(nn.Module):
    """The layer of version 1.x: y[..., o] = Σ_i s_io(x[..., i]), each s_io a linear spline.

    Args:
        in_features: Number of inputs, I.
        out_features: Number of outputs, O.
        init: `"random_normal"`, `"identity"` (needs I = O) or `"zero"`.
        num_control_points: Number of control points of each function, K >= 2.
        spline_width: Width of the domain [-w/2, w/2] in input units; beyond it the end pieces go on
            in a straight line.
        variant: What is trained: `"B-spline"`, `"parallel_scan"` or `"DCT"`.
        impl: `"embedding_bag"`, `"embedding"` or `"sparse_matmul_csr"`. For speed, use
            `kanditioned.KANLayer`, which chooses for itself.

    Differences from 1.x:
        The weights of a checkpoint mean the same, and give the same outputs to float32 rounding.
        A *new* layer differs by a factor: there `"identity"` multiplies by (K - 1)/w, and
        `"random_normal"` has the same gain; here `"identity"` is the identity, and every output of
        `"random_normal"` has slopes of unit norm. For one seed the slopes differ by that factor
        alone. "parallel_scan" is initialised as well. Input may have any leading shape, NaN stays
        in its row, and positions of half-precision inputs are computed in float32.

    Raises:
        ValueError: A value is out of range or a name unknown.
        TypeError: A value has the wrong type.

    Example:
        >>> layer = KANLayer(in_features=3, out_features=3, init="identity", num_control_points=8)
        >>> layer(torch.tensor([[0.5, -1.0, 3.0]])).tolist()
        [[0.5, -1.0, 3.0]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        init: str,
        num_control_points: int = 32,
        spline_width: float = 4.0,
        variant: str = "B-spline",
        impl: str = "embedding_bag",
    ) -> None:
        super().__init__()
        where = type(self).__name__
        self.in_features = validate.feature_count(where, "in_features", in_features)
        self.out_features = validate.feature_count(where, "out_features", out_features)
        self.init = validate.choice(where, "init", init, initializers.INITIALIZERS)
        if init == "identity":
            validate.square(where, in_features, out_features)
        self.num_control_points = validate.num_control_points(where, num_control_points)
        self.spline_width = validate.spline_width(where, spline_width)
        self.variant = validate.choice(where, "variant", variant, VARIANTS)
        self.impl = validate.choice(where, "impl", impl, IMPLS)
        shape = (self.in_features, self.num_control_points, self.out_features)
        for name in _WEIGHTS[variant]:
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))
        spec = parameterization(VARIANTS[variant], self.num_control_points)
        self.map = map_of(spec, self._theta())
        self.init_tensor()

    @torch.no_grad()
    def init_tensor(self) -> None:
        """Draw new initial functions."""
        shape = (self.in_features, self.out_features)
        if self.init == "random_normal":
            slopes = nn.functional.normalize(torch.randn(shape), dim=0)
        else:
            slopes = torch.eye(*shape) * (self.init == "identity")
        grid = Grid(self.num_control_points, self.spline_width)
        line = self.map.spec.parameters_from(grid.knots())
        theta = slopes[:, None] * torch.as_tensor(line).to(slopes)[:, None]
        names = _WEIGHTS[self.variant]
        for name, weight in zip(names, theta.chunk(len(names), 1), strict=True):
            self.get_parameter(name).copy_(weight)

    def control_points(self) -> Tensor:
        """Return the control points, shape (I, K, O)."""
        points: Tensor = self.map(self._theta())
        return points

    def get_interp_tensor(self) -> Tensor:
        """Return the control points of all inputs below each other, shape (I · K, O)."""
        return self.control_points().reshape(-1, self.out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the layer at `x` of shape (..., I), giving (..., O)."""
        return spline_forward(x, self.control_points(), self.spline_width, IMPLS[self.impl])

    def upgrade(self) -> kanditioned_torch.KANLayer:
        """Return the layer of this version with the same functions."""
        return kanditioned_torch.KANLayer.from_control_points(
            self.control_points(), self.spline_width, VARIANTS[self.variant]
        )

    def visualize_all_mappings(self, save_path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw every edge's function, one panel each, inputs downwards and outputs to the right.

        No window is opened. Of a layer too large for one picture, the first inputs and outputs are
        drawn, and the title says so.

        Args:
            save_path: Where to write the picture, its format by its suffix.

        Returns:
            The figure, which a notebook displays.
        """
        points = self.control_points().detach().double().cpu().numpy()
        return plot_edges(points, self.spline_width, edges="all", path=save_path)

    def extra_repr(self) -> str:
        """Summarise the layer."""
        return (
            f"{self.in_features}, {self.out_features}, init={self.init!r}, "
            f"num_control_points={self.num_control_points}, spline_width={self.spline_width}, "
            f"variant={self.variant!r}, impl={self.impl!r}"
        )

    def _theta(self) -> Tensor:
        return torch.cat([self.get_parameter(name) for name in _WEIGHTS[self.variant]], 1)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *arguments: Any, **options: Any
    ) -> None:
        for name in _INDEX_TABLES:
            state_dict.pop(prefix + name, None)
        super()._load_from_state_dict(state_dict, prefix, *arguments, **options)
