"""The vectors of every operation that needs no file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from kanditioned_spec import InputMap, Problem, initializers, numerics, reference, refinement
from kanditioned_spec.int8 import QuantizedLayer

from .. import tolerance
from ..cases import Case, Floats, finite, map_of
from ..chapters.test_errors import REFUSED
from ..strategies import MAPS, map_id
from .vector import Pairs, Vector

ALL = ("float64", "float32", "float16", "bfloat16")
DYADIC = InputMap([[-2.0, -1.0, 0.5, 4.0]], [[-4.0, 0.0, 0.75, 1.0]])
"""A map whose breakpoints every dtype holds."""


def of_operations() -> Iterator[Vector]:
    """Yield all of them."""
    yield from of_layer()
    yield from of_maps()
    yield from of_shapes()
    yield from of_input_maps()
    yield from of_int8()
    yield from of_construction()


def layer(chapter: str, name: str, operation: str, case: Case, *shape: int) -> Vector:
    """Return a vector of `forward`, `vjp` or `vjp_of_vjp`, with x of shape (*shape, I)."""
    p, a = case.problem, case.arrays()
    x, gy = a.x, a.grad_y
    if shape:
        x, gy = x.reshape(*shape, p.in_features), gy.reshape(*shape, p.out_features)
    inputs: dict[str, Floats] = {"x": x, "control_points": a.control_points}
    where = (finite(x, p), a.control_points, p.spline_width)
    given = (x, a.control_points, p.spline_width)
    results: Pairs
    if operation == "forward":
        results = {"y": (reference.forward(*given), numerics.forward_condition(*where))}
    elif operation == "vjp":
        inputs |= {"grad_y": gy}
        both = zip(reference.vjp(*given, gy), numerics.vjp_condition(*where, gy), strict=True)
        results = dict(zip(("grad_x", "grad_control_points"), both, strict=True))
    else:
        along = (gy, a.cotangent_x, a.cotangent_control_points)
        inputs |= dict(zip(("grad_y", "v", "V"), along, strict=True))
        all_three = zip(
            reference.vjp_of_vjp(*given, *along),
            numerics.vjp_of_vjp_condition(*where, *along),
            strict=True,
        )
        results = dict(zip(("by_x", "by_control_points", "by_grad_y"), all_three, strict=True))
    return Vector(f"{chapter}-{name}-{p.dtype}", chapter, operation, p, inputs, results)


def of_layer() -> Iterator[Vector]:
    """Yield the vectors of the layer and its derivatives."""
    knots, plain = Problem(5, 2, 2, 9, 2.0), Problem(4, 2, 3, 6, 6.5)
    odd, narrow = Problem(3, 5, 2, 4, 6.5), Problem(3, 1, 1, 2, 0.0037)
    ends = ((0, -1.0), (1, 1.0), (2, -0.0))
    far = ((0, -1e3), (1, 1e3), (2, -1e30), (3, 1e30))
    special = ((0, np.nan), (1, -np.inf), (3, np.inf), (4, -np.inf))
    for dtype in ALL:

        def on(problem: Problem, inputs: Any, placed: Any = (), kind: str = dtype) -> Case:
            return Case(problem, 7, inputs, placed).on(kind, "cpu")

        yield layer("position", "knots", "forward", on(knots, "on_knots", ends))
        yield layer("values", "scattered", "forward", replace(on(odd, "anywhere"), scale=256.0))
        yield layer("values", "one_edge", "forward", on(narrow, "anywhere"))
        yield layer("extrapolation", "value", "forward", on(plain, "outside", far))
        yield layer("extrapolation", "gradients", "vjp", on(plain, "outside", far[:2]))
        yield layer("gradients", "off_knots", "vjp", on(odd, "off_knots"))
        yield layer("gradients", "on_knots", "vjp", on(knots, "on_knots", ends))
        one = replace(on(plain, "one_interval"), grad_scale=256.0)
        mixed = replace(on(plain, "off_knots"), grad_scale=16.0)
        yield layer("accumulation", "one_interval", "vjp", one)
        yield layer("second_derivatives", "mixed", "vjp_of_vjp", mixed)
        yield layer("dtypes", "many_knots", "forward", on(Problem(6, 1, 2, 256), "off_knots"))
        yield layer("dtypes", "long_sum", "forward", on(Problem(1, 200, 1, 3), "off_knots"))
        yield layer("non_finite", "value", "forward", on(plain, "off_knots", special))
        yield layer("non_finite", "gradients", "vjp", on(plain, "off_knots", special))
        yield layer("shapes", "three_axes", "forward", on(plain, "off_knots"), 2, 2)
        yield layer("shapes", "three_axes_gradients", "vjp", on(plain, "off_knots"), 2, 2)
        yield layer("empty_batch", "value", "forward", on(Problem(0, 2, 3, 5), "off_knots"))
        yield layer("empty_batch", "gradients", "vjp", on(Problem(0, 2, 3, 5), "off_knots"))
        yield layer("determinism", "twice", "vjp", on(Problem(9, 2, 2, 3), "one_interval"))


def of_maps() -> Iterator[Vector]:
    """Yield the vectors of parameterizations and penalty."""
    for kind in MAPS:
        for dtype in ("float32", "bfloat16"):
            case = Case(Problem(0, 1, 2, 6), 7).on(dtype, "cpu").of(*kind)
            p, spec, (theta, grad) = case.problem, map_of(case.problem), case.parameter_arrays()
            name = f"{map_id(kind)}-{dtype}"
            map_results: dict[str, tuple[Floats, Pairs]] = {
                "control_points": (
                    theta,
                    {"c": (spec.control_points(theta), tolerance.map_condition(spec, theta))},
                ),
                "control_points_transpose": (
                    grad,
                    {"grad": (spec.transpose(grad), tolerance.transpose_condition(spec, grad))},
                ),
                "parameters_from": (
                    grad,
                    {
                        "theta": (
                            spec.parameters_from(grad),
                            tolerance.inverse_condition(spec, grad),
                        )
                    },
                ),
            }
            for operation, (given, results) in map_results.items():
                label = f"parameterizations-{operation}-{name}"
                inputs = {"given": given}
                yield Vector(label, "parameterizations", operation, p, inputs, results)
            condition = tolerance.penalty_condition(spec, theta, dtype)
            penalty: Pairs = {"penalty": (spec.penalty(theta), condition)}
            yield Vector(f"penalty-{name}", "penalty", "penalty", p, {"theta": theta}, penalty)


def of_shapes() -> Iterator[Vector]:
    """Yield the vectors of monotone and convex edges.

    Free points are different whole numbers, so that no rounding decides which are vertices.
    """
    for monotone, convex in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1)):
        for dtype in ("float64", "float32"):
            problem = Problem(0, 1, 4, 7, dtype=dtype, monotone=(monotone,), convex=(convex,))
            rng, shape = np.random.default_rng(7), (1, 7, 4)
            c = rng.random(shape).argsort(axis=1).astype(np.float64)
            grad = rng.integers(-8, 9, shape) / 4.0
            shapes, total = problem.shapes, 7 * np.abs(grad).sum(1, keepdims=True)
            results: Pairs = {
                "points": (shapes.feasible(c), numerics.shape_condition(c, shapes)),
                "gradient": (shapes.vjp(c, grad), np.broadcast_to(total, shape)),
            }
            name = f"monotone_and_convex-{monotone:+}-{convex:+}-{dtype}"
            inputs = {"control_points": c, "grad": grad}
            yield Vector(name, "monotone_and_convex", "feasible", problem, inputs, results)


def of_input_maps() -> Iterator[Vector]:
    """Yield the vectors of input maps: breakpoints, between them, far outside, not finite."""
    breakpoints, images = DYADIC.breakpoints, DYADIC.images
    x = np.array([[-1024.0, -2.0, -1.5, -1.0, 0.0, 0.5, 3.0, 4.0, 64.0, np.nan, np.inf, -np.inf]]).T
    grad = np.linspace(-1, 1.75, len(x))[:, None]
    for dtype in ("float64", "float32"):
        slope = DYADIC.slope(x)
        with np.errstate(invalid="ignore"):
            condition = np.nan_to_num(numerics.input_map_condition(x, DYADIC), posinf=0.0)
        results: Pairs = {
            "z": (DYADIC(x), condition),
            "grad_x": (grad * slope, np.nan_to_num(np.abs(grad * slope))),
        }
        inputs = {"breakpoints": breakpoints, "images": images, "x": x, "grad_z": grad}
        problem = Problem(len(x), 1, 1, 2, dtype=dtype)
        yield Vector(f"input_maps-{dtype}", "input_maps", "map_input", problem, inputs, results)


def of_int8() -> Iterator[Vector]:
    """Yield the vectors of the int8 profile, whose results have no room: the same bits everywhere.

    Inputs lie between the knots, at them, beyond both ends and beyond where they are clipped.
    """
    for count, width, factors in ((2, 2.0, False), (6, 4.0, True), (9, 3.0, False)):
        rng = np.random.default_rng(count)
        tables = rng.integers(-127, 128, (4, count, 5)).astype(np.int8)
        steps = rng.integers(1, 128, (4, 5)) if factors else np.ones((4, 5))
        biases = rng.integers(-(2**29), 2**29, 5).astype(np.int32)
        scales = (2.0 ** rng.integers(-12, -6, 5) / 3).astype(np.float32)
        layer = QuantizedLayer(tables, steps.astype(np.int8), biases, scales, width)
        x = rng.uniform(-width, width, (12, 4)).astype(np.float32)
        x[0], x[1, :2], x[2, 3] = 0.0, (np.inf, -np.inf), np.nan
        x[3] = np.resize(layer.grid.knots(), 4)
        p = Problem(len(x), 4, 5, count, width, dtype="float64")
        given = zip(
            ("x", "tables", "factors", "biases", "scales"),
            (x, tables, steps, biases, scales),
            strict=True,
        )
        inputs = {name: np.asarray(values, np.float64) for name, values in given}
        results: Pairs = {"y": (layer.forward(x), np.zeros((len(x), 5)))}
        yield Vector(f"int8-{count}", "int8", "forward_int8", p, inputs, results)


def of_construction() -> Iterator[Vector]:
    """Yield the vectors of initialisers, refinement and refused arguments."""
    p = Problem(0, 2, 2, 4, 6.5)
    for init in ("identity", "zero"):
        c = initializers.control_points(init, 2, 2, p.grid)
        at_ends = np.where(np.any(c, axis=1, keepdims=True), p.spline_width / 2, 0) + 0 * c
        arguments: dict[str, Any] = {"init": init, "seed": 0}
        results: Pairs = {"control_points": (c, at_ends)}
        operation = "initial_control_points"
        yield Vector(f"init-{init}", "initializers", operation, p, {}, results, arguments)
    c = np.asarray(Case(p, 7).parameter_arrays().grad, dtype=np.float64)
    for count in (4, 7, 10):
        matrix = refinement.refinement_matrix(4, count)
        results = {"refined": (matrix @ c, np.abs(matrix) @ np.abs(c))}
        arguments = {"num_control_points": count}
        name, given = f"refine-{count}", {"control_points": c}
        yield Vector(name, "refinement", "refine", p, given, results, arguments)
    matrix = refinement.widening_matrix(4, 2)
    width = p.grid.widened(2).spline_width
    results = {
        "widened": (matrix @ c, np.abs(matrix) @ np.abs(c)),
        "width": (width, width),
    }
    given = {"control_points": c}
    yield Vector("widen-2", "refinement", "widen", p, given, results, {"intervals": 2})
    written = [each for each in REFUSED if _is_in_json(each[1])]
    for number, (argument, value, error) in enumerate(written):
        arguments = {"in_features": 2, "out_features": 3} | {argument: value}
        yield Vector(f"refused-{number}", "errors", "layer", p, {}, {}, arguments, error)


def _is_in_json(value: Any) -> bool:
    """Whether JSON has a value: a finite number that float64 holds, a string or None."""
    if isinstance(value, int | float):
        return type(value) in (bool, int, float) and -1e300 < value < 1e300
    return value is None or isinstance(value, str)
