"""A program as an ONNX graph, whose output `y` has shape (N, O).

Numbers are float32; breakpoints, and differences from them, are float64.
"""

from __future__ import annotations

import numpy as np

from kanditioned_spec.input_map import InputMap
from kanditioned_spec.network import EPSILON

from .onnx_graph import Graph
from .program import Program, Stage


def render(program: Program) -> bytes:
    """Return the content of the file of a layer or a network."""
    graph = Graph()
    y = add_program(graph, program, "x")
    notes = f"{' -> '.join(map(str, program.widths))} from {program.source}"
    return graph.write(program.widths[0], {"y": (y, "FLOAT", ["N", program.widths[-1]])}, notes)


def add_program(graph: Graph, program: Program, x: str) -> str:
    """Add a program that takes the node `x`, (N, I), and return the node it gives, (N, O)."""
    if program.input_map is not None:
        x = _map_inputs(graph, program.input_map, x)
    for stage in program.stages:
        z = _normalise(graph, stage, x)
        x = _splines(graph, stage, z)
        if stage.residual is not None:
            x = graph.op("Add", x, graph.op("MatMul", z, graph.constant(stage.residual.T)))
    return x


def _map_inputs(graph: Graph, input_map: InputMap, x: str) -> str:
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


def _normalise(graph: Graph, stage: Stage, x: str) -> str:
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
    return graph.sum(graph.interpolate(table, index, graph.op("Sub", u, left)), 1)
