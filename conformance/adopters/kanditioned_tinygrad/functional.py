"""The layer as a function.

The two control points of an input are picked by comparing interval numbers, so that one formula
serves the layer and, through tinygrad's own differentiation, its derivatives of any order.
tinygrad 0.14 turns the comparison into a lookup: the layer is one kernel, a loop over B, O and I.
"""

from __future__ import annotations

from tinygrad import Tensor, dtypes
from tinygrad.dtype import DType, least_upper_dtype


def spline_forward(x: Tensor, control_points: Tensor, spline_width: float = 4.0) -> Tensor:
    """Evaluate y[..., o] = Σ_i c_l + t (c_{l+1} - c_l).

    Args:
        x: Inputs in input units, shape (..., I).
        control_points: Shape (I, K, O).
        spline_width: Width of the domain in input units.

    Returns:
        y of shape (..., O), in the promoted dtype.

    Numerics:
        Positions and sums are float32, or float64 if an argument is. NaN in x[b, i] gives NaN in
        y[b, :] and in the gradient of x[b, i].
    """
    count = control_points.shape[1]
    dtype = compute_dtype(x, control_points)
    c, wide = control_points.cast(dtype), x.cast(dtype)
    u = (wide + spline_width / 2) * ((count - 1) / spline_width)
    # NaN is given interval 0 before the conversion. To differentiation the interval is a constant.
    interval = wide.isnan().where(0, u.floor().clip(0, count - 2)).detach().cast(dtypes.int32)
    # A factor NaN where x is NaN, so that the slope of t is NaN there as well.
    t = (u - interval) * wide.isnan().where(float("nan"), 1.0)
    here = (interval.unsqueeze(-1) == Tensor.arange(count - 1)).unsqueeze(-1)  # (..., I, K - 1, 1)
    left = here.where(c[:, :-1], 0).sum(-2)  # (..., I, O)
    step = here.where(c[:, 1:] - c[:, :-1], 0).sum(-2)
    y = (left + t.unsqueeze(-1) * step).sum(-2)
    return y.cast(least_upper_dtype(x.dtype, control_points.dtype))


def along_knots(matrix: Tensor, values: Tensor) -> Tensor:
    """Apply a matrix (m, n) along the knot axis of values (I, n, O), in float32 or wider."""
    dtype = compute_dtype(values)
    return matrix.cast(dtype) @ values.cast(dtype)


def compute_dtype(*arguments: Tensor) -> DType:
    """Return the dtype of positions and sums."""
    is_wide = any(argument.dtype == dtypes.float64 for argument in arguments)
    return dtypes.float64 if is_wide else dtypes.float32
