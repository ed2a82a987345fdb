"""Which edges matter, and smaller networks that compute nearly the same.

An edge that hardly varies is replaced by a constant, not by zero, so that the error is no more
than what it varied by.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple, overload

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from kanditioned_spec import validate
from kanditioned_spec.edges import Moments, Spread

from .arguments import check_tensor
from .arrays import to_float64
from .batches import Data, batches, record_layer_inputs
from .layer import KANLayer
from .network import KAN


class Pruned(NamedTuple):
    """A pruned network, and what is known of it.

    Attributes:
        network: The smaller network.
        edges: For each layer which edges are left, shape (I, O), in the numbering before.
        error: Largest |y' - y| over the inputs that it was measured on.
    """

    network: KAN
    edges: list[Tensor]
    error: float


@overload
def importance(model: KANLayer, data: Data | None = None) -> Tensor: ...


@overload
def importance(model: KAN, data: Data | None = None) -> list[Tensor]: ...


def importance(model: KANLayer | KAN, data: Data | None = None) -> Tensor | list[Tensor]:
    """Return how much each edge contributes: the standard deviation of its output.

    Args:
        model: A layer or a network.
        data: Inputs (..., I) of the model, or an iterable of batches of them; each layer of a
            network is judged by what reaches it. By default the inputs of every layer are spread
            evenly over its domain.

    Returns:
        Shape (I, O) of a layer, a list of such for the layers of a network; in float64.

    Raises:
        ValueError: There are no inputs, or they have another number of features.

    Numerics:
        Evaluated in float64 from the moments of the inputs, extrapolation included. NaN in a
        feature makes its edges NaN.
    """
    remedy = "Name a layer of the model."
    kinds = (KANLayer, KAN)
    validate.instance("importance", "model", model, kinds, "a KANLayer or a KAN", remedy)
    layers = [model] if isinstance(model, KANLayer) else list(model.kan_layers())
    if data is None:
        moments = [Moments.uniform(layer.in_features, layer.grid) for layer in layers]
    else:
        moments = _measure("importance", model, layers, data)
    scores = [torch.from_numpy(each.std) for each in _spreads(layers, moments)]
    return scores[0] if isinstance(model, KANLayer) else scores


@torch.no_grad()
def flatten_edges(layer: KANLayer, tolerance: float) -> KANLayer:
    """Return a layer with flat edges made constant, whose outputs move by `tolerance` at most.

    That holds for all inputs in the domain, to float rounding: for each output, the edges that
    become the middle of their range are as many as leave the sum of their half ranges within the
    tolerance.

    Args:
        layer: The layer, which is not changed.
        tolerance: In units of the outputs, >= 0.
    """
    remedy = "Name a layer of the model."
    validate.instance("flatten_edges", "layer", layer, KANLayer, "a KANLayer", remedy)
    bound = validate.tolerance("flatten_edges", tolerance)
    c = layer.control_points().detach()
    low, high = c.amin(1).double(), c.amax(1).double()
    half, order = ((high - low) / 2).sort(dim=0)
    flat = torch.zeros_like(half, dtype=torch.bool)
    flat.scatter_(0, order, half.cumsum(0) <= bound)
    middle = ((low + high) / 2).to(c.dtype)
    points = torch.where(flat[:, None], middle[:, None], c)
    return layer.replace_functions(points, layer.grid, layer.parameterization_spec)


@torch.no_grad()
def prune(network: KAN, x: Tensor, tolerance: float) -> Pruned:
    """Return a smaller network whose outputs at `x` differ by `tolerance` at most.

    Edges whose outputs vary least become constants, as many as the tolerance allows. Hidden
    features that no edge, residual branch or normalisation uses any more are removed, and the
    layers get smaller: with `norm="layer"` there are none, since each takes part in the mean and
    the variance. Constants are not frozen, so training on moves them.

    Args:
        network: The network, which is not changed.
        x: Inputs (..., widths[0]) that stand for all that will come, for example the validation
            set. The statement holds for these, in eval mode.
        tolerance: Largest |y' - y|, in units of the outputs, >= 0.

    Returns:
        The network, which edges of this one are left, and the largest |y' - y| at `x`.

    Raises:
        ValueError: There are no inputs, or the tolerance is negative.
    """
    bound = validate.tolerance("prune", tolerance)
    remedy = "Layers are flattened by flatten_edges."
    validate.instance("prune", "network", network, KAN, "a KAN", remedy)
    check_tensor("prune", "x", x)
    validate.last_dimension("prune", "x", tuple(x.shape), network.widths[0])
    training, network = network.training, copy.deepcopy(network).eval()
    plan, want = _plan(network, x), network(x)
    best = Pruned(network, [rank >= 0 for rank in plan.ranks], 0.0)
    fits, fails = 0, 1 + sum(rank.numel() for rank in plan.ranks)
    while fails - fits > 1:  # bisection by the number of edges
        middle = (fits + fails) // 2
        candidate = _candidate(network, plan, middle, x, want)
        if candidate.error <= bound:
            fits, best = middle, candidate
        else:
            fails = middle
    best.network.train(training)
    return best


class _Plan(NamedTuple):
    """What pruning draws on: for each layer control points, their means, and their rank."""

    control_points: list[Tensor]
    means: list[Tensor]
    ranks: list[Tensor]


def _measure(
    where: str, model: KANLayer | KAN, layers: Sequence[KANLayer], data: Data
) -> list[Moments]:
    """Return the moments of what reaches each layer of a model."""
    moments = [Moments(layer.in_features, layer.grid) for layer in layers]
    callbacks = [_adding(each) for each in moments]
    if isinstance(model, KANLayer):
        for x in batches(where, data, model.in_features):
            callbacks[0](x)
    else:
        record_layer_inputs(where, model, data, callbacks)
    if not all(each.sums[0].any() for each in moments):
        remedy = "Pass inputs as the model will see them."
        raise ValueError(validate.message(where, "data", "at least one input", "none", remedy))
    return moments


def _adding(moments: Moments) -> Callable[[Tensor], None]:
    """Return what adds inputs, on the CPU, where sums keep their order."""
    return lambda x: moments.add(to_float64(x))


def _spreads(layers: Sequence[KANLayer], moments: Sequence[Moments]) -> list[Spread]:
    return [
        each.spread(to_float64(layer.control_points()))
        for layer, each in zip(layers, moments, strict=True)
    ]


def _plan(network: KAN, x: Tensor) -> _Plan:
    """Rank all edges by their spread, relative to the spread of their layer's outputs."""
    layers = list(network.kan_layers())
    moments = _measure("prune", network, layers, x)
    points = [layer.control_points() for layer in layers]
    kinds = zip(*_spreads(layers, moments), strict=True)
    means, stds = ([torch.from_numpy(each) for each in kind] for kind in kinds)
    outputs = [std.square().sum(0).mean().sqrt() for std in stds]
    scores = [std / total if total else std for std, total in zip(stds, outputs, strict=True)]
    ranks = torch.cat([score.flatten() for score in scores]).argsort(stable=True).argsort()
    parts = torch.split(ranks, [score.numel() for score in scores])
    return _Plan(
        points,
        [mean.to(c) for mean, c in zip(means, points, strict=True)],
        [part.view(score.shape) for part, score in zip(parts, scores, strict=True)],
    )


