"""A program or a fitted estimator as an ONNX graph of standard operations, opset 18.

The batch is dynamic. Numbers are float32; knots and breakpoints, and differences from them, are
float64. The input `x` has shape (N, I), the output `y` (N, O). A classifier's `y` are
probabilities, and its `label` (N,) is the most probable one.
"""

from __future__ import annotations

import json
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec.input_map import InputMap
from kanditioned_spec.network import EPSILON

from .estimator import MOST_HOT, Column, Table
from .program import Program, Stage

OPSET = 18
IR_VERSION = 9
"""The format of files that came with opset 18 to 19: what older runtimes read too."""
LINKS = {"logistic": "Sigmoid", "softmax": "Softmax", "exponential": "Exp"}


def library() -> Any:
    """Import onnx, which this target alone needs.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError('ONNX needs onnx. Install it: pip install "kanditioned[onnx]"') from error
    return onnx


class Graph:
    """Nodes as they are added; what they give goes by name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: npt.ArrayLike, dtype: Any = np.float32) -> str:
        """Add a constant."""
        name = f"c{len(self.constants)}"
        array = np.asarray(value, dtype)
        self.constants.append(library().numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(library().helper.make_node(kind, inputs, [name], **attributes))
        return name

    def cast(self, name: str, dtype: str) -> str:
        """Add a conversion."""
        return self.op("Cast", name, to=getattr(library().TensorProto, dtype))

    def interpolated(self, table: npt.ArrayLike, slot: str, fraction: str) -> str:
        """Add low + t (high - low) of neighbouring rows of a table, t in its last dimension."""
        rows = self.constant(table)
        low = self.op("Gather", rows, slot)
        high = self.op("Gather", rows, self.op("Add", slot, self.constant(1, np.int64)))
        t = self.op("Unsqueeze", fraction, self.constant([-1], np.int64))
        return self.op("Add", low, self.op("Mul", t, self.op("Sub", high, low)))

    def sum(self, name: str, axis: int) -> str:
        """Add a sum over one dimension, which goes."""
        return self.op("ReduceSum", name, self.constant([axis], np.int64), keepdims=0)

    def mean(self, name: str) -> str:
        """Add a mean over the features, which stay as one."""
        return self.op("ReduceMean", name, self.constant([-1], np.int64), keepdims=1)

    def written(
        self, inputs: int, outputs: dict[str, tuple[str, str, list[Any]]], notes: str
    ) -> bytes:
        """Return the bytes of the model.

        Args:
            inputs: I.
            outputs: By their names: a node, its dtype and its shape.
            notes: What a person should know.
        """
        onnx = library()
        for name, (node, _, _) in outputs.items():
            self.nodes.append(onnx.helper.make_node("Identity", [node], [name]))
        make = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            self.nodes,
            "kanditioned",
            [make("x", onnx.TensorProto.FLOAT, ["N", inputs])],
            [
                make(name, getattr(onnx.TensorProto, dtype), shape)
                for name, (_, dtype, shape) in outputs.items()
            ],
            self.constants,
        )
        opset = onnx.helper.make_opsetid("", OPSET)
        model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        model.doc_string, model.producer_name = notes, "kanditioned"
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString()
        return content


def render(program: Program) -> bytes:
    """Return the content of the file of a layer or a network."""
    graph = Graph()
    y = _program(graph, program, "x")
    notes = f"{' -> '.join(map(str, program.widths))} from {program.source}"
    return graph.written(program.widths[0], {"y": (y, "FLOAT", ["N", program.widths[-1]])}, notes)


def _program(graph: Graph, program: Program, x: str) -> str:
    if program.input_map is not None:
        x = _mapped(graph, program.input_map, x)
    for stage in program.stages:
        z = _normalised(graph, stage, x)
        x = _splines(graph, stage, z)
        if stage.residual is not None:
            x = graph.op("Add", x, graph.op("MatMul", z, graph.constant(stage.residual.T)))
    return x


