"""Correctness before speed.

Our own layers are compared with the NumPy reference at the very shape, precision, mode and
parameterization that is timed, within the a-priori bound of `kanditioned_spec.numerics`. A
competitor is held to its own definition: its values in float32 to those in float64, its gradients
to central differences of its values in float64.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from kanditioned_spec import numerics, reference
from kanditioned_spec.grid import Array, Grid
from kanditioned_spec.penalty import second_difference_matrix

from .cases import Case
from .competitors import Competitor
from .step import Step
from .torch_steps import SMOOTHING

SAMPLED_ROWS, SAMPLED_FEATURES = 32, 2
"""y and the gradient by x are compared in some rows, the other gradient in some features."""
LARGEST_ERROR = 1e-3
"""What a competitor may be off, relative to the largest entry: far above rounding."""
_OPERANDS = {"high": "tfloat32", "autocast": "bfloat16", "bfloat16": "bfloat16"}


def error(step: Step, competitor: Competitor, case: Case) -> tuple[float, float]:
    """Return the error of values and gradients of a layer, and how large it may be."""
    if competitor.ours:
        return our_error(step, case), 1.0
    check = their_error if competitor.framework == "torch" else their_jax_error
    return check(step, case), LARGEST_ERROR


def demand(step: Step, competitor: Competitor, case: Case) -> None:
    """Check a layer before it is timed.

    Raises:
        ArithmeticError: It is wrong.
    """
    size, allowed = error(step, competitor, case)
    if size > allowed:
        raise ArithmeticError(f"{competitor.label} is wrong at {case}: {size:.2g}, not {allowed:g}")


def our_error(step: Step, case: Case) -> float:
    """Return the largest error of values and gradients in units of the bound; 1 is allowed.

    Args:
        step: A step of ours.
        case: What it was built for.
    """
    inputs = step.inputs(0)
    x, gy = step.arrays(inputs)
    got = step.arrays(step.run(*inputs))
    if case.mode == "train_penalty":
        del got[1]  # the penalty itself, of which the gradient is compared
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(x))[:SAMPLED_ROWS]
    rounds = case.precision != "high" or case.device == "cuda"  # a CPU has no TF32
    operands = _OPERANDS.get(case.precision) if rounds else None
    storage = {"bfloat16": "bfloat16", "autocast": "bfloat16"}.get(case.precision, "float32")
    width, share = case.spline_width, numerics.position_share("float32", operands)
    synthesis, c, error_of_c = _control_points(step)

    def excess(got: Array, want: Array, condition: Array, where: Any = True) -> float:
        allowed = numerics.tolerance(condition, want, storage, operands)
        return float(np.max(np.abs(got - want) / allowed, where=where, initial=0.0))

    def size_of_y(c: Array) -> Array:
        return numerics.forward_condition(x[rows], c, width, share)

    def size_of_gx(c: Array) -> Array:
        return numerics.vjp_condition(x[rows], c, width, gy[rows], share).x

    y = reference.forward(x[rows], c, width)
    errors = [excess(got[0][rows], y, size_of_y(c) + size_of_y(error_of_c))]
    if case.mode != "inference":
        gx, off = reference.vjp(x[rows], c, width, gy[rows]).x, _off_knots(x[rows], c, width)
        condition = size_of_gx(c) + size_of_gx(error_of_c)
        errors.append(excess(got[1][rows], gx, condition, off))
        some = rng.permutation(x.shape[1])[:SAMPLED_FEATURES]
        gc = reference.vjp(x[:, some], c[some], width, gy).control_points
        condition = numerics.vjp_condition(x[:, some], c[some], width, gy, share).control_points
        if case.mode == "train_penalty":
            bent, size = _penalty_gradient(c[some], np.abs(c[some]) + error_of_c[some])
            gc, condition = gc + bent, condition + size
        by_theta = _along_knots(synthesis.T, gc)
        errors.append(excess(got[2][some], by_theta, _along_knots(np.abs(synthesis.T), condition)))
    return max(errors)


def _control_points(step: Step) -> tuple[Array, Array, Array]:
    """Return T (K, P), the layer's control points (I, K, O), and how large their rounding is."""
    layer = step.layer
    (theta,) = step.arrays((layer.theta,))
    if getattr(layer, "parameterization", "bspline") == "bspline":
        return np.eye(theta.shape[1]), theta, np.zeros_like(theta)
    synthesis = layer.parameterization_spec.matrix()
    (c,) = step.arrays((layer.control_points(),))
    return synthesis, c, _along_knots(np.abs(synthesis), np.abs(theta))