def _candidate(network: KAN, plan: _Plan, count: int, x: Tensor, want: Tensor) -> Pruned:
    """Make the `count` edges of least rank constant, drop idle nodes, and measure."""
    left = [rank >= count for rank in plan.ranks]
    points = [
        torch.where(kept.to(c.device)[:, None], c, mean[:, None])
        for c, mean, kept in zip(plan.control_points, plan.means, left, strict=True)
    ]
    smaller = _without_idle_nodes(network, points, left)
    return Pruned(smaller, left, float((smaller(x) - want).abs().max()))


def _without_idle_nodes(network: KAN, points: list[Tensor], left: list[Tensor]) -> KAN:
    """Build the network of these control points without the hidden features that nothing uses."""
    keep = [torch.ones(count, dtype=torch.bool) for count in network.widths]
    for index in reversed(range(1, len(points))):  # a node that feeds idle ones alone is idle
        keep[index] = _find_used(network, index, left[index], keep[index + 1])
        first = int(keep[index].nonzero()[0])
        points[index][first] += points[index][~keep[index]].sum(0)
        left[index - 1][:, ~keep[index]] = False
    smaller = copy.deepcopy(network)
    smaller.widths = tuple(int(kept.sum()) for kept in keep)
    for index, (layer, c) in enumerate(zip(network.kan_layers(), points, strict=True)):
        c = c[keep[index]][:, :, keep[index + 1]]
        new = layer.replace_functions(c, layer.grid, layer.parameterization_spec)
        new.shapes = layer.shapes.select(keep[index].nonzero().flatten().tolist())
        smaller.layers[index] = new
        _select_features(smaller, index, keep[index], keep[index + 1])
    return smaller


def _find_used(network: KAN, index: int, left: Tensor, outputs: Tensor) -> Tensor:
    """Return which inputs of a layer are used: by edges, residuals, or the normalisation."""
    if network.norm == "layer":
        return torch.ones(len(left), dtype=torch.bool)
    used = left.any(1)
    if network.residuals is not None:
        weight = network.get_parameter(f"residuals.{index}.weight")
        used |= weight[outputs].any(0).cpu()
    used[0] |= not used.any()
    return used


def _select_features(network: KAN, index: int, inputs: Tensor, outputs: Tensor) -> None:
    """Keep some inputs and outputs of what stands before and beside a layer."""
    norm = network.norms[index]
    if isinstance(norm, _BatchNorm):
        norm.num_features = int(inputs.sum())
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean, norm.running_var = norm.running_mean[inputs], norm.running_var[inputs]
    if network.residuals is not None:
        linear = network.residuals[index]
        assert isinstance(linear, nn.Linear)
        linear.out_features, linear.in_features = int(outputs.sum()), int(inputs.sum())
        weight = linear.weight.detach()[outputs][:, inputs]
        linear.weight = nn.Parameter(weight, requires_grad=linear.weight.requires_grad)
