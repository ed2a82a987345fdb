"""A backend in plain NumPy that computes in float32 (float64 for float64): the kit must pass it.

Every step is a method of its own, so that `faults` can replace one step and leave the rest right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kanditioned_spec import (
    PARAMETERIZATIONS,
    SPEC_VERSION,
    BackendInfo,
    InputMap,
    Problem,
    refinement,
)
from kanditioned_spec.backend import backend as reference
from kanditioned_spec.backend import new_layer
from kanditioned_spec.blends import in_exact_order
from kanditioned_spec.rounding import round_to

from ..cases import map_of
from .steps import Floats, Steps

DTYPES = ("float64", "float32", "float16", "bfloat16")


class Plain(Steps):
    """The operations, made of `Steps`."""

    info = BackendInfo(
        name="plain",
        framework=f"numpy {np.__version__}",
        spec_version=SPEC_VERSION,
        dtypes=DTYPES,
        devices=("cpu",),
        parameterizations=tuple(PARAMETERIZATIONS),
        accumulation={d: "float64" if d == "float64" else "float32" for d in DTYPES},
    )

    def supports(self, problem: Problem) -> bool | str:
        return True

    def forward(self, problem: Problem, x: Floats, control_points: Floats) -> Floats:
        leading = x.shape[:-1]
        x, c = self.take(problem, x.reshape(-1, x.shape[-1]), control_points)
        y = np.zeros((x.shape[0], c.shape[2]), self.sum_dtype(problem))
        for i in range(c.shape[0]):
            interval, fraction = self.locate(problem, x[:, i])
            left, right = c[i, interval], c[i, interval + 1]
            with np.errstate(invalid="ignore"):
                y += self.value(left, right, fraction[:, None])
        return self.store(problem, y).reshape(*leading, c.shape[2])

    def vjp(
        self, problem: Problem, x: Floats, control_points: Floats, grad_y: Floats
    ) -> tuple[Floats, Floats]:
        shape = x.shape
        flat_x = x.reshape(-1, problem.in_features)
        flat_gy = grad_y.reshape(-1, problem.out_features)
        x, c, gy = self.take(problem, flat_x, control_points, flat_gy)
        gx = np.zeros_like(x)
        gc = np.zeros(c.shape, self.sum_dtype(problem))
        for i in range(c.shape[0]):
            interval, fraction = self.locate(problem, x[:, i])
            slope = self.slope(problem, c[i], interval, fraction)
            gx[:, i] = self.sum_outputs(problem, gy * slope)
            with np.errstate(invalid="ignore"):
                left, right = self.weights(fraction)
                self.scatter(gc[i], interval, left[:, None] * gy)
                self.scatter(gc[i], self.neighbour(problem, interval), right[:, None] * gy)
        return self.store(problem, gx).reshape(shape), self.store(problem, gc)

    def vjp_of_vjp(
        self,
        problem: Problem,
        x: Floats,
        control_points: Floats,
        grad_y: Floats,
        cotangent_x: Floats,
        cotangent_control_points: Floats,
    ) -> tuple[Floats, Floats, Floats]:
        x, c, gy, v, direction = self.take(
            problem, x, control_points, grad_y, cotangent_x, cotangent_control_points
        )
        second_x, second_gy = np.zeros_like(x), np.zeros_like(gy)
        second_c = np.zeros_like(c)
        for i in range(c.shape[0]):
            interval, fraction = self.locate(problem, x[:, i])
            second_x[:, i] = (gy * self.slope(problem, direction[i], interval, fraction)).sum(1)
            pushed = v[:, i, None] * gy / self.spacing(problem)
            self.scatter(second_c[i], interval, -pushed)
            self.scatter(second_c[i], interval + 1, pushed)
            second_gy += v[:, i, None] * self.slope(problem, c[i], interval, fraction)
            second_gy += self.value_along(direction[i], interval, fraction)
        return (
            self.store(problem, second_x),
            self.store(problem, second_c),
            self.store(problem, second_gy),
        )

    def feature_major(
        self, problem: Problem, x: Floats, control_points: Floats, grad_y: Floats
    ) -> tuple[Floats, Floats, Floats]:
        y = self.forward(problem, self.transpose(x), control_points)
        gx, gc = self.vjp(problem, self.transpose(x), control_points, self.transpose(grad_y))
        return self.transpose(y), self.transpose(gx), gc

    def control_points(self, problem: Problem, theta: Floats) -> Floats:
        (theta,) = self.take(problem, theta)
        return self.store(problem, self.matrix(problem) @ theta)

    def control_points_transpose(self, problem: Problem, grad: Floats) -> Floats:
        (grad,) = self.take(problem, grad)
        return self.store(problem, self.matrix(problem).T @ grad)

    def penalty(self, problem: Problem, theta: Floats) -> float:
        (theta,) = self.take(problem, theta)
        return float((self.bend(problem, theta) ** 2).sum())

    def parameters_from(self, problem: Problem, control_points: Floats) -> Floats:
        (c,) = self.take(problem, control_points)
        inverse = map_of(problem).parameters_from(np.eye(problem.num_control_points))
        return self.store(problem, inverse.astype(c.dtype) @ c)

    def vjp_of_layer(
        self, problem: Problem, x: Floats, theta: Floats, grad_y: Floats
    ) -> tuple[Floats, Floats, Floats]:
        (theta,) = self.take(problem, theta)
        c = self.parameter_matrix(problem).astype(theta.dtype) @ theta
        gx, gc = self.vjp(problem, x, c, grad_y)
        y = self.forward(problem, x, c)
        return y, gx, self.store(problem, self.grad_parameters(problem, *self.take(problem, gc)))

    def parameter_matrix(self, problem: Problem) -> Floats:
        return self.matrix(problem)

    def grad_parameters(self, problem: Problem, gc: Floats) -> Floats:
        return self.parameter_matrix(problem).astype(gc.dtype).T @ gc

    def feasible(
        self, problem: Problem, control_points: Floats, grad: Floats
    ) -> tuple[Floats, Floats]:
        gradient = problem.shapes.vjp(control_points, grad)
        return self.apply_shapes(problem, control_points), self.store(problem, gradient)

    def apply_shapes(self, problem: Problem, control_points: Floats) -> Floats:
        """Return feasible points, rounded no further than increments stay in order."""
        c = control_points.astype(np.float64)
        points = self.in_order(problem, self.blend(problem, c))
        convex = any(problem.convex)
        return points.astype(self.compute_dtype(problem)) if convex else self.store(problem, points)

    def blend(self, problem: Problem, c: Floats) -> Floats:
        return problem.shapes.feasible(c)

    def in_order(self, problem: Problem, points: Floats) -> Floats:
        rounded_points = points.astype(self.compute_dtype(problem))
        result = np.array(rounded_points, dtype=np.float64)
        bits = int(np.finfo(self.compute_dtype(problem)).nmant) + 1
        for i, (monotone, convex) in enumerate(zip(*problem.shapes, strict=True)):
            if convex:
                result[i] = in_exact_order(result[i], monotone, convex, bits)
        return result

    def map_input(
        self, input_map: InputMap, x: Floats, grad_z: Floats, dtype: str
    ) -> tuple[Floats, Floats]:
        slope = self.map_slope(input_map, x)
        return round_to(self.apply_map(input_map, x), dtype), round_to(grad_z * slope, dtype)

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map(x)

    def map_slope(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map.slope(x)

    def initial_control_points(self, problem: Problem, init: str, seed: int) -> Floats:
        p = problem
        slopes = self.slopes(init, p.in_features, p.out_features, self.generator(seed))
        if any(p.monotone):
            slopes = self.rising(slopes, np.array(p.monotone)[:, None])
        knots = self.knots(p.num_control_points, p.spline_width)
        return self.store(p, slopes[:, None, :] * knots[:, None])

    def refine(self, problem: Problem, control_points: Floats, num_control_points: int) -> Floats:
        shapes = bool(problem.shapes)
        points = self.apply_shapes(problem, control_points) if shapes else control_points
        (c,) = self.take(problem, points)
        self.warn_of_resampling(problem.num_control_points, num_control_points)
        refined = self.insertion(problem, num_control_points).astype(c.dtype) @ c
        return self.apply_shapes(problem, refined) if shapes else self.store(problem, refined)

    def widen(
        self, problem: Problem, control_points: Floats, intervals: int
    ) -> tuple[Floats, float]:
        shapes = bool(problem.shapes)
        points = self.apply_shapes(problem, control_points) if shapes else control_points
        (c,) = self.take(problem, points)
        matrix = refinement.widening_matrix(problem.num_control_points, intervals)
        width = self.widen_width(problem.spline_width, problem.num_control_points, intervals)
        wide = matrix.astype(c.dtype) @ c
        return self.apply_shapes(problem, wide) if shapes else self.store(problem, wide), width

    def layer(self, **arguments: Any) -> object:
        return new_layer(**arguments)

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        reference.save(problem, theta, path)

    def load(self, path: Any) -> tuple[Problem, Floats]:
        return reference.load(path)


backend = Plain()
