"""Smaller networks that compute nearly the same: edges become constants, unused nodes go.

An edge that hardly varies is replaced by a constant, not by zero, so that the error is no more
than what it varied by.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from kanditioned_spec import validate

from .edges import Moments
from .observation import observe
from .refinement import rebuilt

if TYPE_CHECKING:
    from .kan import KAN
    from .layer import KANLayer


class Pruned(NamedTuple):
    """A pruned network, and what is known of it.

    Attributes:
        network: It.
        edges: For each layer which edges are left, shape (I, O), in the numbering before.
        error: Largest |y' - y| over the inputs that it was measured on.
    """

    network: KAN
    edges: list[Tensor]
    error: float


class _Plan(NamedTuple):
    """What pruning draws on: for each layer control points, their means, and their rank."""

    control_points: list[Tensor]
    means: list[Tensor]
    ranks: list[Tensor]


def checked_tolerance(where: str, tolerance: float) -> float:
    """Return a tolerance: a finite number >= 0."""
    remedy = "It is how far an output may move, in its own units."
    constraint = "a finite number >= 0"
    return validate.finite_real(where, "tolerance", tolerance, constraint, remedy, zero=True)


@torch.no_grad()
def flattened(layer: KANLayer, tolerance: float) -> Tensor:
    """Return the control points (I, K, O) with flat edges made constant.

    For each output the edges of least range, as many as leave Σ (max - min)/2 <= tolerance: each
    becomes the middle of its range.
    """
    c = layer.control_points().detach()
    low, high = c.amin(1).double(), c.amax(1).double()
    half, order = ((high - low) / 2).sort(dim=0)
    flat = torch.zeros_like(half, dtype=torch.bool)
    flat.scatter_(0, order, half.cumsum(0) <= tolerance)
    middle = ((low + high) / 2).to(c.dtype)
    return torch.where(flat[:, None], middle[:, None], c)


@torch.no_grad()
def pruned(network: KAN, x: Tensor, tolerance: float) -> Pruned:
    """Prune as many edges as keep the outputs at `x` within `tolerance`, by bisection."""
    network = copy.deepcopy(network).eval()
    plan, want = _plan(network, x), network(x)
    best = Pruned(network, [rank >= 0 for rank in plan.ranks], 0.0)
    fits, fails = 0, 1 + sum(rank.numel() for rank in plan.ranks)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        candidate = _candidate(network, plan, middle, x, want)
        if candidate.error <= tolerance:
            fits, best = middle, candidate
        else:
            fails = middle
    return best


def _plan(network: KAN, x: Tensor) -> _Plan:
    """Rank all edges by their spread, relative to the spread of their layer's outputs."""
    layers = list(network.kan_layers())
    moments = [Moments.of(layer) for layer in layers]
    observe("KAN.prune", network, x, [found.add for found in moments])
    points = [layer.control_points() for layer in layers]
    spreads = [found.spread(c) for found, c in zip(moments, points, strict=True)]
    outputs = [std.square().sum(0).mean().sqrt() for _, std in spreads]
    scores = [
        std / total if total else std for (_, std), total in zip(spreads, outputs, strict=True)
    ]
    ranks = torch.cat([score.flatten() for score in scores]).argsort(stable=True).argsort()
    parts = torch.split(ranks, [score.numel() for score in scores])
    return _Plan(
        points,
        [mean.to(c) for (mean, _), c in zip(spreads, points, strict=True)],
        [part.view(score.shape) for part, score in zip(parts, scores, strict=True)],
    )


def _candidate(network: KAN, plan: _Plan, count: int, x: Tensor, want: Tensor) -> Pruned:
    """Make the `count` edges of least rank constant, drop idle nodes, and measure."""
    edges = [rank >= count for rank in plan.ranks]
    points = [
        torch.where(left.to(c.device)[:, None], c, mean[:, None])
        for c, mean, left in zip(plan.control_points, plan.means, edges, strict=True)
    ]
    smaller = _without_idle_nodes(network, points, edges)
    return Pruned(smaller, edges, float((smaller(x) - want).abs().max()))


def _without_idle_nodes(network: KAN, points: list[Tensor], edges: list[Tensor]) -> KAN:
    """Build the network of these control points without the hidden features that nothing uses."""
    keep = [torch.ones(count, dtype=torch.bool) for count in network.widths]
    for index in reversed(range(1, len(points))):  # a node that feeds idle ones alone is idle
        keep[index] = _used(network, index, edges[index], keep[index + 1])
        first = int(keep[index].nonzero()[0])
        points[index][first] += points[index][~keep[index]].sum(0)
        edges[index - 1][:, ~keep[index]] = False
    layers = [
        rebuilt(
            layer,
            c[keep[index]][:, :, keep[index + 1]],
            layer.spline_width,
            layer.parameterization,
            layer.options,
        )
        for index, (layer, c) in enumerate(zip(network.kan_layers(), points, strict=True))
    ]
    return _assembled(network, layers, keep)


def _used(network: KAN, index: int, edges: Tensor, outputs: Tensor) -> Tensor:
    """Return which inputs of a layer are used: by edges, residuals, or the normalisation."""
    if network.norm == "layer":
        return torch.ones(len(edges), dtype=torch.bool)
    used = edges.any(1)
    if network.residuals is not None:
        weight = network.get_parameter(f"residuals.{index}.weight")
        used |= weight[outputs].any(0).cpu()
    used[0] |= not used.any()
    return used


def _assembled(network: KAN, layers: list[KANLayer], keep: list[Tensor]) -> KAN:
    """Put layers into a network like `network`, with what else belongs to the nodes kept."""
    made: dict[str, Any] = {"device": layers[0].theta.device, "dtype": layers[0].theta.dtype}
    widths = [layers[0].in_features, *(layer.out_features for layer in layers)]
    smaller = type(network)(
        widths,
        norm=network.norm,
        residual=network.residuals is not None,
        dropout=network.dropout.p,
        num_control_points=2,
        init="zero",
        **made,
    )
    smaller.layers = nn.ModuleList(layers)
    state = {f"layers.{index}.theta": layer.theta for index, layer in enumerate(layers)}
    for name, value in network.state_dict().items():
        kind, index = name.split(".")[:2]
        if kind == "norms":
            state[name] = value[keep[int(index)]] if value.ndim else value
        elif kind == "residuals":
            state[name] = value[keep[int(index) + 1]][:, keep[int(index)]]
    smaller.load_state_dict(state)
    return smaller.eval()
