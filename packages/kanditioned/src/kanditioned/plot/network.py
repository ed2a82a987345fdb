"""A whole network: nodes in rows, and on every edge between them its curve."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kanditioned_spec import validate
from kanditioned_spec.grid import Grid
from kanditioned_spec.input_map import input_map_of

from ..backends import packages
from .arguments import check_file, check_has, names_of, points_of, samples
from .curves import (
    Array,
    control_points,
    importance,
    keeping,
    to_numpy,
    values,
)
from .style import CURVE, DATA, MUTED, figure, save
from .units import Units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST = 0.01
"""Edges below this share of their layer's largest importance are not drawn."""
_FAINTEST = 0.2
"""Opacity of the least important edge that is drawn."""
_BOX, _GAP = 0.58, 0.14
"""Inches: the side of a curve's box, and the space between two."""
_NARROWEST, _WIDEST = 2.4, 14.0
"""Inches: limits on the width of the picture. Boxes shrink where they do not fit."""


class _Layout(NamedTuple):
    """Where things stand, in inches from the row of the inputs.

    Attributes:
        width: Of the picture.
        rise: From a row of nodes to the boxes above it, and from these to the next row.
    """

    width: float
    rise: float

    @classmethod
    def holding(cls, count: int) -> _Layout:
        """Return the layout of rows of up to `count` boxes."""
        width = min(max(count * (_BOX + _GAP), _NARROWEST), _WIDEST)
        return cls(width, max(0.5, 0.07 * width))

    def level(self, row: int) -> float:
        """Return the height of a row of nodes."""
        return row * (_BOX + 2 * self.rise)

    def even(self, count: int) -> Array:
        """Return the centres of `count` equal parts of the width."""
        return (np.arange(count) + 0.5) * self.width / max(count, 1)


class _Drawn(NamedTuple):
    """What is drawn of one layer: its edges, (E, 2) in order, and their opacities (E,)."""

    points: Array
    spline_width: float
    data: Array | None
    edges: npt.NDArray[np.int64]
    opacity: Array
    units: list[Units]


