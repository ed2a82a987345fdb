"""The operations of a backend as calls without arguments, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Backend, Problem
from kanditioned_spec.protocol import CompleteBackend, NumpyArray, offers

from ..cases import Arrays, Case, ParameterArrays
from ..shapes import FEATURE_MAJOR, OF_PARAMETERS
from .input_maps import OF_TWO
from .layer import gradient

Calls = dict[str, Callable[[], tuple[npt.ArrayLike, ...]]]
ROUNDED_MAPS = ("control_points", "control_points_transpose", "parameters_from")
UNROUNDED = ("penalty", "feasible")
"""What may come in another dtype: a number, and the dtype that points are evaluated in."""
MAP_OPERATIONS = (*ROUNDED_MAPS, *UNROUNDED, "map_input")
CONSTRUCTIONS = ("initial_control_points", "refine", "widen")


def layer_calls(backend: CompleteBackend, p: Problem, a: Arrays) -> Calls:
    """Return the calls of a layer's operations; compilers are paid for few feature-major shapes."""
    layer = (p, a.x, a.control_points, a.grad_y)
    turned = (p, a.x.T, a.control_points, a.grad_y.T)
    tabled = replace(p, dtype="float32", device="cpu")

    def vjp() -> tuple[npt.ArrayLike, ...]:
        results = backend.vjp(*layer)
        return tuple(gradient(name, results) for name in backend.info.gradients)

    def feature_major() -> tuple[npt.ArrayLike, ...]:
        y, *results = backend.feature_major(*turned)
        return y, *(gradient(name, tuple(results)) for name in backend.info.gradients)

    def vjp_of_layer() -> tuple[npt.ArrayLike, ...]:
        return backend.vjp_of_layer(*layer) if _has_square_map(backend, p) else ()

    return _calls_of(
        backend,
        {
            **({"feature_major": feature_major} if tabled in FEATURE_MAJOR else {}),
            **({"vjp_of_layer": vjp_of_layer} if tabled in OF_PARAMETERS else {}),
            "forward": lambda: (backend.forward(*layer[:3]),),
            "vjp": vjp,
            "vjp_of_vjp": lambda: backend.vjp_of_vjp(
                *layer, a.cotangent_x, a.cotangent_control_points
            ),
        },
    )


def _has_square_map(backend: CompleteBackend, p: Problem) -> bool:
    """Whether control points have the shape of a layer's own parameters."""
    return not offers(backend, "parameter_matrix") or (
        np.shape(backend.parameter_matrix(p)) == (p.num_control_points,) * 2
    )


def bits(results: Iterable[npt.ArrayLike]) -> list[bytes]:
    """Return the bits of the results of a call."""
    return [np.asarray(each).tobytes() for each in results]


def map_calls(backend: CompleteBackend, p: Problem, a: ParameterArrays) -> Calls:
    """Return the calls of what acts along the knot axis; of no θ, once for all maps."""
    rising = replace(p, monotone=(1,) * p.in_features)
    row = a.grad.reshape(-1)[:2].reshape(1, 2)
    others: Calls = {
        "feasible": lambda: backend.feasible(rising, a.grad, a.grad),
        "map_input": lambda: backend.map_input(OF_TWO, row, row, p.dtype),
    }
    return _calls_of(
        backend,
        {
            "control_points": lambda: (backend.control_points(p, a.theta),),
            "control_points_transpose": lambda: (backend.control_points_transpose(p, a.grad),),
            "parameters_from": lambda: (backend.parameters_from(p, a.grad),),
            "penalty": lambda: (backend.penalty(p, a.theta),),
            **(others if p.parameterization == "bspline" else {}),
        },
    )


def construction_calls(
    backend: CompleteBackend, case: Case, control_points: NumpyArray | None = None
) -> Calls:
    """Return the calls that begin or change a layer, of these control points or the case's."""
    p = case.problem
    c = case.parameter_arrays().grad if control_points is None else control_points
    return _calls_of(
        backend,
        {
            "initial_control_points": lambda: (
                backend.initial_control_points(p, "random_normal", case.seed),
            ),
            "refine": lambda: (backend.refine(p, c, 2 * p.num_control_points - 1),),
            "widen": lambda: backend.widen(p, c, 1)[:1],
        },
    )


def _calls_of(backend: Backend, calls: Calls) -> Calls:
    return {name: call for name, call in calls.items() if offers(backend, name)}
