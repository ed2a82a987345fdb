"""Pictures of what a layer has learned.

`plot_edges` draws control points of any origin (NumPy, PyTorch, JAX); `plot_layer` takes a layer.
matplotlib is imported when something is drawn. Figures are made without pyplot: no window opens, no
global state changes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from kanditioned_spec import validate
from kanditioned_spec.grid import knots, locate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]
Edge = tuple[int, int]

CURVE, KNOTS, DATA, MUTED = "#1f4e79", "#1f4e79", "#d9d9d9", "#808080"
SEQUENCE = ("#1f4e79", "#c44e52", "#4c956c", "#8172b3", "#b8860b", "#64b5cd")
"""Colours of several curves in one panel, told apart by people who do not see all colours."""
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#606060",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.color": "#404040",
    "ytick.color": "#404040",
    "legend.frameon": False,
    "legend.fontsize": 7,
    "lines.linewidth": 1.3,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "kanditioned",
}
_MARGIN = 0.08
"""Share of the width that is drawn beyond each end of the domain."""
_MAX_ROWS = 10
"""Rows or columns of a full grid of edges."""


def plot_layer(layer: Any, edges: Any = None, **options: Any) -> Figure:
    """Draw edges of a layer: anything with `control_points()` and `spline_width`.

    The arguments are those of `plot_edges`.
    """
    return plot_edges(_numpy(layer.control_points()), layer.spline_width, edges, **options)


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
        centre: Subtract from each curve its mean over the data, or over the domain. Constants can
            be moved between the edges of an output without changing the layer.
        share_y: Use one scale for all panels, so that their sizes compare.
        path: Where to write the picture, its format by its suffix.

    Returns:
        The figure.

    Raises:
        ValueError: Shapes do not fit, or an edge does not exist.
        ImportError: matplotlib is not installed.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(-2, 2, 9)
        >>> figure = plot_edges(np.sin(x)[None, :, None], 4.0)
        >>> len(figure.axes)
        1
    """
    points = _checked(control_points)
    width = validate.spline_width("plot_edges", spline_width)
    samples = _samples(data, points.shape[0])
    names = _names(input_names, points.shape[0], "x"), _names(output_names, points.shape[2], "y")
    chosen, columns = _chosen(edges, points, width, samples, max_panels)
    rows = -(-len(chosen) // columns)
    axis = np.stack(np.broadcast_arrays(input_offset, input_scale, points[:, 0, 0])[:2], -1)
    with figure((min(1.75 * columns + 0.3, 24), min(1.4 * rows + 0.35, 24))) as fig:
        axes = fig.subplots(rows, columns, sharey=share_y, squeeze=False).ravel()
        for panel, (i, o) in zip(axes, chosen, strict=False):
            column = None if samples is None else samples[:, i]
            _draw(panel, points[i, :, o], width, column, axis[i], centre)
            panel.set_title(_title(names, i, o, points.shape))
        for panel in axes[len(chosen) :]:
            panel.remove()
        fig.suptitle(_left_out(edges, len(chosen), points), fontsize=8, color=MUTED)
        fig.supxlabel("input", fontsize=8)
        fig.supylabel("contribution" if centre else "value", fontsize=8)
        save(fig, path)
    return fig


@contextmanager
def figure(size: tuple[float, float]) -> Iterator[Figure]:
    """Provide a figure of a size in inches, to be filled under the style of this package.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f"pictures need matplotlib, which cannot be imported ({error}). "
            'Install it: pip install "kanditioned[plot]"'
        ) from error
    with mpl.rc_context(STYLE):
        yield Figure(figsize=size, layout="constrained")


def save(fig: Figure, path: str | os.PathLike[str] | None) -> None:
    """Write a figure if there is a path."""
    if path is not None:
        fig.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None)


def _draw(
    panel: Axes, points: Array, width: float, data: Array | None, axis: Array, centre: bool
) -> None:
    offset, scale = axis
    half = width / 2
    low, high = -half - _MARGIN * width, half + _MARGIN * width
    if data is not None:
        start, end = np.quantile(data, [0.005, 0.995])
        low, high = min(low, start), max(high, end)
        counts, bounds = np.histogram(data, bins=40, range=(low, high))
        heights = 0.35 * counts / max(counts.max(), 1)
        behind = panel.get_xaxis_transform()
        x = offset + scale * bounds
        panel.stairs(heights, x, fill=True, color=DATA, transform=behind, zorder=0)
    over = np.linspace(-half, half, 401) if data is None else data
    base = values(points, over, width).mean() if centre else 0.0
    for ends in (np.array([low, -half]), np.array([half, high])):
        beyond = values(points, ends, width) - base
        panel.plot(offset + scale * ends, beyond, "--", color=CURVE, linewidth=0.8)
    at = offset + scale * knots(len(points), width)
    panel.plot(at, points - base, color=CURVE, solid_joinstyle="round")
    if len(points) <= 40:
        panel.plot(at, points - base, ".", color=KNOTS, markersize=2.5)
    panel.axhline(0, color=MUTED, linewidth=0.4, zorder=0.5)
    panel.set_xlim(*sorted(offset + scale * np.array([low, high])))


def values(points: Array, x: Array, spline_width: float) -> Array:
    """Evaluate control points (K, ...) of one input's edges at its values (N,), giving (N, ...)."""
    interval, fraction = locate(x, len(points), spline_width)
    weight = fraction.reshape(-1, *[1] * (points.ndim - 1))
    result: Array = points[interval] + weight * (points[interval + 1] - points[interval])
    return result


def _chosen(
    edges: Sequence[Edge] | Literal["all"] | None,
    points: Array,
    width: float,
    samples: Array | None,
    max_panels: int,
) -> tuple[list[Edge], int]:
    """Return the edges to draw and the number of columns to draw them in."""
    in_features, _, out_features = points.shape
    if edges == "all":
        columns = min(out_features, _MAX_ROWS)
        return [(i, o) for i in range(min(in_features, _MAX_ROWS)) for o in range(columns)], columns
    if edges is None:
        limit = validate.integer("plot_edges", "max_panels", max_panels, 1, "Draw at least one.")
        order = np.argsort(-importance(points, width, samples), axis=None, kind="stable")[:limit]
        pairs = [divmod(int(index), out_features) for index in order]
    else:
        pairs = [_checked_edge(edge, in_features, out_features) for edge in edges]
    return pairs, max(1, min(len(pairs), math.ceil(math.sqrt(len(pairs)))))


def importance(points: Array, spline_width: float, data: Array | None = None) -> Array:
    """Return the standard deviation of every edge's output, shape (I, O).

    Args:
        points: Control points (I, K, O).
        spline_width: Width of the domain in input units.
        data: Inputs (N, I) over which it is taken. By default the domain, evenly.
    """
    even = np.linspace(-spline_width / 2, spline_width / 2, 201)
    columns = [even] * len(points) if data is None else list(data.T)
    return np.stack(
        [values(c, x, spline_width).std(axis=0) for c, x in zip(points, columns, strict=True)]
    )


def _left_out(edges: object, drawn: int, points: Array) -> str:
    total = points.shape[0] * points.shape[2]
    if drawn == total or not (edges is None or edges == "all"):
        return ""
    return f"the {'largest' if edges is None else 'first'} {drawn} of {total} edges"


def _title(names: tuple[list[str], list[str]], i: int, o: int, shape: tuple[int, ...]) -> str:
    inputs, outputs = names
    return inputs[i] if shape[2] == 1 else f"{inputs[i]} → {outputs[o]}"


def _names(names: Sequence[str] | None, count: int, letter: str) -> list[str]:
    if names is None:
        return [f"${letter}_{{{index}}}$" for index in range(count)]
    if len(names) != count:
        argument = "input_names" if letter == "x" else "output_names"
        remedy = "Name every one of them."
        raise ValueError(
            validate.message("plot_edges", argument, f"{count} names", len(names), remedy)
        )
    return [str(name) for name in names]


def _numpy(array: Any) -> Array:
    """Copy an array of any framework to float64."""
    if hasattr(array, "detach"):
        array = array.detach().double().cpu()
    return np.asarray(array, dtype=np.float64)


def _checked(control_points: Any) -> Array:
    points = _numpy(control_points)
    if points.ndim != 3:
        constraint = "of shape (in_features, num_control_points, out_features)"
        remedy = "Pass `layer.control_points()`."
        got = f"shape {points.shape}"
        raise ValueError(validate.message("plot_edges", "control_points", constraint, got, remedy))
    validate.num_control_points("plot_edges", points.shape[1])
    return points


def _checked_edge(edge: Edge, in_features: int, out_features: int) -> Edge:
    i, o = edge
    if not (0 <= i < in_features and 0 <= o < out_features):
        constraint = f"pairs (input < {in_features}, output < {out_features})"
        remedy = "Count inputs and outputs from 0."
        raise ValueError(validate.message("plot_edges", "edges", constraint, tuple(edge), remedy))
    return int(i), int(o)


def _samples(data: Any, in_features: int) -> Array | None:
    """Return the finite rows of the data, shape (N, I), or None if there are none."""
    if data is None:
        return None
    array = _numpy(data)
    validate.last_dimension("plot_edges", "data", array.shape, in_features)
    rows = array.reshape(-1, in_features)
    finite: Array = rows[np.isfinite(rows).all(axis=1)]
    return finite if len(finite) else None
