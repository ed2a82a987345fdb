"""The layer and its derivatives for NumPy arrays, as `kanditioned_spec.reference` has them.

Shapes: x (..., I), control_points (I, K, O), y and grad_y (..., O), with any leading shape and any
strides. Inputs of two dimensions are read where they are, batch-major or feature-major.

Numerics:
    Positions and sums are float32, or float64 if an argument is; a result is rounded once, to the
    promoted dtype of x and control points. The same bits on every run and with any number of
    threads, though not with every instruction set.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Grid, validate

from . import native

NumpyArray = npt.NDArray[np.floating[Any]]


def forward(
    x: npt.ArrayLike,
    control_points: npt.ArrayLike,
    spline_width: float,
    num_threads: int | None = None,
) -> NumpyArray:
    """Evaluate the layer: y[..., o] = Σ_i s_io(x[..., i]).

    Args:
        x: Inputs in input units, shape (..., I).
        control_points: Shape (I, K, O).
        spline_width: Width w of the domain in input units.
        num_threads: How many threads may work on it, 1 ... 1024; by default `default_threads()`.
            More than the machine has processors (or 4) are never started.

    Returns:
        y of shape (..., O).

    Raises:
        TypeError: An argument is not floating.
        ValueError: The shapes do not fit, or an argument is out of range.

    Example:
        >>> square = np.array([4.0, 1.0, 0.0, 1.0, 4.0]).reshape(1, 5, 1)  # x² at -2, -1, 0, 1, 2
        >>> forward([[1.0], [1.5], [3.0]], square, spline_width=4.0).ravel()
        array([1. , 2.5, 7. ])
    """
    call = _Call("forward", x, control_points, spline_width, num_threads)
    return call.store(call.interpolate(None, call.control_points))


def jvp(
    x: npt.ArrayLike,
    control_points: npt.ArrayLike,
    spline_width: float,
    tangent_x: npt.ArrayLike,
    num_threads: int | None = None,
) -> NumpyArray:
    """Differentiate `forward` along `tangent_x` (..., I): the sum of v · s'(x), shape (..., O)."""
    call = _Call("jvp", x, control_points, spline_width, num_threads)
    v = call.of_shape("tangent_x", tangent_x, call.x.shape)
    return call.store(call.interpolate(v, call.control_points))


def vjp(
    x: npt.ArrayLike,
    control_points: npt.ArrayLike,
    spline_width: float,
    grad_y: npt.ArrayLike,
    num_threads: int | None = None,
) -> tuple[NumpyArray, NumpyArray]:
    """Differentiate `forward` in reverse, by x and by the control points, in one pass."""
    call = _Call("vjp", x, control_points, spline_width, num_threads)
    gy = call.of_shape("grad_y", grad_y, call.y_shape)
    grad_x, grad_c = call.gradients(None, call.control_points, gy, of_x=True, of_c=True)
    return call.store(grad_x), call.store(grad_c)


def vjp_of_vjp(
    x: npt.ArrayLike,
    control_points: npt.ArrayLike,
    spline_width: float,
    grad_y: npt.ArrayLike,
    cotangent_x: npt.ArrayLike,
    cotangent_control_points: npt.ArrayLike,
    num_threads: int | None = None,
) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
    """Differentiate `vjp` in reverse: its cotangents by x, control points and grad_y.

    Args:
        cotangent_x: v, shape (..., I).
        cotangent_control_points: V, shape (I, K, O).
    """
    call = _Call("vjp_of_vjp", x, control_points, spline_width, num_threads)
    gy = call.of_shape("grad_y", grad_y, call.y_shape)
    v = call.of_shape("cotangent_x", cotangent_x, call.x.shape)
    shape = call.control_points.shape
    V = call.of_shape("cotangent_control_points", cotangent_control_points, shape)
    by_x, _ = call.gradients(None, V, gy, of_x=True, of_c=False)
    _, by_c = call.gradients(v, call.control_points, gy, of_x=False, of_c=True)
    by_gy = call.interpolate(v, call.control_points) + call.interpolate(None, V)
    return call.store(by_x), call.store(by_c), call.store(by_gy)


