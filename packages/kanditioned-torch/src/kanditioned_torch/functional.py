"""The layer as a function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kanditioned_spec import Grid, validate

from . import derivatives, selection
from .arguments import check_tensor
from .arrays import dtype_name
from .impls import SplineConfig
from .plain import dispatches, is_plain, records
from .precision import PRECISIONS, default_precision, output_dtype, without_autocast

_WIDE = (torch.float32, torch.float64)


def spline_forward(
    x: Tensor,
    control_points: Tensor,
    spline_width: float = 4.0,
    impl: str = "auto",
    *,
    feature_major: bool = False,
    precision: str | None = None,
) -> Tensor:
    """Evaluate y[..., o] = Σ_i s_io(x[..., i]) with linear splines on uniform control points.

    Args:
        x: Inputs in input units, shape (..., I), any strides; (I, B) if `feature_major`.
        control_points: Shape (I, K, O), K >= 2.
        spline_width: Width of the domain [-w/2, w/2] in input units; beyond it the end pieces go
            on in a straight line.
        impl: `"auto"`, or one of `kanditioned_torch.IMPL_NAMES`.
        feature_major: Take x as (I, B) and return y as (O, B), as views without a copy.
        precision: How far tensor cores may round what they multiply: `"highest"` not at all,
            `"high"` to TF32, `"medium"` to bfloat16. By default `"medium"` if y is in half
            precision, otherwise `torch.get_float32_matmul_precision()`. The stock implementations
            do not round by themselves.

    Returns:
        y of shape (..., O). Its dtype is the promoted dtype of x and control points; under
        `torch.autocast` the autocast dtype, as for `nn.Linear` (float64 stays).

    Raises:
        TypeError: x or the control points are not floating.
        ValueError: Shapes or devices do not fit, or an argument is out of range.

    Numerics:
        Positions and sums are float32, or float64 if an argument is, whatever the storage dtype;
        inputs are never rounded to an autocast dtype first. The gradient by x is the slope of the
        interval, at a knot that on its right. NaN stays in its row. Deterministic.

    Example:
        >>> import torch
        >>> square = torch.tensor([4.0, 1.0, 0.0, 1.0, 4.0]).reshape(1, 5, 1)
        >>> spline_forward(torch.tensor([[1.0], [1.5], [3.0]]), square, 4.0).flatten()
        tensor([1.0000, 2.5000, 7.0000])
    """
    where = "spline_forward"
    check_tensor(where, "x", x)
    check_tensor(where, "control_points", control_points)
    remedy = "It says which axis of x holds the features."
    validate.instance(where, "feature_major", feature_major, bool, "True or False", remedy)
    validate.control_points(where, control_points.shape)
    if feature_major and x.ndim != 2:
        constraint = "of shape (in_features, batch) with feature_major=True"
        got, remedy = f"shape {tuple(x.shape)}", "Flatten the batch dimensions into one."
        raise ValueError(validate.message(where, "x", constraint, got, remedy))
    grid = Grid(control_points.shape[1], validate.spline_width(where, spline_width))
    grid.check_dtype(where, dtype_name(torch.promote_types(x.dtype, control_points.dtype)))
    selection.check(where, impl)
    if precision is not None:
        validate.choice(where, "precision", precision, PRECISIONS)
    batch_major = x.t() if feature_major else x
    y = evaluate(batch_major, control_points, grid, impl, precision)
    return y.t() if feature_major else y


def evaluate(
    x: Tensor, control_points: Tensor, grid: Grid, impl: str, precision: str | None
) -> Tensor:
    """As `spline_forward`, of whose arguments the layer has checked all but `x` when it was made.

    The compiler guards whatever Python it has followed at every later call, so there is little.
    """
    compiling = torch.compiler.is_compiling()
    if not compiling and _is_simple(x, control_points):
        in_features, count, out_features = control_points.shape
        found = selection.untraced_implementation(
            impl, "cpu", x.shape[0], in_features, out_features, count
        )
        if found.direct is not None:
            return found.direct(x, control_points, grid)
    where = "spline_forward"
    in_features, _, out_features = control_points.shape
    check_tensor(where, "x", x)
    validate.last_dimension(where, "x", x.shape, in_features)
    if x.device != control_points.device:
        constraint = f"on the device of the control points, {control_points.device}"
        remedy = "Move one of them with .to(device)."
        raise ValueError(validate.message(where, "x", constraint, x.device, remedy))
    dtype = output_dtype(x, control_points)
    if compiling:
        derivatives.keep_whole()
    config = SplineConfig(grid, impl, precision or default_precision(dtype))
    with without_autocast(x.device.type):
        flat = x if x.ndim == 2 else x.reshape(-1, in_features)
        y: Tensor = derivatives.interpolate(flat, None, control_points, config, dtype)
    return y if x.ndim == 2 else y.reshape(*x.shape[:-1], out_features)


def _is_simple(x: Any, control_points: Tensor) -> bool:
    """Whether the value alone is wanted, of a matrix that fits, by nothing but an implementation.

    Everything that `evaluate` looks at is as usual then, found out at a tenth of the time.
    """
    return (
        is_plain(x)
        and is_plain(control_points)
        and x.dtype is control_points.dtype
        and x.dtype in _WIDE
        and x.ndim == 2
        and x.shape[1] == control_points.shape[0]
        and not records(x, control_points)
        and not dispatches()
        and not torch.is_autocast_enabled("cpu")
    )
