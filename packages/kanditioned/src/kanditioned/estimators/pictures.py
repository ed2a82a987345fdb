"""Pictures of an additive model: its curves, levels and surfaces, in the units of the table."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plot import CURVE, DATA, MUTED, figure, save
from .arrays import Matrix, Objects, Vector
from .terms import Additive, Column, Numeric, Surface, Term

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 30
MOST_LEVELS = 12
"""Levels of a category that are drawn, those of most rows."""
BAND = 1.96
"""Half width of a band in standard deviations: it covers 95 %."""


@dataclass(frozen=True)
class Histogram:
    """How the values of a column lie.

    Attributes:
        bounds: Of the bins; of a category none.
        counts: In every bin, or of every label.
        ends: Quantiles of 0.5 % and 99.5 %, between which curves are drawn.
    """

    bounds: Vector
    counts: Vector
    ends: tuple[float, float]

    @classmethod
    def of(cls, column: Column, values: Objects, weight: Vector) -> Histogram:
        """Count the values (N,) of a column with their weights."""
        if not isinstance(column, Numeric):
            rows = column.locate(values)
            each = weight * (1 - rows.fraction)
            counts = np.bincount(rows.slot, each, len(column.labels)).astype(np.float64)
            return cls(np.zeros(0), counts, (0.0, float(len(counts) - 1)))
        x = np.asarray(values, np.float64)
        there = np.isfinite(x)
        if not there.any():
            return cls(np.zeros(0), np.zeros(0), (0.0, 1.0))
        low, high = (float(end) for end in np.quantile(x[there], (0.005, 0.995)))
        if not low < high:
            low, high = float(x[there].min()), float(x[there].max())
        if not low < high:
            low, high = low - 0.5, high + 0.5
        counts, bounds = np.histogram(
            x[there].clip(low, high), BINS, (low, high), weights=weight[there]
        )
        return cls(bounds, counts.astype(np.float64), (low, high))

    def plus(self, column: Column, values: Objects, weight: Vector) -> Histogram:
        """Count more values in the same bins."""
        if not isinstance(column, Numeric):
            more = Histogram.of(column, values, weight).counts
        elif len(self.bounds):
            x = np.asarray(values, np.float64)
            there = np.isfinite(x)
            inside = x[there].clip(self.bounds[0], self.bounds[-1])
            more = np.histogram(inside, self.bounds, weights=weight[there])[0]
        else:
            more = np.zeros_like(self.counts)
        return replace(self, counts=self.counts + more)


def draw(
    model: Additive,
    deviations: Sequence[Matrix],
    histograms: Sequence[Histogram],
    importance: Vector,
    *,
    names: Sequence[str],
    output: int,
    max_panels: int,
    unit: str,
    path: str | os.PathLike[str] | None,
) -> Figure:
    """Draw the terms of one output, those that matter most first, a panel each.

    Args:
        model: The model.
        deviations: Standard deviations of each column's effects, (slots, O).
        histograms: Of each column.
        importance: Of each term and surface.
        names: Of the columns.
        output: Which output.
        max_panels: Most panels.
        unit: What the effects are.
        path: Where to write the picture, its format by its suffix.
    """
    order = [int(i) for i in np.argsort(-importance, kind="stable") if importance[i] > 0]
    shown = order[:max_panels] or [0]
    columns = min(len(shown), math.ceil(math.sqrt(1.5 * len(shown))))
    rows = -(-len(shown) // columns)
    limits = _limits(model, deviations, histograms, [i for i in shown if i < len(names)], output)
    with figure((min(2.1 * columns + 0.4, 24), min(1.65 * rows + 0.4, 24))) as fig:
        panels = fig.subplots(rows, columns, squeeze=False).ravel()
        for panel, number in zip(panels, shown, strict=False):
            if number < len(names):
                term, deviation = model.terms[number], deviations[number][:, output]
                draw_term(panel, names[number], term, deviation, histograms[number], output)
                panel.set_ylim(*limits)
            else:
                surface = model.surfaces[number - len(names)]
                draw_surface(
                    fig, panel, surface, [names[i] for i in surface.pair], histograms, output
                )
        for panel in panels[len(shown) :]:
            panel.remove()
        if len(shown) < len(order):
            note = f"the {len(shown)} of {len(order)} terms that matter most"
            fig.suptitle(note, fontsize=8, color=MUTED)
        fig.supylabel(unit, fontsize=8)
        save(fig, path)
    return fig


def draw_term(
    panel: Axes, name: str, term: Term, deviation: Vector, histogram: Histogram, output: int
) -> None:
    """Draw a curve with its band over its data, or the effects of labels."""
    panel.set_title(name)
    panel.axhline(0, color=MUTED, linewidth=0.4, zorder=0.5)
    if isinstance(term.column, Numeric):
        _draw_curve(panel, term, deviation, histogram, output)
    else:
        _draw_levels(panel, term, deviation, histogram, output)


def _draw_curve(
    panel: Axes, term: Term, deviation: Vector, histogram: Histogram, output: int
) -> None:
    assert isinstance(term.column, Numeric)
    low, high = histogram.ends
    if len(histogram.counts):
        heights = 0.3 * histogram.counts / max(histogram.counts.max(), 1e-300)
        behind = panel.get_xaxis_transform()
        panel.stairs(heights, histogram.bounds, fill=True, color=DATA, transform=behind, zorder=0)
    knots = term.column.knots
    inside = knots[(knots > low) & (knots < high)]
    x = np.unique(np.r_[low, inside, high])
    value = term(x)[:, output]
    half = BAND * Term(term.column, deviation[:, None])(x)[:, 0]
    panel.fill_between(x, value - half, value + half, color=CURVE, alpha=0.18, linewidth=0)
    panel.plot(x, value, color=CURVE, solid_joinstyle="round")
    missing, spread = term.effects[-1, output], BAND * deviation[-1]
    if missing or spread:
        at = high + 0.08 * (high - low)
        panel.errorbar(at, missing, spread, fmt="D", color=CURVE, markersize=3, linewidth=0.8)
        panel.annotate("missing", (at, missing), (0, 5), textcoords="offset points",
                       ha="center", fontsize=6, color=MUTED)  # fmt: skip


def _draw_levels(
    panel: Axes, term: Term, deviation: Vector, histogram: Histogram, output: int
) -> None:
    column = term.column
    assert not isinstance(column, Numeric)
    most = np.argsort(-histogram.counts, kind="stable")[:MOST_LEVELS]
    shown = most[np.argsort(term.effects[most, output], kind="stable")]
    labels = ["missing" if column.labels[i] is None else str(column.labels[i]) for i in shown]
    at = np.arange(len(shown))
    heights = 0.3 * histogram.counts[shown] / max(histogram.counts.max(), 1e-300)
    behind = panel.get_xaxis_transform()
    panel.bar(at, heights, 0.8, color=DATA, transform=behind, zorder=0)
    spread = BAND * deviation[shown]
    panel.errorbar(at, term.effects[shown, output], spread, fmt="o", color=CURVE,
                   markersize=3, linewidth=0.8)  # fmt: skip
    tilted = sum(map(len, labels)) > 24
    panel.set_xticks(at, [_short(label) for label in labels], rotation=40 if tilted else 0,
                     ha="right" if tilted else "center", fontsize=6)  # fmt: skip
    if len(shown) < len(column.labels):
        panel.set_title(f"{panel.get_title()} ({len(shown)} of {len(column.labels)} labels)")


def draw_surface(
    fig: Any,
    panel: Axes,
    surface: Surface,
    names: Sequence[str],
    histograms: Sequence[Histogram],
    output: int,
) -> None:
    """Draw the contours of a pair, or a row of cells for each label of a category."""
    axes = [_axis(c, histograms[i]) for c, i in zip(surface.columns, surface.pair, strict=True)]
    (x, x_labels), (y, y_labels) = axes
    first: Objects = np.repeat(np.asarray(x, object), len(y))
    second: Objects = np.tile(np.asarray(y, object), len(x))
    z = surface(first, second)[:, output].reshape(len(x), len(y)).T
    size = max(np.abs(z).max(), 1e-300)
    drawn: Any
    style: Any = {"cmap": "RdBu_r", "vmin": -size, "vmax": size}
    across = np.arange(len(x)) if x_labels else np.asarray(x, np.float64)
    up = np.arange(len(y)) if y_labels else np.asarray(y, np.float64)
    if x_labels or y_labels:
        drawn = panel.pcolormesh(across, up, z, shading="nearest", **style)
    else:
        drawn = panel.contourf(across, up, z, levels=np.linspace(-size, size, 13), **style)
    if x_labels:
        panel.set_xticks(across, x_labels, fontsize=6)
    if y_labels:
        panel.set_yticks(up, y_labels, fontsize=6)
    panel.set_title(" × ".join(names))
    panel.set(xlabel=names[0], ylabel=names[1])
    fig.colorbar(drawn, ax=panel, ticks=[-size, 0, size], format="%.2g").ax.tick_params(labelsize=5)


def _axis(column: Column, histogram: Histogram) -> tuple[list[Any], list[str]]:
    """Return values to evaluate at, and their names if they are labels."""
    if isinstance(column, Numeric):
        return list(np.linspace(*histogram.ends, 41)), []
    labels = list(column.labels)
    return labels, ["missing" if x is None else _short(str(x)) for x in labels]


def _short(label: str) -> str:
    return label if len(label) <= 12 else label[:11] + "…"


def _limits(
    model: Additive,
    deviations: Sequence[Matrix],
    histograms: Sequence[Histogram],
    shown: Sequence[int],
    output: int,
) -> tuple[float, float]:
    """Return one scale for all curves, so that their sizes compare, by what lies in their data."""
    low, high = 0.0, 0.0
    for number in shown:
        term, deviation = model.terms[number], deviations[number][:, output]
        inside = np.ones(len(deviation), bool)
        if isinstance(term.column, Numeric):
            start, end = histograms[number].ends
            knots = term.column.knots
            inside = np.r_[(knots >= start) & (knots <= end), True]
        value, half = term.effects[inside, output], BAND * deviation[inside]
        low = min(low, float((value - half).min()))
        high = max(high, float((value + half).max()))
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin
