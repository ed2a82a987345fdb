"""A network's file: layers one after the other, and what stands before and beside them.

Beyond the schema of every checkpoint: the layers are `layers.0`, `layers.1`, …, in this order and
each as wide as the one before it; `metadata` has one entry `kan`, a JSON object with exactly the
keys `norm` (one of `network.NORMS`), `residual` (true or false) and `dropout` (a number in [0, 1)),
and `input_map` (true) if there is one;
and the other arrays are, for every layer N and no more,

    residuals.N.weight              (O, I)    with residuals
    norms.N.running_mean            (I,)      with `"batch"`
    norms.N.running_var             (I,)      with `"batch"`
    norms.N.num_batches_tracked     ()        with `"batch"`, int64: how many batches they stem from
    input_map.breakpoints           (I, M)    with an input map, float64
    input_map.images                (I, M)    with an input map, float64

of floating dtypes (the number of batches is an integer), which need not be the dtypes of the
layers. What they mean is in `kanditioned_spec.network`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import network, validate
from ..grid import Array
from ..input_map import InputMap
from .encoding import MAX_BUILD_BYTES, parse
from .files import read, write
from .schema import (
    LAYER_DTYPES,
    Checkpoint,
    CheckpointError,
    Layer,
    StoredArray,
    bfloat16_values,
    dtype_name,
    store,
)

ENTRY = "kan"
"""The entry of the metadata that makes a checkpoint that of a network."""


@dataclass(frozen=True, eq=False)
class BatchStatistics:
    """What batch normalisation remembers of the inputs of a layer.

    Attributes:
        mean: Running mean, shape (I,).
        variance: Running variance, shape (I,).
        count: How many batches they stem from.
    """

    mean: StoredArray
    variance: StoredArray
    count: int


@dataclass(frozen=True, eq=False)
class Network:
    """A network as its file holds it.

    Attributes:
        layers: At least one, each as wide as the one before it.
        norm: What stands before each layer, one of `network.NORMS`.
        dropout: Probability of dropping a hidden feature in training, in [0, 1).
        residuals: The matrix (O, I) of each layer, or none at all.
        statistics: Those of each layer with `norm="batch"`, none otherwise.
        input_map: What the inputs go through first, if anything.

    Raises:
        ValueError: The parts do not fit each other.
        TypeError: An array is not of a floating dtype.
    """

    layers: Sequence[Layer]
    norm: str = "layer"
    dropout: float = 0.0
    residuals: Sequence[StoredArray] = ()
    statistics: Sequence[BatchStatistics] = ()
    input_map: InputMap | None = None

    def __post_init__(self) -> None:
        where, configs = "Network", [layer.config for layer in self.layers]
        if not configs or any(a.out_features != b.in_features for a, b in pairwise(configs)):
            constraint, remedy = "a chain, each as wide as the one before", "Order the layers."
            sizes = [(config.in_features, config.out_features) for config in configs]
            raise ValueError(validate.message(where, "layers", constraint, sizes, remedy))
        if self.input_map is not None and self.input_map.in_features != self.widths[0]:
            constraint, got = f"of {self.widths[0]} features", self.input_map.in_features
            remedy = "Its features are the inputs."
            raise ValueError(validate.message(where, "input_map", constraint, got, remedy))
        validate.norm(where, self.norm, self.widths, network.NORMS)
        dropout = validate.dropout(where, self.dropout)
        shapes = [(config.out_features, config.in_features) for config in configs]
        residuals = _arrays("residuals", self.residuals, shapes if self.residuals else [])
        inputs = [(config.in_features,) for config in configs] if self.norm == "batch" else []
        means = _arrays("statistics", [s.mean for s in self.statistics], inputs)
        variances = _arrays("statistics", [s.variance for s in self.statistics], inputs)
        counts = [s.count for s in self.statistics]
        statistics = tuple(map(BatchStatistics, means, variances, counts))
        for name, value in {
            "layers": tuple(self.layers),
            "dropout": dropout,
            "residuals": residuals,
            "statistics": statistics,
        }.items():
            object.__setattr__(self, name, value)

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers of features before, between and after the layers."""
        outputs = (layer.config.out_features for layer in self.layers)
        return (self.layers[0].config.in_features, *outputs)

    def forward(self, x: npt.ArrayLike) -> Array:
        """Evaluate the network at `x` (..., I) in float64, as in evaluation mode."""
        return network.forward(
            x,
            [(layer.control_points(), layer.config.spline_width) for layer in self.layers],
            self.norm,
            [float_values(array) for array in self.residuals],
            [(float_values(s.mean), float_values(s.variance)) for s in self.statistics],
            self.input_map,
        )

    def checkpoint(self) -> Checkpoint:
        """Return what its file holds."""
        tensors = {f"residuals.{n}.weight": array for n, array in enumerate(self.residuals)}
        for n, statistics in enumerate(self.statistics):
            tensors[f"norms.{n}.running_mean"] = statistics.mean
            tensors[f"norms.{n}.running_var"] = statistics.variance
            tensors[f"norms.{n}.num_batches_tracked"] = np.array(statistics.count, np.int64)
        description: dict[str, Any] = {
            "norm": self.norm,
            "residual": bool(self.residuals),
            "dropout": self.dropout,
        }
        if self.input_map is not None:
            description["input_map"] = True
            tensors["input_map.breakpoints"] = self.input_map.breakpoints
            tensors["input_map.images"] = self.input_map.images
        layers = {f"layers.{n}": layer for n, layer in enumerate(self.layers)}
        return Checkpoint(layers, tensors, {ENTRY: json.dumps(description)})

    @classmethod
    def of(cls, content: Checkpoint) -> Network:
        """Take a checkpoint for a network's.

        Raises:
            ValueError, TypeError, RecursionError: It is none; the message is a clause about it.
        """
        description = _description_of(content)
        names = [f"layers.{n}" for n in range(len(content.layers))]
        if set(names) != set(content.layers):
            raise ValueError(f"its layers are not named {names[0]!r} and so on")
        tensors = dict(content.tensors)

        def take(name: str, present: bool) -> list[StoredArray]:
            wanted = [name.format(n) for n in range(len(names))] if present else []
            missing = [key for key in wanted if key not in tensors]
            if missing:
                raise ValueError(f"it has no tensor {missing[0]!r}")
            return [tensors.pop(key) for key in wanted]

        residuals = take("residuals.{}.weight", description["residual"])
        batch = description["norm"] == "batch"
        means, variances = (take(f"norms.{{}}.running_{x}", batch) for x in ("mean", "var"))
        counts = map(_count, take("norms.{}.num_batches_tracked", batch))
        input_map = _input_map_of(tensors) if "input_map" in description else None
        if tensors:
            raise ValueError(f"tensor {next(iter(tensors))!r} belongs to nothing")
        return cls(
            [content.layers[name] for name in names],
            description["norm"],
            description["dropout"],
            residuals,
            list(map(BatchStatistics, means, variances, counts)),
            input_map,
        )


