"""Feasible control points by the native library, given addresses: see `kanditioned_spec.shapes`."""

from __future__ import annotations

import ctypes

import numpy as np

from kanditioned_spec import Shapes

from . import native

POINTS, TANGENT, GRADIENT = 0, 1, 2
"""What is wanted: feasible points and their marks, or what the map with these marks, constant
almost everywhere, makes of a tangent or of a gradient."""
MOST_CONTROL_POINTS = 2**24
"""float32 has no more whole numbers, and places of knots are such."""


class Arguments(ctypes.Structure):
    """Sizes and signs of a call, as `arguments` makes them."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("features", "knots", "out", "threads")),
        *((name, ctypes.c_void_p) for name in ("monotone", "convex", "place")),
    )


def arguments(shapes: Shapes, knots: int, out: int, threads: int) -> Arguments:
    """Return what calls of the same sizes share."""
    monotone, convex = (np.array(signs, np.int8) for signs in shapes)
    place = np.full(len(monotone), -1, np.int64)
    place[list(shapes.features)] = range(len(shapes.features))
    arrays = monotone, convex, place
    made = Arguments(len(monotone), knots, out, threads, *(each.ctypes.data for each in arrays))
    made.arrays = arrays  # which live as long as their addresses
    return made


def shape(
    dtype: str, arguments: Arguments, wanted: int, free: int, points: int, marks: int
) -> None:
    """Write feasible points (I, K, O), or what becomes of a tangent or a gradient.

    Args:
        dtype: `"float32"` or `"float64"`, of `free` and `points`.
        arguments: Of this call.
        wanted: `POINTS`, `TANGENT` or `GRADIENT`.
        free: The address of the free points, of the tangent or of the gradient, contiguous.
        points: The address of the result.
        marks: That of the marks, a byte for each control point of the features that have a shape:
            written for `POINTS`, read for the others.

    Raises:
        MemoryError: There is no room for the scratch memory: for each thread 512 bytes per control
            point of an edge.
    """
    native.check(_SHAPE[dtype](arguments, wanted, free, points, marks))


_SHAPE = {dtype: getattr(native.LIBRARY, f"kan_shape_{dtype}") for dtype in ("float32", "float64")}
for _entry in _SHAPE.values():
    _entry.argtypes = (ctypes.POINTER(Arguments), ctypes.c_int64, *[ctypes.c_void_p] * 3)
