"""The spec's parameterizations as pure functions: c = T θ along the knot axis.

The numbers of T come from `kanditioned_spec`, in float64; this module only evaluates. Transposes
are JAX's.

Shapes: θ is (I, P, O), control points are (I, K, O), both in float32 or wider.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kanditioned_spec import PARAMETERIZATIONS, Grid, Parameterization, parameterization, validate
from kanditioned_spec.grid import Array
from kanditioned_spec.parameterizations import DCT, DemmlerReinsch, option_names

Options = tuple[tuple[str, Any], ...]
"""Options of a parameterization as pairs, which can be hashed."""


def make_parameterization(
    where: str, name: str, grid: Grid, options: dict[str, Any]
) -> Parameterization:
    """Build the parameterization of a layer, whose width is the layer's.

    Raises:
        ValueError: Unknown name, or a value out of range.
        TypeError: Unknown option, or a value of the wrong type.
    """
    validate.choice(where, "parameterization", name, PARAMETERIZATIONS)
    if "spline_width" in option_names(name):
        options = {**options, "spline_width": grid.spline_width}
    return parameterization(name, grid.num_control_points, **options)


@lru_cache(maxsize=64)
def specification(name: str, num_control_points: int, options: Options) -> Parameterization:
    """Return a parameterization of the spec, the same object for the same arguments."""
    return parameterization(name, num_control_points, **dict(options))


def control_points(spec: Parameterization, theta: jax.Array) -> jax.Array:
    """Return T θ."""
    if spec.name == "bspline":
        return theta
    if spec.name == "prefix_sum":
        first, slopes = theta[:, :1], theta[:, 1:].cumsum(1)
        return spec.scale * jnp.concatenate([first, first + slopes.cumsum(1)], 1)
    if spec.name == "parallel_scan":
        right, left = jnp.split(theta, 2, axis=1)
        return spec.scale * (_ramps(right) + jnp.flip(_ramps(jnp.flip(left, 1)), 1))
    if isinstance(spec, DCT) and spec.uses_fft:
        return _dct_by_fft(spec, theta)
    return along_knots(spec.matrix(), theta)


def curvature(spec: Parameterization, theta: jax.Array) -> jax.Array:
    """Return coordinates of D T θ in an orthonormal basis, shape (I, ≥ K - 2, O)."""
    if spec.name == "bspline":
        return jnp.diff(theta, n=2, axis=1)
    if spec.name == "parallel_scan":
        right, left = jnp.split(theta, 2, axis=1)
        return spec.scale * (right + left)[:, 1:-1]
    if isinstance(spec, DemmlerReinsch):
        return _column(spec.scale * spec.curvature_gains, theta.dtype) * theta[:, 2:]
    if spec.curvature_coordinates is not None:
        return spec.scale * theta[:, spec.curvature_coordinates]
    return along_knots(spec.curvature(np.eye(spec.num_parameters)), theta)


def parameters_from(spec: Parameterization, control_points: jax.Array) -> jax.Array:
    """Return the θ of smallest norm that minimises ‖T θ - c‖."""
    if spec.name == "bspline":
        return control_points
    return along_knots(spec.parameters_from(np.eye(spec.num_control_points)), control_points)


def convert(
    theta: jax.Array, old: Parameterization, new: Parameterization, resampling: Array
) -> jax.Array:
    """Return parameters of other coordinates for the functions of θ, sampled at other knots.

    The three maps are multiplied in float64 first, so that only one product is rounded.

    Args:
        theta: Shape (I, P, O).
        old: What θ belongs to.
        new: What the result belongs to.
        resampling: The matrix (K', K) from old to new control points.
    """
    return along_knots(new.parameters_from(resampling @ old.matrix()), theta)


def along_knots(matrix: Array, values: jax.Array) -> jax.Array:
    """Multiply the knot axis of `values` (I, P, O) by a matrix (K, P), without rounding factors."""
    rounded = matrix.astype(values.dtype)
    return jnp.einsum("kp,ipo->iko", rounded, values, precision="highest")


def _ramps(jumps: jax.Array) -> jax.Array:
    """Return Σ_{l < k} (k - l) r_l at every knot k."""
    return jnp.pad(jumps.cumsum(1).cumsum(1)[:, :-1], ((0, 0), (1, 0), (0, 0)))


def _dct_by_fft(spec: DCT, theta: jax.Array) -> jax.Array:
    """Return T θ by the steps of the spec's `_synthesis`, with a real FFT."""
    count = spec.num_control_points
    norm = np.sqrt(2 / count)

    column = partial(_column, dtype=theta.dtype)

    def stretch(values: jax.Array, axis: Array, amount: float) -> jax.Array:
        along = jnp.einsum("p,ipo->io", jnp.asarray(axis, theta.dtype), values, precision="highest")
        return values + amount * column(axis) * along[:, None]

    scaled = jnp.pad(theta[:, 2:], ((0, 0), (1, 0), (0, 0)))
    scaled = stretch(scaled, spec.reflector, -2.0)
    scaled = stretch(scaled, spec.corrected_axis, float(spec.correction))
    rising = column(spec.scale / (spec.eigenvalues * norm)) * scaled
    rising = rising + column(spec.scale * spec.linear_coefficients / norm) * theta[:, 1:2]
    mean = float(spec.scale * spec.affine_gain * np.sqrt(count)) * theta[:, :1]
    return _inverse_dct(jnp.concatenate([mean, rising], 1))


def _column(values: Any, dtype: Any) -> jax.Array:
    """Return factors of the parameters of every edge, shape (1, P, 1)."""
    return jnp.asarray(np.asarray(values)[None, :, None], dtype)


def _inverse_dct(coefficients: jax.Array) -> jax.Array:
    """Return the inverse DCT-II along axis 1 of coefficients over their norms.

    The spectrum of the reordered signal (even samples, then odd ones backwards) is
    (C_k - i C_{K-k}) exp(iπk/2K) (J. Makhoul, IEEE Trans. ASSP 28, 1980).
    """
    count = coefficients.shape[1]
    half = count // 2 + 1
    angles = np.pi * np.arange(half)[None, :, None] / (2 * count)
    twiddle = _complex(np.cos(angles), np.sin(angles), coefficients.dtype)
    mirrored = jnp.pad(jnp.flip(coefficients, 1), ((0, 0), (1, 0), (0, 0)))[:, :half]
    spectrum = jax.lax.complex(coefficients[:, :half], -mirrored) * twiddle
    reordered = jnp.fft.irfft(spectrum, n=count, axis=1)
    sample = np.arange(count)
    return reordered[:, np.where(sample % 2, count - 1 - sample // 2, sample // 2)]


def _complex(real: Array, imaginary: Array, dtype: Any) -> jax.Array:
    """Return a complex constant whose parts have a dtype."""
    return jax.lax.complex(jnp.asarray(real, dtype), jnp.asarray(imaginary, dtype))