def write_network(path: str | bytes | os.PathLike[str], network: Network) -> None:
    """Write a network, whole or not at all, as `write`."""
    write(path, network.checkpoint())


def read_network(
    path: str | bytes | os.PathLike[str],
    where: str = "KAN.load",
    *,
    max_build_bytes: int = MAX_BUILD_BYTES,
) -> Network:
    """Read a network, or raise without having built anything, as `read`.

    Args:
        path: The file.
        where: The callable that it is an argument of, for errors.
        max_build_bytes: As for `read`.

    Raises:
        CheckpointError: The file is damaged, newer than this package, or holds no network.
    """
    content = read(path, max_build_bytes=max_build_bytes)
    try:
        return Network.of(content)
    except (ValueError, TypeError, RecursionError) as error:
        got = f"{os.fsdecode(path)!r}: {str(error)[:300]}"
        remedy = "Nothing was loaded; a single layer is loaded with KANLayer.load."
        raise CheckpointError(
            validate.message(where, "path", "the checkpoint of a network", got, remedy)
        ) from error


def float_values(array: StoredArray) -> npt.NDArray[Any]:
    """Return the numbers of an array of a floating dtype: bfloat16 as float32."""
    return bfloat16_values(array) if dtype_name(array) == "bfloat16" else array


def _description_of(content: Checkpoint) -> dict[str, Any]:
    if ENTRY not in content.metadata:
        raise ValueError(f"its metadata has no entry {ENTRY!r}")
    description = parse(content.metadata[ENTRY])
    keys = ("norm", "residual", "dropout")
    if not isinstance(description, dict) or set(description) - {"input_map"} != set(keys):
        raise ValueError(f"its description has not the keys {', '.join(keys)} and no others")
    if type(description["residual"]) is not bool:
        raise TypeError("its description says of `residual` neither true nor false")
    if description.get("input_map", True) is not True:
        raise TypeError("its description says of `input_map` something else than true")
    validate.choice("Network", "norm", description["norm"], network.NORMS)
    return description


def _input_map_of(tensors: dict[str, StoredArray]) -> InputMap:
    names = ("input_map.breakpoints", "input_map.images")
    missing = [name for name in names if name not in tensors]
    if missing:
        raise ValueError(f"it has no tensor {missing[0]!r}")
    breakpoints, images = map(tensors.pop, names)
    if not breakpoints.dtype == images.dtype == np.float64:
        raise TypeError("its input map is not in float64")
    return InputMap(breakpoints, images)


def _count(array: StoredArray) -> int:
    if array.shape != () or array.dtype != np.int64:
        raise TypeError("a number of batches is not a single int64")
    return int(array)


def _arrays(
    argument: str, arrays: Sequence[npt.ArrayLike], shapes: Sequence[tuple[int, ...]]
) -> tuple[StoredArray, ...]:
    """Return floating arrays as they lie in a file, which must have these shapes."""
    given = tuple(store("Network", argument, array) for array in arrays)
    got = [array.shape for array in given]
    if got != list(shapes):
        remedy = "There is one for each layer, or none at all."
        constraint, shown = f"of shapes {list(shapes)}", f"shapes {got}"
        raise ValueError(validate.message("Network", argument, constraint, shown, remedy))
    for array in given:
        if dtype_name(array) not in LAYER_DTYPES:
            validate.floating("Network", argument, False, array.dtype)
    return given
