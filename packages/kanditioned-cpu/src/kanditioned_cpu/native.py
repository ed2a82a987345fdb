"""The native library: its functions, given addresses.

Arrays are float32 or float64, all of one dtype. Inputs have any strides; control points (I, K, O),
cotangents of y (B, O) and results are contiguous. The library is called without Python's lock, so
several threads may call it at once.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from kanditioned_spec import validate

MOST_CONTROL_POINTS = 2**30
"""Intervals are 32-bit integers."""
MOST_THREADS = 1024
"""Of a call. The library itself uses one for each processor of the machine, or 4, at most."""

_NAMES = ("avx512", "avx2", "baseline")


class Layout(ctypes.Structure):
    """Sizes, strides and number of threads of a call, as `layout` makes them."""

    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in ("batch", "in_features", "num_control_points", "out_features")
        ),
        ("spline_width", ctypes.c_double),
        *(
            (name, ctypes.c_int64)
            for name in ("x_row", "x_column", "direction_row", "direction_column", "threads")
        ),
    )


@functools.lru_cache(maxsize=1024)
def layout(
    batch: int,
    shape: tuple[int, int, int],
    spline_width: float,
    x_strides: tuple[int, int],
    direction_strides: tuple[int, int] | None,
    threads: int,
) -> Layout:
    """Return what calls of the same sizes share; it is made once, and only read.

    Args:
        batch: Number of samples, B.
        shape: (I, K, O) of the control points.
        spline_width: Width of the domain.
        x_strides: Those of the inputs (B, I), in elements.
        direction_strides: Those of the direction (B, I), or None without one.
        threads: How many threads may work on a call, the caller included, 1 ... `MOST_THREADS`.

    Raises:
        ValueError: There are more than `MOST_CONTROL_POINTS`.
    """
    count = shape[1]
    if count > MOST_CONTROL_POINTS:
        constraint, remedy = f"<= {MOST_CONTROL_POINTS}", "Use fewer control points."
        raise ValueError(
            validate.message("kanditioned_cpu", "num_control_points", constraint, count, remedy)
        )
    return Layout(batch, *shape, spline_width, *x_strides, *direction_strides or (0, 0), threads)


def interpolate(
    dtype: str, layout: Layout, x: int, direction: int | None, control_points: int, y: int
) -> None:
    """Write Σ_i s(x), or along a direction v the derivative Σ_i v s'(x), to `y` (B, O).

    Args:
        dtype: `"float32"` or `"float64"`, of every array.
        layout: Of this call.
        x: The address of the inputs.
        direction: That of v, or None.
        control_points: The address of (I, K, O).
        y: The address of the result.

    Raises:
        MemoryError: There is no room for the scratch memory: for each thread less than 1 MiB and
            4 bytes per control point of an edge.
    """
    check(_INTERPOLATE[dtype](layout, x, direction, control_points, y))


def gradients(
    dtype: str,
    layout: Layout,
    x: int,
    direction: int | None,
    control_points: int | None,
    grad_y: int,
    grad_x: int | None,
    grad_control_points: int | None,
) -> None:
    """Write the gradients by x (B, I) and by the control points (I, K, O), or one of them.

    Along a direction v, the second is the derivative of itself: -v/h and v/h in place of 1 - t and
    t.

    Args:
        dtype: `"float32"` or `"float64"`, of every array.
        layout: Of this call.
        x: The address of the inputs.
        direction: That of v, or None; None where `grad_x` is wanted.
        control_points: The address of (I, K, O); read for `grad_x` alone.
        grad_y: The address of (B, O).
        grad_x: The address of the gradient by x, or None.
        grad_control_points: The address of the gradient by the control points, or None.

    Raises:
        MemoryError: There is no room for the scratch memory: for each thread less than 1 MiB and
            4 bytes per control point of an edge.
    """
    entry = _GRADIENTS[dtype]
    check(entry(layout, x, direction, control_points, grad_y, grad_x, grad_control_points))


class NetworkShape(ctypes.Structure):
    """The sizes of a call of `network`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("stages", "batch", "widest", "threads")),
        ("epsilon", ctypes.c_double),
    )


class Stage(ctypes.Structure):
    """A normalisation and a layer: its norm is 0 for none, 1 per sample, 2 per feature."""

    _fields_ = (
        *((n, ctypes.c_int64) for n in ("in_features", "num_control_points", "out_features")),
        ("spline_width", ctypes.c_double),
        ("norm", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("control_points", "mean", "scale")),
    )


def network(dtype: str) -> Callable[[int, int, int, int], int]:
    """Return the function that evaluates stages at x (B, I) into y (B, O).

    It takes the addresses of a `NetworkShape`, of an array of `Stage`, of x and of y, since numbers
    pass 0.2 µs faster than structures. Its result is for `check`. Arrays are contiguous and of
    the dtype, `"float32"` or `"float64"`.
    """
    return _NETWORK[dtype]