def default_threads() -> int:
    """Return `OMP_NUM_THREADS`, or else the number of processors that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        return min(int(wanted), native.MOST_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_threads(where: str, num_threads: int | None) -> int:
    """Return a number of threads that was asked for, or the default for None.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is not in 1 ... `native.MOST_THREADS`.
    """
    if num_threads is None:
        return default_threads()
    remedy = "Pass the number of threads, or None for the default."
    threads = validate.integer(where, "num_threads", num_threads, 1, remedy)
    if threads > native.MOST_THREADS:
        constraint = f"<= {native.MOST_THREADS}"
        raise ValueError(validate.message(where, "num_threads", constraint, threads, remedy))
    return threads


class _Call:
    """The checked arguments of one call, in the dtype that is computed in."""

    def __init__(
        self,
        where: str,
        x: npt.ArrayLike,
        control_points: npt.ArrayLike,
        spline_width: float,
        num_threads: int | None,
    ) -> None:
        self.where = where
        x, c = np.asarray(x), np.asarray(control_points)
        for name, array in (("x", x), ("control_points", c)):
            floating = np.issubdtype(array.dtype, np.floating) and array.dtype.itemsize <= 8
            validate.floating(where, name, floating, array.dtype)
        if c.ndim != 3:
            raise ValueError(
                validate.message(
                    where,
                    "control_points",
                    "of shape (in_features, num_control_points, out_features)",
                    f"shape {c.shape}",
                    "Stack the control points of all edges into one three-dimensional array.",
                )
            )
        validate.num_control_points(where, c.shape[1])
        validate.last_dimension(where, "x", x.shape, c.shape[0])
        self.width = validate.spline_width(where, spline_width)
        self.threads = check_threads(where, num_threads)
        self.storage = np.result_type(x, c)
        self.compute = np.result_type(self.storage, np.float32)
        Grid(c.shape[1], self.width).check_dtype(where, self.storage.name)
        self.x = x.astype(self.compute, copy=False)
        self.control_points = c.astype(self.compute, copy=False)
        self.y_shape = (*x.shape[:-1], c.shape[2])

    def of_shape(self, argument: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> NumpyArray:
        array = np.asarray(values)
        if array.shape != shape:
            remedy = "Tangents and cotangents have the shape of what they belong to."
            constraint, got = f"of shape {shape}", f"shape {array.shape}"
            raise ValueError(validate.message(self.where, argument, constraint, got, remedy))
        return array.astype(self.compute, copy=False)

    def interpolate(self, direction: NumpyArray | None, control_points: NumpyArray) -> NumpyArray:
        c = pack(control_points)
        x, v = self._flat(self.x), None if direction is None else self._flat(direction)
        y = np.empty((x.shape[0], c.shape[2]), dtype=self.compute)
        native.interpolate(
            self.compute.name,
            self._layout(x, v),
            x.ctypes.data,
            None if v is None else v.ctypes.data,
            native.address(c),
            native.address(y),
        )
        return y.reshape(self.y_shape)

    def gradients(
        self,
        direction: NumpyArray | None,
        control_points: NumpyArray,
        grad_y: NumpyArray,
        *,
        of_x: bool,
        of_c: bool,
    ) -> tuple[NumpyArray, NumpyArray]:
        """Return both gradients; one that is not wanted is empty memory."""
        c = pack(control_points)
        x, v = self._flat(self.x), None if direction is None else self._flat(direction)
        gy = pack(grad_y)
        grad_x = np.empty(x.shape, dtype=self.compute)
        grad_c = np.empty(c.shape, dtype=self.compute)
        native.gradients(
            self.compute.name,
            self._layout(x, v),
            x.ctypes.data,
            None if v is None else v.ctypes.data,
            native.address(c),
            native.address(gy),
            native.address(grad_x) if of_x else None,
            native.address(grad_c) if of_c else None,
        )
        return grad_x.reshape(self.x.shape), grad_c

    def _layout(self, x: NumpyArray, direction: NumpyArray | None) -> native.Layout:
        along = None if direction is None else _strides(direction)
        shape = self.control_points.shape
        return native.layout(x.shape[0], shape, self.width, _strides(x), along, self.threads)

    def _flat(self, x: NumpyArray) -> NumpyArray:
        in_features = self.control_points.shape[0]
        rows = x.size // in_features if in_features else int(np.prod(x.shape[:-1]))
        return np.require(x.reshape(rows, in_features), requirements="A")

    def store(self, array: NumpyArray) -> NumpyArray:
        """Round a result to the storage dtype."""
        return array.astype(self.storage, copy=False)


def pack(array: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> NumpyArray:
    """Return an array, aligned and in the order of C, as the library reads it."""
    return np.require(array, dtype, ("C", "A"))


def _strides(x: NumpyArray) -> tuple[int, int]:
    """Return the strides of an array (B, I) in elements."""
    row, column = x.strides
    return row // x.itemsize, column // x.itemsize
