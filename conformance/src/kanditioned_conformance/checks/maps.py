"""The parameterizations and the penalty, against the spec's."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np

from kanditioned_spec import Parameterization, Problem, numerics
from kanditioned_spec.grid import Array, Grid
from kanditioned_spec.parameterizations.demmler_reinsch import DemmlerReinsch, mass_matrix
from kanditioned_spec.penalty import second_difference_matrix
from kanditioned_spec.protocol import CompleteBackend, offers
from kanditioned_spec.rounding import round_to

from ..cases import LARGEST_NORMAL, Case, Floats, map_of
from ..layouts import laid_out
from ..oracle import Oracle
from ..tolerance import (
    ConformanceError,
    Ratios,
    compare,
    compare_products,
    describe,
    inverse_condition,
    judge,
    map_condition,
    penalty_condition,
    transpose_condition,
)
from .base import expect_untouched, needs

OF_LAYER = ("value of a layer", "grad x of a layer", "grad parameters")


@needs("control_points")
def check_control_points(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare T θ."""
    p, (theta, _) = case.problem, case.parameter_arrays()
    spec = map_of(p)
    got = backend.control_points(p, theta)
    return compare("map", p, got, spec.control_points(theta), map_condition(spec, theta))


@needs("control_points_transpose")
def check_transpose(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare Tᵀ g."""
    p, (_, grad) = case.problem, case.parameter_arrays()
    spec = map_of(p)
    got = backend.control_points_transpose(p, grad)
    return compare("transpose", p, got, spec.transpose(grad), transpose_condition(spec, grad))


@needs("control_points", "control_points_transpose")
def check_products(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare ⟨g, T θ⟩ and ⟨Tᵀ g, θ⟩ with each other and with the reference."""
    p, (theta, grad) = case.problem, case.parameter_arrays()
    image = backend.control_points(p, theta)
    preimage = backend.control_points_transpose(p, grad)
    arrays = (np.asarray(array, dtype=np.float64) for array in (theta, grad, image, preimage))
    return compare_products("products", p, map_of(p), *arrays)


@needs("parameters_from")
def check_inverse(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare the θ of smallest norm that minimises ‖T θ - c‖."""
    p, (_, c) = case.problem, case.parameter_arrays()
    spec = map_of(p)
    got = backend.parameters_from(p, c)
    return compare("inverse", p, got, spec.parameters_from(c), inverse_condition(spec, c))


@needs("control_points")
def check_conditioning(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare the singular values of the objective in the backend's coordinates.

    They are those of F T, with FᵀF the Hessian in control points: DᵀD, or M + λ DᵀD for
    `demmler_reinsch`. Entries of T may be off by their bound E, and no singular value moves by more
    than ‖|F| E‖_F (H. Weyl, Mathematische Annalen 71, 1912).
    """
    p = case.problem
    factor, wanted, bound = _singular_values(p)
    found = np.linalg.svd(factor @ _matrix(backend, p), compute_uv=False)
    return judge("singular values", p, found, wanted, bound)


@needs("vjp_of_layer")
def check_layer_of_parameters(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare y and the gradients by x and θ of a layer whose parameters are θ, end to end.

    Between the map and the layer, control points and their gradient may be rounded to the dtype.
    """
    p, a = case.problem, case.arrays()
    oracle, matrix = Oracle(backend.info, p), _native_matrix(backend, p)
    theta = _draw_parameters(case, matrix)
    with expect_untouched("vjp_of_layer", a.x, theta, a.grad_y):
        got = backend.vjp_of_layer(p, a.x, theta, a.grad_y)
    c, size = matrix @ theta.astype(np.float64), np.abs(matrix)
    off = numerics.tolerance(size @ np.abs(theta.astype(np.float64)), c, p.dtype)
    values, gradients = oracle.forward(a.x, c), oracle.vjp(a.x, c, a.grad_y)
    wants = (*values.values, gradients.values[0], matrix.T @ gradients.values[1])
    conditions = (*values.conditions, gradients.conditions[0], size.T @ np.abs(gradients.values[1]))
    off_gc = numerics.tolerance(gradients.conditions[1], gradients.values[1], p.dtype)
    offs = (
        *oracle.forward(a.x, off).conditions,
        oracle.vjp(a.x, off, a.grad_y).conditions[0],
        size.T @ off_gc,
    )
    ratios: Ratios = {}
    for label, result, want, condition, moved in zip(
        OF_LAYER, got, wants, conditions, offs, strict=True
    ):
        bound = numerics.tolerance(condition, want, p.dtype, oracle.operands) + moved
        ratios |= judge(label, p, result, want, bound)
    return ratios


@needs("vjp_of_layer")
def check_layer_of_nan(backend: CompleteBackend, case: Case) -> Ratios:
    """Put NaN into one input, and compare y and the gradient by x with those of before."""
    p, a = case.problem, case.arrays()
    oracle, matrix = Oracle(backend.info, p), _native_matrix(backend, p)
    theta = _draw_parameters(case, matrix)
    before = [np.array(each, np.float64) for each in backend.vjp_of_layer(p, a.x, theta, a.grad_y)]
    x, c = a.x.copy(), matrix @ theta.astype(np.float64)
    x[0, 0] = np.nan
    after = backend.vjp_of_layer(p, x, theta, a.grad_y)
    before[0][0] = before[1][0, 0] = np.nan
    by_x, _ = oracle.vjp(a.x, c, a.grad_y).conditions
    ratios: Ratios = {}
    for label, got, want, condition in zip(
        OF_LAYER[:2], after[:2], before[:2], (*oracle.forward(a.x, c).conditions, by_x), strict=True
    ):
        bound = 2 * numerics.tolerance(condition, want, p.dtype, oracle.operands)
        ratios |= judge(label, p, got, want, bound)
    return ratios


def _draw_parameters(case: Case, matrix: Array) -> Floats:
    """Return θ (I, P, O) of a layer whose T is (K, P)."""
    p = case.problem
    sizes = (p.in_features, matrix.shape[1], p.out_features)
    drawn = np.random.default_rng(case.seed).standard_normal(sizes)
    rounded = round_to(drawn.clip(-LARGEST_NORMAL, LARGEST_NORMAL), p.dtype)
    (theta,) = laid_out((rounded,), case.layout)
    return theta


def _native_matrix(backend: CompleteBackend, p: Problem) -> Array:
    """Return T of the layer's parameters: the spec's, or the backend's own."""
    if p.parameterization != "bspline" or not offers(backend, "parameter_matrix"):
        return map_of(p).matrix()
    matrix = np.asarray(backend.parameter_matrix(p), dtype=np.float64)
    count = p.num_control_points
    if matrix.ndim != 2 or len(matrix) != count or np.linalg.matrix_rank(matrix) < count:
        message = f"it must have {count} rows and that rank, got shape {matrix.shape}"
        raise ConformanceError("parameter_matrix", np.inf, f"{message}\n{describe(p)}")
    return matrix


@needs("penalty")
def check_penalty(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare ‖D T θ‖²."""
    p, (theta, _) = case.problem, case.parameter_arrays()
    spec = map_of(p)
    got, want = backend.penalty(p, theta), spec.penalty(theta)
    return compare("penalty", p, got, want, penalty_condition(spec, theta, p.dtype))


@lru_cache(maxsize=512)
def _singular_values(p: Problem) -> tuple[Array, Array, Array]:
    """Return F, the singular values of F T and how far each may be off; no case changes them."""
    spec = map_of(p)
    identity = np.eye(spec.num_parameters)
    error = numerics.tolerance(map_condition(spec, identity), spec.matrix(), p.dtype)
    factor = _objective(spec)
    bound = np.linalg.norm(np.abs(factor) @ error)
    values = np.linalg.svd(factor @ spec.matrix(), compute_uv=False)
    return factor, np.asarray(values, dtype=np.float64), np.asarray(bound)


def _matrix(backend: CompleteBackend, p: Problem) -> Array:
    """Return T, a column per edge of a layer, so that no other shape has to be compiled."""
    edges, size = (p.in_features, p.out_features), map_of(p).num_parameters
    some = prod(edges)
    columns = []
    for first in range(0, size, some):
        unit = round_to(np.eye(size, some, -first), p.dtype)
        theta = unit.reshape(size, *edges).swapaxes(0, 1)
        image = np.asarray(backend.control_points(p, theta), dtype=np.float64)
        columns.append(image.swapaxes(0, 1).reshape(-1, some))
    return np.hstack(columns)[:, :size]


def _objective(spec: Parameterization) -> Array:
    """Return F: D, or for `demmler_reinsch` the stack of Rᵀ and √λ D, with M = R Rᵀ."""
    bent = second_difference_matrix(spec.num_control_points)
    if not isinstance(spec, DemmlerReinsch):
        return bent
    o = spec.options
    mass = mass_matrix(Grid(spec.num_control_points, o["spline_width"]), o["density"])
    return np.vstack([np.linalg.cholesky(mass).T, np.sqrt(o["smoothing"]) * bent])