class Hat(ctypes.Structure):
    """Where one hat of a block has its entries in every row, see `gram`."""

    _fields_ = (
        ("start", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("index", "fraction", "scale")),
    )


class Gram(ctypes.Structure):
    """The sizes and addresses of a call of `gram`; `stride` is that of the products."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("rows", "blocks", "outputs", "stride")),
        ("hats", ctypes.POINTER(Hat)),
        *(
            (name, ctypes.c_void_p)
            for name in ("first", "weight", "targets", "products", "with_targets")
        ),
    )


def gram(call: Gram, threads: int) -> None:
    """Add to the upper blocks of the products, and to the products with the targets.

    Raises:
        MemoryError: There is no room for the scratch memory: for each thread 24 KiB a hat of six
            blocks.
    """
    check(LIBRARY.kan_gram(call, threads))


def instruction_sets() -> tuple[str, ...]:
    """Return the names of the instruction sets that this machine has, the widest first."""
    return tuple(name for name in _NAMES if LIBRARY.kan_has_instruction_set(name.encode()))


def instruction_set() -> str:
    """Return the name of the instruction set in use: at first the machine's widest."""
    name: bytes = LIBRARY.kan_instruction_set()
    return name.decode()


def use_instruction_set(name: str) -> None:
    """Use another instruction set from now on, in the whole process.

    Raises:
        ValueError: This machine does not have it.
    """
    if not LIBRARY.kan_use_instruction_set(name.encode()):
        validate.choice("use_instruction_set", "name", name, instruction_sets())


def share_threads_of_openmp() -> bool:
    """Run on the threads of the OpenMP runtime that the process has loaded, if it has one.

    Otherwise, and in a forked child, the library keeps a pool of its own that waits parked.

    Returns:
        Whether there is such a runtime.
    """
    if sys.platform == "win32":
        return False
    try:
        entry = ctypes.CDLL(None).GOMP_parallel
    except AttributeError:
        return False
    LIBRARY.kan_share_threads_of(ctypes.cast(entry, ctypes.c_void_p))
    return True


def address(array: npt.NDArray[Any]) -> int:
    """Return where the first number of a contiguous array is.

    A view of a writable buffer tells that in 0.2 µs, `array.ctypes.data` in 0.9.
    """
    if array.flags.writeable and array.size:
        return ctypes.addressof(_view(array))
    given: int = array.ctypes.data
    return given


_view: Callable[[Any], ctypes.c_char] = ctypes.c_char.from_buffer


def check(status: int) -> None:
    """Raise `MemoryError` unless a function of the library has returned 0."""
    if status:
        raise MemoryError("kanditioned_cpu: no room for the scratch memory of the kernels")


def _load() -> ctypes.CDLL:
    """Load the library from where the package is, or where its editable install built it."""
    spec = importlib.util.find_spec(__name__.rpartition(".")[0])
    assert spec is not None
    candidates = [Path(folder) / "_native.so" for folder in spec.submodule_search_locations or ()]
    for path in candidates:
        if path.exists():
            return ctypes.CDLL(str(path))
    raise ImportError(
        f"kanditioned_cpu has no native library at {' or '.join(map(str, candidates))}. "
        "Install the package with pip, which builds it: `pip install kanditioned-cpu`."
    )


def _function(name: str, addresses: int) -> ctypes._NamedFuncPointer:
    function = getattr(LIBRARY, name)
    function.argtypes = (ctypes.POINTER(Layout), *[ctypes.c_void_p] * addresses)
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]


LIBRARY = _load()
LIBRARY.kan_instruction_set.restype = ctypes.c_char_p
LIBRARY.kan_has_instruction_set.argtypes = (ctypes.c_char_p,)
LIBRARY.kan_use_instruction_set.argtypes = (ctypes.c_char_p,)
LIBRARY.kan_share_threads_of.argtypes = (ctypes.c_void_p,)
LIBRARY.kan_share_threads_of.restype = None
LIBRARY.kan_gram.argtypes = (ctypes.POINTER(Gram), ctypes.c_int64)
_NETWORK: dict[str, Callable[[int, int, int, int], int]] = {}
for _dtype in ("float32", "float64"):
    _entry = getattr(LIBRARY, f"kan_network_{_dtype}")
    _entry.argtypes = (ctypes.c_void_p,) * 4
    _NETWORK[_dtype] = _entry
_INTERPOLATE = {dtype: _function(f"kan_interpolate_{dtype}", 4) for dtype in ("float32", "float64")}
_GRADIENTS = {dtype: _function(f"kan_gradients_{dtype}", 6) for dtype in ("float32", "float64")}
