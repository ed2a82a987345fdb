"""pykan, kanx, efficient-kan, flashkan and pytorch-lattice, whose order 1 is a linear B-spline.

Knots are kept as numbers, and a value is a product with the whole basis. Residual terms are off.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import numpy as np
import torch

from kanditioned_conformance.adapters.torch import TorchAdapter
from kanditioned_spec import Problem

DECLARED = {"stored_knots": True, "spreads_non_finite": True}


def pykan(p: Problem, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """`coef2curve` of order 1."""
    from kan.spline import coef2curve, extend_grid

    grid = torch.linspace(-p.spline_width / 2, p.spline_width / 2, p.num_control_points)
    grid = extend_grid(grid.to(x.dtype).repeat(p.in_features, 1), k_extend=1)
    curves = coef2curve(x.reshape(-1, p.in_features), grid, c.transpose(1, 2), k=1)
    return curves.sum(1).reshape(*x.shape[:-1], p.out_features)


def kanx(p: Problem, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """`KANLinear` of order 1."""
    KANLinear = _without_tensorflow("kanx.torch.layers").KANLinear
    ends = (-p.spline_width / 2, p.spline_width / 2)
    with torch.random.fork_rng([]):  # its own initial values are not used
        layer = KANLinear(
            p.in_features, p.out_features, p.num_control_points - 1, 1, grid_range=ends
        ).to(x.dtype)
    values = {
        "spline_weight": c.transpose(1, 2),
        "base_weight": torch.zeros_like(layer.base_weight),
    }
    y: torch.Tensor = torch.func.functional_call(layer, values, x.reshape(-1, p.in_features))
    return y.reshape(*x.shape[:-1], p.out_features)


def _without_tensorflow(module: str) -> Any:
    """Import a module of kanx, whose package imports TensorFlow first, without running that."""
    for package in ("kanx", "kanx.torch"):
        if package not in sys.modules:
            spec = importlib.util.find_spec(package)
            assert spec is not None
            sys.modules[package] = importlib.util.module_from_spec(spec)
    return importlib.import_module(module)


def efficient_kan(p: Problem, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """`KANLinear` of order 1, from which many others were made."""
    from efficient_kan import KANLinear

    ends = [-p.spline_width / 2, p.spline_width / 2]
    with torch.random.fork_rng([]):
        layer = KANLinear(
            p.in_features, p.out_features, p.num_control_points - 1, 1, grid_range=ends,
            enable_standalone_scale_spline=False,
        ).to(x.dtype)  # fmt: skip
    values = {
        "spline_weight": c.permute(2, 0, 1).contiguous(),
        "base_weight": torch.zeros_like(layer.base_weight),
    }
    y: torch.Tensor = torch.func.functional_call(layer, values, x)
    return y


def flashkan(p: Problem, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """`KANLayer(spline_order=1)`, without torch.compile."""
    from flashkan import KANLayer
    from flashkan.basis import bspline_basis_eager

    ends = (-p.spline_width / 2, p.spline_width / 2)
    with torch.random.fork_rng([]):
        layer = KANLayer(
            p.in_features, p.out_features, p.num_control_points - 1, 1, grid_range=ends
        )
    bases = bspline_basis_eager(x, layer.grid_starts.to(x.dtype), layer.inv_h)
    return torch.einsum("...in,oin->...o", bases, c.permute(2, 0, 1))


def lattice(p: Problem, x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """`NumericalCalibrator`: its parameters are the first value and the increments after it.

    It keeps them and its knots in float64, whatever the input, and so computes in that.
    """
    from pytorch_lattice.layers import NumericalCalibrator

    ends = np.linspace(-p.spline_width / 2, p.spline_width / 2, p.num_control_points)
    calibrator = NumericalCalibrator(ends)
    rows, y = x.reshape(-1, p.in_features), []
    for o in range(p.out_features):
        columns: Any = 0
        for i in range(p.in_features):
            kernel = theta[i, :, o, None].double()
            given = rows[:, i, None].double()
            columns = columns + torch.func.functional_call(calibrator, {"kernel": kernel}, given)
        y.append(columns)
    return torch.cat(y, dim=1).reshape(*x.shape[:-1], p.out_features).to(x.dtype)


def increments(problem: Problem) -> Any:
    """Control points are sums of the first value and the increments after it."""
    return np.tri(problem.num_control_points)


def few_edges(problem: Problem) -> bool | str:
    """Take what a loop over edges does in a second."""
    few = problem.in_features * problem.out_features <= 250
    return few or "more than 250 edges, which the adapter takes one by one"


pykan_spline = TorchAdapter(pykan, "pykan", "pykan", extrapolation=None, **DECLARED)
kanx_linear = TorchAdapter(kanx, "kanx", "kanx", extrapolation=None, **DECLARED)
efficient_kan_linear = TorchAdapter(
    efficient_kan, "efficient-kan", "efficient-kan", extrapolation=None, **DECLARED
)
flashkan_layer = TorchAdapter(flashkan, "flashkan", "flashkan", extrapolation=None, **DECLARED)
pytorch_lattice = TorchAdapter(
    lattice, "pytorch-lattice", "pytorch_lattice", ("float64", "float32"), few_edges,
    increments, extrapolation="constant", **DECLARED,
)  # fmt: skip
