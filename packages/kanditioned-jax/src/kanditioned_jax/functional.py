"""The layer as a function."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType, PartitionSpec
from jax.typing import ArrayLike

from kanditioned_spec import Grid, validate

from . import derivatives, selection
from .arguments import flag, floating_array
from .grid import compute_dtype


def spline_forward(
    x: ArrayLike,
    control_points: ArrayLike,
    spline_width: float = 4.0,
    *,
    impl: str = "auto",
    precision: str | None = None,
    feature_major: bool = False,
) -> jax.Array:
    """Evaluate y[..., o] = Σ_i s_io(x[..., i]) with linear splines on uniform control points.

    Composes with every transformation of JAX, forward and reverse mode of any order included.

    Args:
        x: Inputs in input units, shape (..., I); (I, B) if `feature_major`.
        control_points: Shape (I, K, O), K >= 2.
        spline_width: Width of the domain [-w/2, w/2] in input units; beyond it the end pieces go
            on in a straight line. A Python number, not a traced value.
        impl: `"auto"`, or one of `kanditioned_jax.IMPL_NAMES`.
        precision: How factors of matrix products may be rounded on an accelerator: `"highest"` not
            at all, `"high"` to TF32, `"medium"` to bfloat16; None does as
            `jax.default_matmul_precision` says. A CPU never rounds them.
        feature_major: Take x as (I, B) and return y as (O, B).

    Returns:
        y of shape (..., O), in the promoted dtype of x and control points.

    Raises:
        TypeError: x or the control points are not floating.
        ValueError: Shapes do not fit, or an argument is out of range.

    Numerics:
        Positions and sums are float32, or float64 if an argument is, whatever the storage dtype.
        The gradient by x is the slope of the interval, at a knot that on its right. NaN in x stays
        in its row; non-finite control points may spread where `impl` multiplies matrices.
        Deterministic.

    Example:
        >>> import jax.numpy as jnp
        >>> square = jnp.array([4.0, 1.0, 0.0, 1.0, 4.0]).reshape(1, 5, 1)
        >>> spline_forward(jnp.array([[1.0], [1.5], [3.0]]), square, 4.0).ravel().tolist()
        [1.0, 2.5, 7.0]
    """
    where = "spline_forward"
    x, c = floating_array(where, "x", x), floating_array(where, "control_points", control_points)
    _check(x, c, flag(where, "feature_major", feature_major))
    grid = Grid(c.shape[1], validate.spline_width(where, spline_width))
    grid.check_dtype(where, jnp.promote_types(x.dtype, c.dtype).name)
    config = derivatives.SplineConfig(grid, *selection.check_evaluation(where, impl, precision))
    evaluate = partial(_evaluate, config=config, feature_major=feature_major)
    if AxisType.Explicit in jax.sharding.get_abstract_mesh().axis_types:
        evaluate = jax.sharding.auto_axes(evaluate, out_sharding=_sharding(x, c, feature_major))
    return evaluate(x, c)


def _evaluate(
    x: jax.Array, control_points: jax.Array, config: derivatives.SplineConfig, feature_major: bool
) -> jax.Array:
    in_features, count, out_features = control_points.shape
    storage = jnp.promote_types(x.dtype, control_points.dtype)
    compute = compute_dtype(storage)
    batch_major = x.T if feature_major else x
    rows, c = _alike(batch_major.astype(compute), control_points.astype(compute))
    table = c.reshape(1, in_features * count, out_features)
    rows = rows.reshape(1, -1, in_features)
    y = derivatives.contraction("grad_y", rows, {"control_points": table}, config)
    y = y.astype(storage).reshape(*batch_major.shape[:-1], out_features)
    return y.T if feature_major else y


def _sharding(x: jax.Array, control_points: jax.Array, feature_major: bool) -> PartitionSpec:
    """Return how y lies on a mesh with explicit axes: rows as those of x, outputs as those of c."""
    of_x, of_c = (jax.typeof(array).sharding.spec for array in (x, control_points))
    rows = of_x[1:] if feature_major else of_x[:-1]
    axes = (of_c[2], *rows) if feature_major else (*rows, of_c[2])
    return PartitionSpec(*axes)  # type: ignore[no-untyped-call]


def _alike(x: jax.Array, control_points: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Make both vary over the same axes of a `shard_map`; the transpose sums over the new ones."""
    axes = {name: jax.typeof(a).mat.varying for name, a in (("x", x), ("c", control_points))}
    return (
        lax.pcast(x, tuple(axes["c"] - axes["x"]), to="varying"),
        lax.pcast(control_points, tuple(axes["x"] - axes["c"]), to="varying"),
    )


def _check(x: jax.Array, control_points: jax.Array, feature_major: bool) -> None:
    where = "spline_forward"
    validate.control_points(where, control_points.shape)
    if feature_major and x.ndim != 2:
        raise ValueError(
            validate.message(
                where,
                "x",
                "of shape (in_features, batch) with feature_major=True",
                f"shape {x.shape}",
                "Flatten the batch dimensions into one.",
            )
        )
    shape = x.T.shape if feature_major else x.shape
    validate.last_dimension(where, "x", shape, control_points.shape[0])
