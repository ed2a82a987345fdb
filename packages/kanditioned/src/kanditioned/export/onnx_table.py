"""A fitted estimator as an ONNX graph.

Numbers are float32; knots, and differences from them, are float64. The output `y` has shape (N, O).
A classifier's `y` are probabilities, and its `label` (N,) is the most probable one.
"""

from __future__ import annotations

import json
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from .estimator import MOST_HOT, Column, Table
from .onnx import add_program
from .onnx_graph import Graph

LINKS = {"logistic": "Sigmoid", "softmax": "Softmax", "exponential": "Exp"}


def render(table: Table) -> bytes:
    """Return the content of the file of a fitted estimator."""
    graph = Graph()
    number = [_pick(graph, n) for n in range(len(table.columns))]
    rows = [_locate(graph, c, x) for c, x in zip(table.columns, number, strict=True)]
    eta, encoded = graph.constant(table.intercept), []
    for column, x, (slot, t), effects in zip(
        table.columns, number, rows, table.effects, strict=True
    ):
        part = graph.interpolate(effects, slot, t)
        eta = graph.op("Add", eta, part)
        if table.network is not None:
            encoded += _encode(graph, column, x, (slot, t), part, effects)
    for surface in table.surfaces:
        pair = [
            _locate(graph, column, number[n])
            for n, column in zip(surface.pair, surface.columns, strict=True)
        ]
        eta = graph.op("Add", eta, _surface(graph, surface.effects, *pair))
    if table.network is not None:
        z = graph.op("Concat", *encoded, axis=1)
        added = add_program(graph, table.network, z)
        eta = graph.op("Add", eta, graph.op("Mul", added, graph.constant(table.scale)))
    return _link(graph, table, eta)


def _link(graph: Graph, table: Table, eta: str) -> bytes:
    y = graph.op(LINKS[table.link], eta) if table.link in LINKS else eta
    if table.link == "logistic":
        y = graph.op("Concat", graph.op("Sigmoid", graph.op("Neg", eta)), y, axis=1)
    outputs: dict[str, tuple[str, str, list[Any]]] = {"y": (y, "FLOAT", ["N", table.outputs])}
    if table.classes:
        is_whole = all(isinstance(label, Integral) for label in table.classes)
        values = [int(c) if is_whole else str(c) for c in table.classes]  # type: ignore[call-overload]
        labels = graph.constant(values, np.int64 if is_whole else np.object_)
        best = graph.op("ArgMax", y, axis=1, keepdims=0)
        dtype = "INT64" if is_whole else "STRING"
        outputs["label"] = graph.op("Gather", labels, best), dtype, ["N"]
    columns = [{"name": c.name, "labels": [str(x) for x in c.labels]} for c in table.columns]
    return graph.write(len(table.columns), outputs, json.dumps({"columns": columns}))


def _pick(graph: Graph, n: int) -> str:
    return graph.op("Gather", "x", graph.constant(n, np.int64), axis=1)


def _locate(graph: Graph, column: Column, x: str) -> tuple[str, str]:
    """Return slots and fractions (N,) of a column's numbers."""
    is_nan = graph.op("IsNaN", x)
    if column.knots is None:
        known = graph.op("Where", is_nan, graph.constant(column.missing), x)
        count = graph.constant(len(column.labels))
        is_label = graph.op("Equal", known, graph.op("Floor", known))
        for test in (
            graph.op("GreaterOrEqual", known, graph.constant(0)),
            graph.op("Less", known, count),
        ):
            is_label = graph.op("And", is_label, test)
        last = graph.constant(len(column.labels) - 1)
        slot = graph.cast(graph.op("Where", is_label, known, last), "INT64")
        return slot, graph.op("Where", is_label, graph.constant(0), graph.constant(1))
    intervals = len(column.knots) - 1
    zero = graph.op("Mul", graph.cast(is_nan, "INT64"), graph.constant(0, np.int64))
    if intervals == 0:
        return zero, graph.cast(is_nan, "FLOAT")
    first = graph.constant(column.knots[0], np.float64)
    wide = graph.op("Where", is_nan, first, graph.cast(x, "DOUBLE"))
    slot = zero
    if intervals > 1:
        each = graph.op("Unsqueeze", wide, graph.constant([-1], np.int64))
        inner = graph.constant(column.knots[1:-1], np.float64)
        slot = graph.sum(graph.cast(graph.op("GreaterOrEqual", each, inner), "INT64"), -1)
    below = graph.op("Gather", graph.constant(column.knots, np.float64), slot)
    step = graph.op("Gather", graph.constant(np.diff(column.knots), np.float64), slot)
    t = graph.cast(graph.op("Div", graph.op("Sub", wide, below), step), "FLOAT")
    slot = graph.op("Where", is_nan, graph.constant(intervals, np.int64), slot)
    return slot, graph.op("Where", is_nan, graph.constant(1.0), t)


def _encode(
    graph: Graph,
    column: Column,
    x: str,
    rows: tuple[str, str],
    part: str,
    effects: npt.NDArray[Any],
) -> list[str]:
    """Return what a column gives a network, (N, ...) each."""
    slot, t = rows
    last_axis = graph.constant([-1], np.int64)
    if column.knots is None and len(column.labels) > MOST_HOT:
        size = max(float(np.abs(effects).max()), float(np.finfo(np.float32).tiny))
        return [graph.op("Div", part, graph.constant(size))]
    if column.knots is None:
        each = graph.op("Unsqueeze", slot, last_axis)
        labels = graph.constant(np.arange(len(column.labels)), np.int64)
        hot = graph.cast(graph.op("Equal", each, labels), "FLOAT")
        seen = graph.op("Sub", graph.constant(1.0), graph.op("Unsqueeze", t, last_axis))
        return [graph.op("Mul", hot, seen)]
    count = graph.constant(max(len(column.knots) - 1, 1))
    position = graph.op("Div", graph.op("Add", graph.cast(slot, "FLOAT"), t), count)
    is_nan = graph.op("IsNaN", x)
    middle = graph.op("Where", is_nan, graph.constant(0.5), position)
    bounded = graph.op("Clip", middle, graph.constant(-0.5), graph.constant(1.5))
    centred = graph.op("Sub", bounded, graph.constant(0.5))
    scaled = graph.op("Mul", centred, graph.constant(6.0))
    missing = graph.cast(is_nan, "FLOAT")
    return [graph.op("Unsqueeze", each, last_axis) for each in (scaled, missing)]


def _surface(
    graph: Graph, effects: npt.NDArray[Any], first: tuple[str, str], second: tuple[str, str]
) -> str:
    rows, columns, outputs = effects.shape
    ends = graph.constant(0.0), graph.constant(1.0)
    (i, s), (j, t) = ((slot, graph.op("Clip", way, *ends)) for slot, way in (first, second))
    index = graph.op("Add", graph.op("Mul", i, graph.constant(columns, np.int64)), j)
    below = graph.op("Add", index, graph.constant(columns, np.int64))
    table = effects.reshape(rows * columns, outputs)
    upper, lower = (graph.interpolate(table, place, t) for place in (index, below))
    way = graph.op("Unsqueeze", s, graph.constant([-1], np.int64))
    return graph.op("Add", upper, graph.op("Mul", way, graph.op("Sub", lower, upper)))
