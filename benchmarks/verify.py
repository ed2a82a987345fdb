"""Correctness before speed.

Our own layers are compared with the NumPy reference at the very shape, precision and mode that is
timed, within the a-priori bound of `kanditioned_spec.numerics`. A competitor is held to its own
definition: its values in float32 to those in float64, its gradients to central differences of its
values in float64.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from kanditioned_spec import numerics, reference
from kanditioned_spec.grid import Array, locate, spacing
from kanditioned_spec.penalty import second_difference_matrix

from .cases import Case
from .steps import SMOOTHING, Step

SAMPLED_ROWS, SAMPLED_FEATURES = 32, 2
"""y and the gradient by x are compared in some rows, the other gradient in some features."""
LARGEST_ERROR = 1e-3
"""What a competitor may be off, relative to the largest entry: far above rounding."""
_OPERANDS = {"high": "tfloat32", "autocast": "bfloat16", "bfloat16": "bfloat16"}


def our_error(step: Step, case: Case) -> float:
    """Return the largest error of values and gradients in units of the bound; 1 is allowed.

    Args:
        step: A step of ours whose layer holds plain control points.
        case: What it was built for.
    """
    inputs = step.inputs(0)
    x, gy = step.arrays(inputs)
    theta = step.layer.theta
    (c,) = step.arrays((theta,))
    got = step.arrays(step.run(*inputs))
    if case.mode == "train_penalty":
        del got[1]  # the penalty itself, of which the gradient is compared
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(x))[:SAMPLED_ROWS]
    operands = _OPERANDS.get(case.precision)
    storage = {"bfloat16": "bfloat16", "autocast": "bfloat16"}.get(case.precision, "float32")
    width, share = case.spline_width, numerics.position_share("float32", operands)

    def excess(got: Array, want: Array, condition: Array, where: Any = True) -> float:
        allowed = numerics.tolerance(condition, want, storage, operands)
        return float(np.max(np.abs(got - want) / allowed, where=where, initial=0.0))

    y = reference.forward(x[rows], c, width)
    errors = [excess(got[0][rows], y, numerics.forward_condition(x[rows], c, width, share))]
    if case.mode != "inference":
        gx = reference.vjp(x[rows], c, width, gy[rows]).x
        condition = numerics.vjp_condition(x[rows], c, width, gy[rows], share)
        errors.append(excess(got[1][rows], gx, condition.x, _off_knots(x[rows], c, width)))
        some = rng.permutation(x.shape[1])[:SAMPLED_FEATURES]
        gc = reference.vjp(x[:, some], c[some], width, gy).control_points
        gc_condition = numerics.vjp_condition(x[:, some], c[some], width, gy, share).control_points
        if case.mode == "train_penalty":
            bent, bent_condition = _penalty_gradient(c[some])
            gc, gc_condition = gc + bent, gc_condition + bent_condition
        errors.append(excess(got[2][some], gc, gc_condition))
    return max(errors)


def _penalty_gradient(control_points: Array) -> tuple[Array, Array]:
    """Return 2 λ DᵀD c and its condition, both (I, K, O)."""
    d = second_difference_matrix(control_points.shape[1])
    gradient: Array = 2 * SMOOTHING * np.einsum("kl,ilo->iko", d.T @ d, control_points)
    size = np.abs(d).T @ np.abs(d)
    condition: Array = 2 * SMOOTHING * np.einsum("kl,ilo->iko", size, np.abs(control_points))
    return gradient, condition


def their_error(layer: torch.nn.Module, case: Case) -> float:
    """Return the largest relative error of a competitor's values and gradients.

    Gradients are taken along random directions of inputs and of every parameter.
    """
    generator = torch.Generator(case.device).manual_seed(0)
    made: dict[str, Any] = {"generator": generator, "device": case.device, "dtype": torch.float64}
    x = torch.randn(64, case.shape.in_features * getattr(layer, "expansion", 1), **made)
    double = copy.deepcopy(layer).double()
    with torch.no_grad():
        y, single = _first(double(x)), _first(layer.float()(x.float())).double()
        gy = torch.randn(y.shape, **made)
    errors = [float((y - single).abs().max() / y.abs().max())]
    leaves = [x.requires_grad_(), *(p for p in double.parameters() if p.requires_grad)]
    gradients = torch.autograd.grad((_first(double(x)) * gy).sum(), leaves)
    for leaf, gradient in zip(leaves, gradients, strict=True):
        direction = torch.randn(leaf.shape, **made)
        predicted = (gradient * direction).sum()
        measured = _difference(lambda: (_first(double(x)) * gy).sum(), leaf, direction)
        errors.append(float((predicted - measured).abs() / (gradient.norm() + measured.abs())))
    return max(errors)


def _difference(value: Any, leaf: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
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


def _off_knots(x: Array, control_points: Array, width: float) -> Array:
    """Return where rounding cannot have carried x across a knot, at which the slope jumps."""
    count = control_points.shape[1]
    _, fraction = locate(x, count, width)
    size = np.abs(x) / spacing(count, width) + (count - 1) / 2
    margin = numerics.CONSTANT * numerics.compute_eps("float32") * size
    off: Array = (np.abs(fraction) > margin) & (np.abs(fraction - 1) > margin)
    return off