def plot_network(
    model: Any,
    data: Any = None,
    *,
    max_edges: int = 24,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw a network as a diagram: inputs at the bottom, outputs at the top, curves on the edges.

    The more an edge matters, the darker it is: by its importance, the standard deviation of its
    output, relative to the largest in its layer. Edges below 1 % of that are left out, as those
    are that `prune` made constant, and so are nodes without any edge that is drawn.

    Every curve has a scale of its own, so that its form shows. It covers the domain, or 99 % of
    what reaches the layer. Behind an input map, with no normalisation between, the curves of the
    first layer are drawn over input units. Normalisations and residual branches are not drawn: a
    node stands for the normalised sum of the edges below it.

    Args:
        model: A network of PyTorch or JAX, or without `data` anything with `layers` that have
            `control_points()` and `spline_width`.
        data: Inputs of the network in input units, shape (..., I). Each layer is judged by what
            reaches it, whose histogram is drawn behind each curve. By default the domain counts
            evenly.
        max_edges: Most edges to draw of each layer: the most important ones. What is left out is
            said beside the layer.
        input_names: Names of the inputs.
        output_names: Names of the outputs.
        path: Where to write the picture, its format by its suffix.

    Returns:
        The figure. Its first axes hold the nodes, those inside them the curves, layer by layer.

    Raises:
        ValueError: Shapes do not fit, or `max_edges` is not positive.
        TypeError: There are data, and the network is none of PyTorch or JAX.
        ImportError: matplotlib is not installed.

    Example:
        >>> from kanditioned.torch import KAN
        >>> figure = plot_network(KAN([2, 3, 1], norm="none"))
        >>> len(figure.axes[0].child_axes)
        9
    """
    where = "plot_network"
    check_has(where, "model", model, ("layers",))
    check_file(where, path)
    limit = validate.integer(where, "max_edges", max_edges, 1, "Draw at least one.")
    points = [points_of(where, control_points(layer)) for layer in model.layers]
    inputs = names_of(where, "input_names", input_names, len(points[0]))
    outputs = names_of(where, "output_names", output_names, points[-1].shape[2])
    numbers = input_map_of(where, getattr(model, "input_map", None), len(points[0]))
    reaching = _reaching(where, model, data, len(points[0]))
    units = [[Units.affine(0.0, 1.0)] * len(c) for c in points]
    if numbers is not None and getattr(model, "norm", None) == "none":
        units[0] = [Units.before(numbers, i) for i in range(len(points[0]))]
    layers = [
        _choose_edges(c, layer.spline_width, x, limit, each)
        for c, layer, x, each in zip(points, model.layers, reaching, units, strict=True)
    ]
    layout = _Layout.holding(max(len(layer.edges) for layer in layers))
    nodes = _nodes(layers, layout)
    with figure((layout.width, layout.level(len(layers)) + 0.5)) as fig:
        canvas = fig.subplots()
        canvas.set(xlim=(0, layout.width), aspect="equal")
        canvas.axis("off")
        for index, layer in enumerate(layers):
            _draw_layer(canvas, layout, layer, index, nodes[index], nodes[index + 1])
        for index, row in enumerate(nodes):
            heights = [layout.level(index)] * len(row)
            canvas.plot(list(row.values()), heights, "o", color=CURVE, markersize=4, zorder=3)
        _name(canvas, nodes[0], inputs, 0.0, below=True)
        _name(canvas, nodes[-1], outputs, layout.level(len(layers)), below=False)
        save(fig, path)
    return fig


def _reaching(where: str, model: Any, data: Any, in_features: int) -> list[Array | None]:
    """Return the inputs (N, I) of every layer, run by the framework of the model."""
    x = samples(where, data, in_features)
    if x is None:
        return [None] * len(model.layers)
    homes = {kind.__module__.split(".")[0] for kind in type(model).__mro__}
    package = next((name for name in packages().values() if name in homes), None)
    if package is None:
        constraint, remedy = "a network of PyTorch or JAX", "Or draw it without data."
        got = type(model).__qualname__
        raise TypeError(validate.message(where, "model", constraint, got, remedy))
    found: list[list[Array]] = [[] for _ in model.layers]
    callbacks = [lambda inputs, layer=layer: layer.append(to_numpy(inputs)) for layer in found]
    first = model.layers[0]
    rows: Any = x
    with keeping(first):
        if package == "kanditioned_torch":
            import torch

            rows = torch.as_tensor(x)
        if model.input_map is None:  # which takes float64, and rounds behind its offset
            like = first.theta.dtype
            rows = rows.to(like) if package == "kanditioned_torch" else rows.astype(like)
        import_module(f"{package}.batches").record_layer_inputs(where, model, rows, callbacks)
    return [np.concatenate(layer) for layer in found]


def _choose_edges(
    points: Array, spline_width: float, data: Array | None, limit: int, units: list[Units]
) -> _Drawn:
    """Choose the edges of a layer."""
    scores = importance(points, spline_width, data)
    rounding = np.finfo(np.float64).eps * len(points) * np.abs(points).max()
    share = scores / max(scores.max(), rounding / _LEAST, np.finfo(np.float64).tiny)
    order = np.argsort(-share, axis=None, kind="stable")[:limit]
    kept = np.sort(order[share.ravel()[order] >= _LEAST])
    edges = np.stack(np.unravel_index(kept, share.shape), 1)
    opacity = _FAINTEST + (1 - _FAINTEST) * share.ravel()[kept]
    return _Drawn(points, spline_width, data, edges, opacity, units)


def _nodes(layers: list[_Drawn], layout: _Layout) -> list[dict[int, float]]:
    """Return where in each row the nodes stand that have an edge."""
    ends = [layer.edges.T for layer in layers]
    rows = [set(ends[0][0]), *(set(a[1]) | set(b[0]) for a, b in pairwise(ends)), set(ends[-1][1])]
    return [
        {int(node): x for node, x in zip(sorted(row), layout.even(len(row)), strict=True)}
        for row in rows
    ]


def _draw_layer(
    canvas: Axes,
    layout: _Layout,
    layer: _Drawn,
    index: int,
    below: dict[int, float],
    above: dict[int, float],
) -> None:
    """Draw the edges of layer `index`, whose nodes stand at `below` and `above`."""
    bottom, top = layout.level(index), layout.level(index + 1)
    middle, centres = (bottom + top) / 2, layout.even(len(layer.edges))
    side = min(_BOX, layout.width / max(len(centres), 1) * _BOX / (_BOX + _GAP))
    for (i, o), x, alpha in zip(layer.edges, centres, layer.opacity, strict=True):
        line: Any = {"color": MUTED, "alpha": alpha, "linewidth": 0.8, "zorder": 1}
        canvas.plot([below[i], x], [bottom, middle - side / 2], **line)
        canvas.plot([x, above[o]], [middle + side / 2, top], **line)
        box = (x - side / 2, middle - side / 2, side, side)
        panel = canvas.inset_axes(box, transform=canvas.transData, zorder=2)
        column = None if layer.data is None else layer.data[:, i]
        curve = (layer.points[i, :, o], layer.spline_width, column, layer.units[i])
        _draw_curve(panel, *curve, float(alpha))
    total = layer.points.shape[0] * layer.points.shape[2]
    if len(centres) < total:
        note, at = f"{len(centres)} of\n{total} edges", (layout.width + 0.1, middle)
        canvas.text(*at, note, color=MUTED, fontsize=6, va="center")


def _draw_curve(
    panel: Axes,
    points: Array,
    spline_width: float,
    data: Array | None,
    units: Units,
    alpha: float,
) -> None:
    low, high = -spline_width / 2, spline_width / 2
    if data is not None:
        low, high = np.quantile(data, [0.005, 0.995])
        ends = units.on_axis(np.array([low, high]))
        counts, bounds = np.histogram(units.on_axis(data), bins=16, range=(ends[0], ends[1]))
        panel.stairs(
            0.35 * counts / max(counts.max(), 1),
            bounds,
            fill=True,
            color=DATA,
            alpha=alpha,
            transform=panel.get_xaxis_transform(),
        )
    at = np.concatenate([Grid(len(points), spline_width).knots(), units.kinks])
    z = np.unique([low, *at[(low < at) & (at < high)], high])
    panel.plot(
        units.on_axis(z), values(points, z, spline_width), color=CURVE, alpha=alpha, linewidth=1.2
    )
    panel.set(xticks=[], yticks=[])
    panel.margins(0.08, 0.12)
    panel.patch.set_alpha(1.0)
    for spine in panel.spines.values():
        spine.set(visible=True, alpha=alpha, color=MUTED, linewidth=0.6)


def _name(
    canvas: Axes, row: dict[int, float], names: list[str], height: float, *, below: bool
) -> None:
    """Write the names of the nodes of a row, aslant where they are too long for the space."""
    room = canvas.get_xlim()[1] / max(len(row), 1)
    longest = max((len(names[node].strip("$")) for node in row), default=0)
    aslant = 0.065 * longest > room
    for node, x in row.items():
        canvas.annotate(
            names[node],
            (x, height),
            (0, -6 if below else 6),
            textcoords="offset points",
            ha=("right" if below else "left") if aslant else "center",
            va="top" if below else "bottom",
            rotation=35 if aslant else 0,
            rotation_mode="anchor",
        )