def _along_knots(matrix: Array, values: Array) -> Array:
    """Multiply the middle axis of values (I, K, O) by a matrix."""
    product: Array = np.einsum("pk,iko->ipo", matrix, values)
    return product


def _penalty_gradient(control_points: Array, size: Array) -> tuple[Array, Array]:
    """Return 2 λ DᵀD c, and its condition for control points of a size, both (I, K, O)."""
    d = second_difference_matrix(control_points.shape[1])
    gradient = 2 * SMOOTHING * _along_knots(d.T @ d, control_points)
    return gradient, 2 * SMOOTHING * _along_knots(np.abs(d).T @ np.abs(d), size)


def their_error(step: Step, case: Case) -> float:
    """Return the largest relative error of the values and gradients of a PyTorch competitor.

    Gradients are taken along random directions of inputs and of every parameter.
    """
    inputs = step.inputs(0)
    x, gy = (tensor.detach()[:SAMPLED_ROWS].double() for tensor in inputs)
    double = copy.deepcopy(step.layer).double()
    with torch.no_grad():
        y, got = _first(double(x)), _first(copy.deepcopy(step.layer).float()(x.float()))
    if case.precision == "highest":
        got = _first(step.run(*inputs)).detach()[:SAMPLED_ROWS]  # what is timed
    errors = [float((y - got).abs().max() / y.abs().max())]
    leaves = [x.requires_grad_(), *(p for p in double.parameters() if p.requires_grad)]

    def value() -> Any:
        weighted: torch.Tensor = _first(double(leaves[0])) * gy
        return weighted.sum()

    generator = torch.Generator(case.device).manual_seed(0)
    gradients = torch.autograd.grad(value(), leaves)
    for leaf, gradient in zip(leaves, gradients, strict=True):
        direction = torch.randn(leaf.shape, generator=generator, device=leaf.device).double()
        predicted = (gradient * direction).sum()
        measured = _difference(value, leaf, direction)
        errors.append(float((predicted - measured).abs() / (gradient.norm() + measured.abs())))
    return max(errors)


def their_jax_error(step: Step, case: Case) -> float:
    """As `their_error`, of a JAX competitor."""
    jax_steps = importlib.import_module(".jax_steps", __package__)  # which imports JAX
    x, gy = (array[:SAMPLED_ROWS] for array in step.inputs(0))
    return float(jax_steps.error(step.layer, x, gy))


def _difference(
    value: Callable[[], Any], leaf: torch.Tensor, direction: torch.Tensor
) -> torch.Tensor:
    """Return the central difference of `value` along a direction of one tensor."""
    step = 1e-7
    with torch.no_grad():
        leaf.add_(step * direction)
        above = value()
        leaf.sub_(2 * step * direction)
        below = value()
        leaf.add_(step * direction)
    difference: torch.Tensor = (above - below) / (2 * step)
    return difference


def _first(output: Any) -> torch.Tensor:
    tensor: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return tensor


def _off_knots(x: Array, control_points: Array, width: float) -> npt.NDArray[np.bool_]:
    """Return where rounding cannot have carried x across a knot, at which the slope jumps."""
    grid = Grid(control_points.shape[1], width)
    _, fraction = grid.locate(x)
    size = np.abs(x) / grid.spacing + (grid.num_control_points - 1) / 2
    margin = numerics.CONSTANT * numerics.compute_eps("float32") * size
    off: npt.NDArray[np.bool_] = (np.abs(fraction) > margin) & (np.abs(fraction - 1) > margin)
    return off
