"""The files of the vectors: a manifest, tensors by chapter, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from kanditioned_spec import SPEC_VERSION, InputMap, Problem, checkpoint, numerics, reference
from kanditioned_spec.backend import backend
from kanditioned_spec.checkpoint import bfloat16_bits

from ..cases import Case, Floats
from ..strategies import MAPS
from .operations import ALL, of_operations
from .vector import Pairs, Vector

FORMAT = 1


def write(folder: Path) -> None:
    """Write manifest and tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    vectors = [*of_operations(), *of_files(folder), *of_networks(folder)]
    for chapter in dict.fromkeys(vector.chapter for vector in vectors):
        stored = {
            name: (dtype, _store(values, dtype))
            for vector in vectors
            if vector.chapter == chapter
            for name, values, dtype in vector.tensors()
        }
        if stored:
            content = safetensors.serialize({k: _spec(*entry) for k, entry in stored.items()})
            (folder / f"{chapter}.safetensors").write_bytes(content)
    head = {"format": FORMAT, "spec_version": SPEC_VERSION, "constant": numerics.CONSTANT}
    entries = ",\n".join(json.dumps(vector.entry(), ensure_ascii=False) for vector in vectors)
    text = json.dumps(head)[:-1] + f', "vectors": [\n{entries}\n]}}\n'
    (folder / "manifest.json").write_text(text, "utf-8")


def of_files(folder: Path) -> Iterator[Vector]:
    """Write checkpoints, and yield the vectors that read them."""
    for dtype, kind in zip(ALL, (MAPS[0], MAPS[1], MAPS[3], MAPS[5]), strict=True):
        case = Case(Problem(0, 1, 2, 5, 1.0), 7).on(dtype, "cpu").of(*kind)
        theta, path = case.parameter_arrays().theta, f"checkpoint-{dtype}.safetensors"
        backend.save(case.problem, theta, folder / path)
        results: Pairs = {"theta": (theta, np.zeros(theta.shape))}
        arguments = {"path": path}
        name = f"checkpoint-{dtype}"
        yield Vector(name, "checkpoints", "load", case.problem, {}, results, arguments)


def of_networks(folder: Path) -> Iterator[Vector]:
    """Write networks behind an input map, and yield the vectors that evaluate them.

    Inputs lie on breakpoints, between them and far outside. A bound adds up what the rounding of
    each stage can do to those that follow.
    """
    data = np.round(np.exp(np.linspace(-3, 3, 33))[:, None] * np.array([1.0, 24.0]) * 64) / 64
    x = np.concatenate([data[::4], [[-512.0, 4096.0], [0.0, -8.0]]])
    for dtype in ("float64", "float32"):
        input_map = InputMap.quantiles(data, 9)
        layers = [
            checkpoint.Layer.of(checkpoint.LayerConfig.of(p), Case(p, 7).parameter_arrays().theta)
            for p in (Problem(0, 2, 3, 6, dtype=dtype), Problem(0, 3, 2, 5, 6.0, dtype=dtype))
        ]
        network = checkpoint.Network(layers, norm="none", input_map=input_map)
        path = f"network-{dtype}.safetensors"
        checkpoint.write_network(folder / path, network)
        results: Pairs = {"y": (network.forward(x), _network_condition(network, x))}
        problem = Problem(len(x), 2, 2, 6, dtype=dtype)
        arguments = {"path": path}
        name, inputs = f"networks-input_map-{dtype}", {"x": x}
        yield Vector(name, "networks", "forward_network", problem, inputs, results, arguments)


def _network_condition(network: checkpoint.Network, x: Floats) -> Floats:
    """Return what `numerics.tolerance` takes, for a network of layers behind an input map alone."""
    assert network.input_map is not None
    z = network.input_map(x)
    condition = numerics.input_map_condition(x, network.input_map) + np.abs(z)
    for layer in network.layers:
        c, width = layer.control_points(), layer.config.spline_width
        steepest = np.abs(np.diff(c, axis=1)).max(1) / layer.config.grid.spacing
        condition = condition @ steepest + numerics.forward_condition(z, c, width)
        z = reference.forward(z, c, width)
        condition = condition + np.abs(z)
    return condition


def _store(values: Floats, dtype: str) -> np.ndarray[Any, Any]:
    kind = np.dtype("uint16" if dtype == "bfloat16" else dtype).newbyteorder("<")
    bits = bfloat16_bits(values) if dtype == "bfloat16" else values
    return np.asarray(bits, dtype=kind, order="C")


def _spec(dtype: str, array: np.ndarray[Any, Any]) -> safetensors.TensorSpec:
    return safetensors.TensorSpec(
        dtype=dtype, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes
    )
