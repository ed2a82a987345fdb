"""Edges of one layer, a panel each."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kanditioned_spec import validate
from kanditioned_spec.grid import Grid
from kanditioned_spec.input_map import input_map_of

from . import curves
from .arguments import (
    Edge,
    check_file,
    check_flag,
    check_has,
    edges_of,
    names_of,
    per_input,
    points_of,
    samples,
)
from .curves import Array, importance, values
from .style import CURVE, DATA, MUTED, figure, save
from .units import Units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARGIN = 0.08
"""Share of the width that is drawn beyond each end of the domain."""
_MAX_ROWS = 10
"""Rows or columns of a full grid of edges."""


def plot_layer(layer: Any, edges: Any = None, **options: Any) -> Figure:
    """Draw edges of a layer: anything with `control_points()` and `spline_width`.

    The arguments are those of `plot_edges`.
    """
    check_has("plot_layer", "layer", layer, ("control_points", "spline_width"))
    return plot_edges(curves.control_points(layer), layer.spline_width, edges, **options)


def plot_edges(
    control_points: Any,
    spline_width: float,
    edges: Sequence[Edge] | Literal["all"] | None = None,
    *,
    data: Any = None,
    max_panels: int = 16,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    input_offset: Any = 0.0,
    input_scale: Any = 1.0,
    input_map: Any = None,
    centre: bool = False,
    share_y: bool = True,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw functions s_io, one panel each, over inputs in input units.

    Solid within the domain, where dots mark the control points (up to 40 of them), dashed beyond
    it, where the end pieces go on in a straight line.

    Args:
        control_points: Shape (I, K, O).
        spline_width: Width of the domain in input units.
        edges: Pairs (input, output). By default the `max_panels` edges that matter most, in that
            order: those with the largest standard deviation of s over the data, or over the domain
            if there is none. `"all"` draws the grid of all edges, inputs downwards, as far as it
            fits on 10 × 10 panels.
        data: Inputs of the layer, shape (..., I). Their histogram is drawn behind each curve, and
            the picture covers 99 % of them.
        max_panels: Limit on the number of panels for `edges=None`.
        input_names: Names of the inputs.
        output_names: Names of the outputs.
        input_offset: What to add to each input on the axes, after `input_scale`, a number or (I,).
        input_scale: What to multiply each input by on the axes: with the offset, the inverse of a
            standardisation in front of the layer.
        input_map: What stands before the layer, such as `network.input_map`: the axes are in its
            input units, instead of an offset and a scale. `data` are what reaches the layer.
        centre: Subtract from each curve its mean over the data, or over the domain. Constants can
            be moved between the edges of an output without changing the layer.
        share_y: Use one scale for all panels, so that their sizes compare.
        path: Where to write the picture, its format by its suffix.

    Returns:
        The figure.

    Raises:
        ValueError: Shapes do not fit, or an edge does not exist.
        TypeError: A value has the wrong type.
        ImportError: matplotlib is not installed.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(-2, 2, 9)
        >>> figure = plot_edges(np.sin(x)[None, :, None], 4.0)
        >>> len(figure.axes)
        1
    """
    where = "plot_edges"
    points = points_of(where, control_points)
    in_features, _, out_features = points.shape
    width = validate.spline_width(where, spline_width)
    found = samples(where, data, in_features)
    inputs = names_of(where, "input_names", input_names, in_features)
    outputs = names_of(where, "output_names", output_names, out_features)
    offset = per_input(where, "input_offset", input_offset, in_features)
    scale = per_input(where, "input_scale", input_scale, in_features, zero=False)
    units = [Units.affine(*pair) for pair in zip(offset, scale, strict=True)]
    numbers = input_map_of(where, input_map, in_features)
    if numbers is not None:
        if offset.any() or (scale != 1).any():
            constraint, remedy = "None with an offset or a scale", "The map has both."
            raise ValueError(validate.message(where, "input_map", constraint, "both", remedy))
        units = [Units.before(numbers, i) for i in range(in_features)]
    check_flag(where, "centre", centre)
    check_flag(where, "share_y", share_y)
    check_file(where, path)
    wanted = edges_of(where, edges, points)
    limit = validate.integer(where, "max_panels", max_panels, 1, "Draw at least one.")
    chosen, columns = _choose(wanted, points, width, found, limit)
    rows = -(-len(chosen) // columns)
    with figure((min(1.75 * columns + 0.3, 24), min(1.4 * rows + 0.35, 24))) as fig:
        axes = fig.subplots(rows, columns, sharey=share_y, squeeze=False).ravel()
        for panel, (i, o) in zip(axes, chosen, strict=False):
            column = None if found is None else found[:, i]
            _draw(panel, points[i, :, o], width, column, units[i], centre)
            panel.set_title(inputs[i] if out_features == 1 else f"{inputs[i]} → {outputs[o]}")
        for panel in axes[len(chosen) :]:
            panel.remove()
        fig.suptitle(_describe_left_out(wanted, len(chosen), points), fontsize=8, color=MUTED)
        fig.supxlabel("input", fontsize=8)
        fig.supylabel("contribution" if centre else "value", fontsize=8)
        save(fig, path)
    return fig


def _draw(
    panel: Axes, points: Array, width: float, data: Array | None, units: Units, centre: bool
) -> None:
    half = width / 2
    low, high = -half - _MARGIN * width, half + _MARGIN * width
    if data is not None:
        start, end = np.quantile(data, [0.005, 0.995])
        low, high = min(low, start), max(high, end)
        left, right = sorted(units.on_axis(np.array([low, high])))
        counts, bounds = np.histogram(units.on_axis(data), bins=40, range=(left, right))
        heights = 0.35 * counts / max(counts.max(), 1)
        behind = panel.get_xaxis_transform()
        panel.stairs(heights, bounds, fill=True, color=DATA, transform=behind, zorder=0)
    over = np.linspace(-half, half, 401) if data is None else data
    base = values(points, over, width).mean() if centre else 0.0
    knots = Grid(len(points), width).knots()
    for start, end, style in ((low, -half, "--"), (-half, half, "-"), (half, high, "--")):
        corners = np.concatenate([knots, units.kinks])
        z = np.unique([start, *corners[(start < corners) & (corners < end)], end])
        thin: Any = {"linewidth": 0.8} if style == "--" else {}
        curve = values(points, z, width) - base
        panel.plot(units.on_axis(z), curve, style, color=CURVE, solid_joinstyle="round", **thin)
    if len(points) <= 40:
        panel.plot(units.on_axis(knots), points - base, ".", color=CURVE, markersize=2.5)
    panel.axhline(0, color=MUTED, linewidth=0.4, zorder=0.5)
    panel.set_xlim(*sorted(units.on_axis(np.array([low, high]))))


def _choose(
    edges: Sequence[Edge] | Literal["all"] | None,
    points: Array,
    width: float,
    data: Array | None,
    limit: int,
) -> tuple[list[Edge], int]:
    """Return the edges to draw and the number of columns to draw them in."""
    in_features, _, out_features = points.shape
    if edges == "all":
        columns = min(out_features, _MAX_ROWS)
        return [(i, o) for i in range(min(in_features, _MAX_ROWS)) for o in range(columns)], columns
    if edges is None:
        order = np.argsort(-importance(points, width, data), axis=None, kind="stable")[:limit]
        pairs = [divmod(int(index), out_features) for index in order]
    else:
        pairs = list(edges)
    return pairs, max(1, min(len(pairs), math.ceil(math.sqrt(len(pairs)))))


def _describe_left_out(edges: object, drawn: int, points: Array) -> str:
    total = points.shape[0] * points.shape[2]
    if drawn == total or not (edges is None or edges == "all"):
        return ""
    return f"the {'largest' if edges is None else 'first'} {drawn} of {total} edges"
