"""A backend for the tests of code that calls backends: it refuses what the spec does not promise.

It computes what `ReferenceBackend` computes. Another backend may take more than the spec says, each
something else; code that works with this one does not rely on it.

`TypeError` (another kind) or `ValueError` (another value) is raised for

- an array that is no `numpy.ndarray` itself: a list, a number, a masked array, a tensor;
- another dtype than that in which numbers of `Problem.dtype` travel: integers, mixtures, another
  byte order; and float32 numbers that are none of bfloat16;
- entries that are not aligned, or strides that are no whole number of them;
- a shape that would be broadcast, and rows that `Problem.batch` does not count; only `forward` and
  `vjp` take any leading shape;
- a `Problem` with a size, sign, name or option that the spec does not know, or without a hash;
- a method or an argument that `protocol.CompleteBackend` does not have.

`UnpromisedWarning` is given for the slope of an input within rounding of an inner knot, unless
positions of knots are exact: another backend may take the slope on the other side.

Nothing can be made of what is so by chance: results cannot be written to, share no memory, and have
gaps of NaN between their entries; a seed does not give the numbers that it gives in the reference;
a native layer has no attributes.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from . import numerics, validate
from .backend import ReferenceBackend, map_of
from .grid import Grid
from .parameterizations import PARAMETERIZATIONS
from .protocol import STORAGE_DTYPES, Problem
from .rounding import is_rounded
from .shapes import Shapes

AXES = dict.fromkeys(("x", "cotangent_x", "grad_z"), "BI")
AXES |= dict.fromkeys(("control_points", "cotangent_control_points", "grad"), "IKO")
AXES |= {"grad_y": "BO", "theta": "IPO"}
"""The axes of each array; of `feature_major`, those of two dimensions are turned."""
ANY_LEADING_SHAPE = ("forward", "vjp")
WITH_SLOPES = ("vjp", "vjp_of_vjp", "vjp_of_layer", "feature_major")
OTHER_NUMBERS = 0x5EED


class UnpromisedWarning(UserWarning):
    """Rounding decides a result, so that another backend may have another."""


def _strict(method: Callable[..., Any]) -> Any:
    """Return a method of the reference that checks its arguments and seals its results."""
    name, signature = method.__name__, inspect.signature(method)

    @functools.wraps(method)
    def call(self: object, *arguments: Any, **named: Any) -> Any:
        given = signature.bind(self, *arguments, **named).arguments
        _check_arrays(name, given)
        if name in WITH_SLOPES:
            _warn_near_knots(name, given["problem"], given["x"])
        if "seed" in given:
            seed = validate.integer(name, "seed", given["seed"], 0, "Count seeds from 0.")
            given["seed"] = seed ^ OTHER_NUMBERS
        return _sealed(method(*given.values()))

    return call


class StrictBackend:
    """The reference, with nothing beside what the spec promises."""

    info = replace(ReferenceBackend.info, name="strict")

    def supports(self, problem: Problem) -> bool | str:
        try:
            check_problem(problem)
        except (TypeError, ValueError) as error:
            return str(error)
        return True

    def layer(self, **arguments: Any) -> object:
        ReferenceBackend().layer(**arguments)
        return object()

    forward = _strict(ReferenceBackend.forward)
    vjp = _strict(ReferenceBackend.vjp)
    vjp_of_vjp = _strict(ReferenceBackend.vjp_of_vjp)
    feature_major = _strict(ReferenceBackend.feature_major)
    control_points = _strict(ReferenceBackend.control_points)
    control_points_transpose = _strict(ReferenceBackend.control_points_transpose)
    parameters_from = _strict(ReferenceBackend.parameters_from)
    vjp_of_layer = _strict(ReferenceBackend.vjp_of_layer)
    parameter_matrix = _strict(ReferenceBackend.parameter_matrix)
    penalty = _strict(ReferenceBackend.penalty)
    feasible = _strict(ReferenceBackend.feasible)
    map_input = _strict(ReferenceBackend.map_input)
    initial_control_points = _strict(ReferenceBackend.initial_control_points)
    refine = _strict(ReferenceBackend.refine)
    widen = _strict(ReferenceBackend.widen)
    save = _strict(ReferenceBackend.save)
    load = _strict(ReferenceBackend.load)


def check_problem(problem: Problem) -> None:
    """Check every field of a problem.

    Raises:
        TypeError: A field is of another kind.
        ValueError: A field is out of range, or is no name that the spec knows.
    """
    where, p = "Problem", problem
    validate.instance("supports", "problem", p, Problem, "a Problem", "Build a `Problem`.")
    validate.integer(where, "batch", p.batch, 0, "It is the number of rows of x.")
    validate.feature_count(where, "in_features", p.in_features)
    validate.feature_count(where, "out_features", p.out_features)
    validate.choice(where, "dtype", p.dtype, STORAGE_DTYPES)
    validate.choice(where, "device", p.device, ReferenceBackend.info.devices)
    Grid.from_arguments(where, p.num_control_points, p.spline_width).check_dtype(where, p.dtype)
    validate.choice(where, "parameterization", p.parameterization, PARAMETERIZATIONS)
    Shapes.from_arguments(where, p.in_features, p.monotone, p.convex)
    for name, value in {"options": p.options, "monotone": p.monotone, "convex": p.convex}.items():
        validate.instance(where, name, value, tuple, "a tuple", "A problem has to have a hash.")
    map_of(p)


def _check_arrays(where: str, given: dict[str, Any]) -> None:
    """Check the problem, and all arrays against it; those of `map_input` against each other."""
    sizes: dict[str, int] = {}
    dtypes: tuple[str, ...] = ("float64", given.get("dtype", ""))
    if "problem" in given:
        p = given["problem"]
        check_problem(p)
        sizes = {"B": p.batch, "I": p.in_features, "K": p.num_control_points, "O": p.out_features}
        sizes, dtypes = sizes | {"P": map_of(p).num_parameters}, (p.dtype,)
    elif where == "map_input":
        validate.choice(where, "dtype", dtypes[-1], STORAGE_DTYPES)
        sizes = {"B": len(given["x"]), "I": given["input_map"].in_features}
    for name in [name for name in given if name in AXES]:
        array, axes = given[name], AXES[name]
        _check_array(where, name, array, dtypes)
        turned = where == "feature_major" and len(axes) == 2
        want = tuple(sizes[axis] for axis in (axes[::-1] if turned else axes))
        if where in ANY_LEADING_SHAPE and len(axes) == 2:
            lead = given["x"].shape[:-1]
            want = (*lead, want[1]) if prod(lead) == want[0] else want
        if array.shape != want:
            remedy = "Nothing is broadcast, and `Problem.batch` counts the rows."
            got = f"shape {array.shape}"
            raise ValueError(validate.message(where, name, f"of shape {want}", got, remedy))


def _check_array(where: str, name: str, array: Any, dtypes: tuple[str, ...]) -> None:
    """Check that an array is a plain one, of one of these dtypes."""
    *others, dtype = dtypes
    own = "float32" if dtype == "bfloat16" else dtype
    call = f"{where}({name}=...)"
    if type(array) is not np.ndarray:
        raise TypeError(
            f"`{call}` must be a numpy.ndarray itself, got a {type(array).__name__}. "
            f"Convert it: numpy.array({name}, {own!r})."
        )
    if array.dtype not in (own, *others):
        raise TypeError(
            f"`{call}` must be of dtype {own}, for a problem of {dtype}, got {array.dtype!r}. "
            f"Convert it: {name}.astype({own!r})."
        )
    if not array.flags.aligned or any(stride % array.itemsize for stride in array.strides):
        raise ValueError(
            f"`{call}` must be aligned, its strides whole entries of {array.itemsize} bytes, "
            f"got {array.strides}. Copy it: {name}.copy()."
        )
    if array.dtype == own and not is_rounded(array, dtype).all():
        raise ValueError(
            f"`{call}` must hold numbers of {dtype}, got others. "
            f"Round it: kanditioned_spec.rounding.round_to({name}, {dtype!r})."
        )


def _warn_near_knots(where: str, p: Problem, x: Any) -> None:
    """Warn of slopes that rounding decides."""
    u = p.grid.position(x)
    near = numerics.near_knot(x, p.grid, p.dtype) & ~((u == np.rint(u)) & p.grid.is_dyadic)
    if near.any():
        validate.warn(
            f"`{where}(x=...)` has {near.sum()} inputs within rounding of an inner knot, where the "
            "slope jumps: backends may differ. Move them, or make spline_width and "
            "num_control_points - 1 powers of two.",
            UnpromisedWarning,
        )


def _sealed(result: Any) -> Any:
    """Return results in memory of their own that cannot be written to, with gaps of NaN."""
    if type(result) is tuple:
        return tuple(map(_sealed, result))
    if not isinstance(result, np.ndarray):
        return result
    spread = np.full((*result.shape, 2), np.nan, result.dtype)
    spread[..., 0] = result
    spread.flags.writeable = False
    return spread[..., 0]


backend = StrictBackend()
