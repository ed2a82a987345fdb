"""The base adapters: one differentiable function is a backend."""

from __future__ import annotations

import subprocess
import sys

import pytest

LAYER = """
def evaluate(problem, x, c):
    intervals = problem.num_control_points - 1
    u = (x + problem.spline_width / 2) * (intervals / problem.spline_width)
    hats = relu(1 - abs(u[..., None] - knots(problem.num_control_points)))
    return einsum("...ik,iko->...o", hats, c)
"""
TORCH = f"""
from torch import arange as knots, einsum, relu
from kanditioned_conformance.adapters.torch import TorchAdapter
{LAYER}
backend = TorchAdapter(evaluate, "hats", "torch", ("float32", "float64"), extrapolation=None)
"""
JAX = f"""
from jax.nn import relu
from jax.numpy import arange as knots, einsum
from kanditioned_conformance.adapters.jax import JaxAdapter
{LAYER}
backend = JaxAdapter(evaluate, "hats", "jax", ("float32", "float64"), extrapolation=None)
"""
CHECK = """
from kanditioned_conformance import Case, ConformanceError
from kanditioned_conformance.checks.layer import *
from kanditioned_spec import Problem
for dtype in backend.info.dtypes:
    case = Case(Problem(9, 4, 5, 17), 7, "off_knots", extrapolation=None).on(dtype, "cpu")
    for check in (check_forward, check_grad_x, check_grad_control_points, check_second_derivatives):
        assert max(check(backend, case).values()) < 1, check
on_knots = Case(Problem(3, 1, 2, 3), 0, "on_knots", ((0, 0.0),), extrapolation=None)
try:
    check_grad_x(backend, on_knots)
except ConformanceError:
    print(backend.info.framework)
"""

INCREMENTS = """
import numpy as np
def of_increments(problem, x, theta):
    return evaluate(problem, x, theta.cumsum(1){cast})
def tri(problem):
    return np.tri(problem.num_control_points)
right = {adapter}(of_increments, "right", "numpy", ("float32",), matrix=tri, extrapolation=None)
wrong = {adapter}(of_increments, "wrong", "numpy", ("float32",), extrapolation=None)
from kanditioned_conformance import Case, ConformanceError
from kanditioned_conformance.checks.layer import *
from kanditioned_conformance.checks.maps import check_layer_of_parameters
from kanditioned_spec import Problem
case = Case(Problem(9, 4, 5, 9), 7, "off_knots", extrapolation=None)
for check in (check_layer_of_parameters, check_forward, check_grad_x, check_grad_control_points):
    assert max(check(right, case).values()) < 1, check
try:
    check_layer_of_parameters(wrong, case)
except ConformanceError as error:
    print(error.label)
"""


@pytest.mark.parametrize(
    ("adapter", "kind", "cast"), [(TORCH, "TorchAdapter", ".to(x.dtype)"), (JAX, "JaxAdapter", "")]
)
def test_parameters_have_a_map(adapter: str, kind: str, cast: str) -> None:
    code = adapter + INCREMENTS.format(adapter=kind, cast=cast)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "value of a layer"


@pytest.mark.parametrize(("adapter", "framework"), [(TORCH, "torch"), (JAX, "jax")])
def test_a_function_is_a_backend(adapter: str, framework: str) -> None:
    """It is right off the knots; on a knot, where its hats have two slopes, it is found wrong."""
    command = [sys.executable, "-c", adapter + CHECK]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"{framework} ")
    assert ", numpy " in run.stdout