def _mapped(graph: Graph, input_map: InputMap, x: str) -> str:
    points, images, slopes = input_map.breakpoints, input_map.images, input_map.slopes
    ends = np.full((len(points), 1), np.inf)
    ceilings = np.concatenate([images[:, 1:-1], ends], axis=1)
    wide = graph.cast(x, "DOUBLE")
    if points.shape[1] == 2:
        tables = [(points[:, 0], np.float64), *((a[:, 0], np.float32) for a in (images, slopes))]
        p, v, s = (graph.constant(*table) for table in tables)
        ceiling = graph.constant(ceilings[:, 0])
    else:
        each = graph.op("Unsqueeze", wide, graph.constant([-1], np.int64))
        passed = graph.op("GreaterOrEqual", each, graph.constant(points[:, 1:-1], np.float64))
        j = graph.sum(graph.cast(passed, "INT64"), -1)
        starts = np.arange(len(points)) * slopes.shape[1]
        index = graph.op("Add", j, graph.constant(starts, np.int64))
        p = graph.op("Gather", graph.constant(points[:, :-1].ravel(), np.float64), index)
        v, s, ceiling = (
            graph.op("Gather", graph.constant(a.ravel()), index)
            for a in (images[:, :-1], slopes, ceilings)
        )
    offset = graph.cast(graph.op("Sub", wide, p), "FLOAT")
    line = graph.op("Add", v, graph.op("Mul", s, offset))
    return graph.op("Where", graph.op("Greater", line, ceiling), ceiling, line)


def _normalised(graph: Graph, stage: Stage, x: str) -> str:
    if stage.mean is not None and stage.variance is not None:
        centred = graph.op("Sub", x, graph.constant(stage.mean))
        scale = 1 / np.sqrt(stage.variance.astype(np.float64) + EPSILON)
        return graph.op("Mul", centred, graph.constant(scale))
    if stage.norm != "layer":
        return x
    centred = graph.op("Sub", x, graph.mean(x))
    variance = graph.mean(graph.op("Mul", centred, centred))
    spread = graph.op("Sqrt", graph.op("Add", variance, graph.constant(EPSILON)))
    return graph.op("Div", centred, spread)


def _splines(graph: Graph, stage: Stage, z: str) -> str:
    inputs, count, outputs = stage.control_points.shape
    shifted = graph.op("Add", z, graph.constant(stage.spline_width / 2))
    u = graph.op("Mul", shifted, graph.constant(stage.grid.knots_per_unit))
    # The floor of NaN is no integer: it is given interval 0, and stays in the fraction.
    known = graph.op("Where", graph.op("IsNaN", u), graph.constant(0.0), u)
    ends = graph.constant(0.0), graph.constant(float(count - 2))
    left = graph.op("Clip", graph.op("Floor", known), *ends)
    starts = graph.constant(np.arange(inputs) * count, np.int64)
    index = graph.op("Add", graph.cast(left, "INT64"), starts)
    table = stage.control_points.reshape(inputs * count, outputs)
    return graph.sum(graph.interpolated(table, index, graph.op("Sub", u, left)), 1)


def render_table(table: Table) -> bytes:
    """Return the content of the file of a fitted estimator."""
    graph = Graph()
    number = [_picked(graph, n) for n in range(len(table.columns))]
    rows = [_located(graph, c, x) for c, x in zip(table.columns, number, strict=True)]
    eta, encoded = graph.constant(table.intercept), []
    for column, x, (slot, t), effects in zip(
        table.columns, number, rows, table.effects, strict=True
    ):
        part = graph.interpolated(effects, slot, t)
        eta = graph.op("Add", eta, part)
        if table.network is not None:
            encoded += _encoded(graph, column, x, (slot, t), part, effects)
    for surface in table.surfaces:
        pair = [
            _located(graph, column, number[n])
            for n, column in zip(surface.pair, surface.columns, strict=True)
        ]
        eta = graph.op("Add", eta, _surface(graph, surface.effects, *pair))
    if table.network is not None:
        z = graph.op("Concat", *encoded, axis=1)
        added = _program(graph, table.network, z)
        eta = graph.op("Add", eta, graph.op("Mul", added, graph.constant(table.scale)))
    return _linked(graph, table, eta)


def _linked(graph: Graph, table: Table, eta: str) -> bytes:
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
    return graph.written(len(table.columns), outputs, json.dumps({"columns": columns}))


def _picked(graph: Graph, n: int) -> str:
    return graph.op("Gather", "x", graph.constant(n, np.int64), axis=1)


def _located(graph: Graph, column: Column, x: str) -> tuple[str, str]:
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


def _encoded(
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
    upper, lower = (graph.interpolated(table, place, t) for place in (index, below))
    way = graph.op("Unsqueeze", s, graph.constant([-1], np.int64))
    return graph.op("Add", upper, graph.op("Mul", way, graph.op("Sub", lower, upper)))
