"""Smoothing by weight decay: optimizer groups that decay the curvature of every spline.

Where a parameterization splits θ into affine and curvature coordinates, the penalty is a weighted
sum of squares, R(θ) = Σ_p g_p² θ_p², with g_p = 0 for the affine ones. Its gradient step is then a
decay of each coordinate by its own rate,

    θ_p ← θ_p (1 - lr λ 2 g_p²),

which, as AdamW does with its weight decay, is applied beside the step of the loss rather than put
through the optimizer's moments. θ is one tensor, so a group of tensors cannot say it. The group
carries λ and the rates, and a hook that runs before the step of any optimizer applies them.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from kanditioned_spec import penalty, validate
from kanditioned_spec.parameterizations import curvature_coordinates

from .distributed import local_part
from .layer import KANLayer
from .precision import compute_dtype

SMOOTHNESS, RATES = "smoothness", "curvature_rates"
"""Keys of a parameter group: λ, which may be changed between steps, and 2 g², shape (P, 1)."""


def param_groups(
    model: nn.Module, smoothness: float, *, scaling: str = "continuous"
) -> list[dict[str, Any]]:
    """Return parameter groups for any optimizer, with smoothing by decoupled weight decay.

    In each step the curvature coordinates of every `KANLayer` in the model decay by
    lr · smoothness · ∇R, and nothing else of the layer does: affine functions are not shrunk. All
    other parameters form a group that follows the optimizer's own arguments, its `weight_decay`
    included.

    The decay is the gradient step on smoothness · R, the same number as
    `smoothness * model.penalty(scaling)` in the loss under plain SGD. Under Adam it is to that
    penalty what AdamW is to an L2 penalty: not divided by the gradients' second moments, and so
    scaled by the learning rate alone.

    Args:
        model: A layer, a network, or any module that holds some.
        smoothness: λ >= 0. The groups keep it under the key `"smoothness"`, from which each step
            reads it, so that it can follow a schedule; it is part of the optimizer's state dict.
        scaling: As in `KANLayer.penalty`. `"continuous"` approximates ∫ s''² for functions that
            are smooth at the scale of the grid, so the best fit under a λ is nearly the same on a
            finer grid, and so are the rates (at w = 4, 0.37 λ for `prefix_sum` and 0.94 λ for
            `dct`, within 20 % from K = 16 on). That holds after training there. The penalty of a
            given piecewise-linear function, refined by m, falls by m² under `"knots"` and grows by
            m under `"continuous"`, until training has spread its bends over the new knots.

    Returns:
        One group for each kind of layer, and one for the other parameters if there are any.

    Raises:
        ValueError: A layer's parameterization has no curvature coordinates and `smoothness` is
            not 0; or an argument is out of range.

    Numerics:
        The decay factor is not taken below 0: a step so long that it would overshoot stops there.
        Parameters without a gradient do not decay, nor does a step that a gradient scaler skips.

    Example:
        >>> from kanditioned_torch import KAN
        >>> model = KAN([4, 8, 1], parameterization="dct")
        >>> optimizer = torch.optim.AdamW(param_groups(model, smoothness=1e-2), lr=1e-3)
    """
    where = "param_groups"
    remedy = "It may hold layers anywhere."
    validate.instance(where, "model", model, nn.Module, "a module", remedy)
    validate.choice(where, "scaling", scaling, penalty.SCALINGS)
    remedy = "It is the weight of the smoothness penalty; 0 turns smoothing off."
    value = validate.finite_real(
        where, "smoothness", smoothness, "a finite number >= 0", remedy, zero=True
    )
    groups: dict[Any, dict[str, Any]] = {}
    splines = set()
    for layer in model.modules():
        if not isinstance(layer, KANLayer) or layer.theta in splines:
            continue
        splines.add(layer.theta)
        kind = (repr(layer.parameterization_spec), layer.spline_width, layer.theta.device)
        if kind not in groups:
            groups[kind] = {"params": [], "weight_decay": 0.0}
            if value or layer.parameterization_spec.curvature_coordinates is not None:
                groups[kind] |= {SMOOTHNESS: value, RATES: _rates(layer, scaling)}
        groups[kind]["params"].append(layer.theta)
    others = [parameter for parameter in model.parameters() if parameter not in splines]
    _register_hook()
    return [*groups.values(), *([{"params": others}] if others else [])]


def _rates(layer: KANLayer, scaling: str) -> Tensor:
    """Return 2 g² of every parameter of an edge, shape (P, 1), zero for the affine ones."""
    spec = layer.parameterization_spec
    factor = penalty.scaling_factor(scaling, layer.grid)
    coordinates = curvature_coordinates("param_groups", "model", spec)
    theta = local_part(layer.theta.detach())
    ones = theta.new_ones((1, spec.num_parameters, 1), dtype=compute_dtype(theta.dtype))
    layer.parameterization_map.follow(ones)
    gains = layer.parameterization_map.curvature(ones)
    rates = torch.zeros_like(ones[0])
    rates[coordinates] = 2 * factor * gains[0].square()
    return rates


@functools.cache
def _register_hook() -> None:
    register_optimizer_step_pre_hook(_decay)


@torch.no_grad()
def _decay(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    """Decay the curvature in the groups that ask for it; other optimizers have none."""
    for group in optimizer.param_groups:
        if not group.get(SMOOTHNESS):
            continue
        step = group["lr"] * group[SMOOTHNESS]
        found_inf = getattr(optimizer, "found_inf", None)  # of optimizers that skip by themselves
        if found_inf is not None:
            step = step * (1 - found_inf)
        rates = group[RATES].to(group["params"][0].device)  # a loaded state may be elsewhere
        factor = (1 - step * rates).clamp_(min=0)
        for theta in group["params"]:
            if theta.grad is not None:
                local_part(theta).mul_(factor)
