"""What a checkpoint holds: layers with their configuration, other arrays, free strings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import validate
from ..grid import Array, Grid
from ..parameterizations import Parameterization, parameterization
from ..protocol import Problem
from ..shapes import Shapes, Signs, check_signs

StoredArray = npt.NDArray[Any]
"""Little-endian, in C order; bfloat16 as its bits in uint16."""

LAYER_DTYPES = ("float64", "float32", "float16", "bfloat16")
TENSOR_DTYPES = (*LAYER_DTYPES, "int64", "int32")
MAX_CONTROL_POINTS = 2**16
"""Limit in a file: some parameterizations need memory ∝ K², which no small file should claim."""
NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class CheckpointError(ValueError):
    """The file is damaged, of another kind, or newer than this package. Nothing was read."""


@dataclass(frozen=True)
class LayerConfig:
    """Everything about a layer but its numbers.

    Attributes:
        in_features: Number of inputs, I.
        out_features: Number of outputs, O.
        num_control_points: K, 2 … `MAX_CONTROL_POINTS`.
        spline_width: w, in input units.
        parameterization: Name of the map from parameters to control points.
        options: Its options; given as a mapping or as pairs, kept as pairs, defaults filled in.
        dtype: Storage dtype of the parameters, one of `LAYER_DTYPES`.
        monotone: Signs as in `Shapes`, kept as one for each feature, or as () if all are 0.
        convex: The same.

    Raises:
        ValueError: A value is out of range, or a name unknown.
        TypeError: A value is of the wrong type, or an option unknown.
    """

    in_features: int
    out_features: int
    num_control_points: int
    spline_width: float = 4.0
    parameterization: str = "bspline"
    options: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()
    dtype: str = "float32"
    monotone: Signs = ()
    convex: Signs = ()

    def __post_init__(self) -> None:
        where = type(self).__name__
        count = validate.num_control_points(where, self.num_control_points)
        if count > MAX_CONTROL_POINTS:
            constraint = f"<= {MAX_CONTROL_POINTS} in a file"
            remedy = "Resample the layer to fewer control points."
            raise ValueError(
                validate.message(where, "num_control_points", constraint, count, remedy)
            )
        for name, value in {
            "in_features": validate.feature_count(where, "in_features", self.in_features),
            "out_features": validate.feature_count(where, "out_features", self.out_features),
            "num_control_points": count,
            "spline_width": validate.spline_width(where, self.spline_width),
            "dtype": validate.choice(where, "dtype", self.dtype, LAYER_DTYPES),
            "options": tuple(self.map().options.items()),
            "monotone": _compact(where, "monotone", self.in_features, self.monotone),
            "convex": _compact(where, "convex", self.in_features, self.convex),
        }.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, problem: Problem) -> LayerConfig:
        """Take a problem's layer, leaving its batch and device."""
        return cls(
            problem.in_features,
            problem.out_features,
            problem.num_control_points,
            problem.spline_width,
            problem.parameterization,
            problem.options,
            problem.dtype,
            problem.monotone,
            problem.convex,
        )

    def problem(self, batch: int, device: str = "cpu") -> Problem:
        """Return the layer as a problem of the backend protocol."""
        return Problem(batch=batch, device=device, **vars(self))

    def arguments(self) -> dict[str, Any]:
        """Return what a backend's `KANLayer` is made with, but for the dtype."""
        return {
            **dict(self.options),
            "in_features": self.in_features,
            "out_features": self.out_features,
            "num_control_points": self.num_control_points,
            "spline_width": self.spline_width,  # of the layer, also where it is an option
            "parameterization": self.parameterization,
            **self.shapes._asdict(),
        }

    def map(self) -> Parameterization:
        """Return the map from parameters to control points."""
        return parameterization(
            self.parameterization, self.num_control_points, **dict(self.options)
        )

    @property
    def grid(self) -> Grid:
        """Where the knots are."""
        return Grid(self.num_control_points, self.spline_width)

    @property
    def shapes(self) -> Shapes:
        """The shapes of the edges."""
        return Shapes.from_arguments("LayerConfig", self.in_features, self.monotone, self.convex)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (I, P, O) of the parameters."""
        return self.in_features, self.map().num_parameters, self.out_features


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: its configuration and its parameters θ, shape (I, P, O), in `config.dtype`."""

    config: LayerConfig
    parameters: StoredArray

    def __post_init__(self) -> None:
        array = store("Layer", "parameters", self.parameters)
        want = f"{self.config.dtype} of shape {self.config.shape}"
        got = f"{dtype_name(array)} of shape {array.shape}"
        if got != want:
            remedy = "Parameters are (in_features, parameters per edge, out_features)."
            raise ValueError(validate.message("Layer", "parameters", want, got, remedy))
        object.__setattr__(self, "parameters", array)

    @classmethod
    def of(cls, config: LayerConfig, values: npt.ArrayLike) -> Layer:
        """Build a layer from numbers, rounded to `config.dtype` unless that is bfloat16.

        Raises:
            ValueError: bfloat16 does not hold the numbers.
        """
        if config.dtype == "bfloat16":
            return cls(config, bfloat16_bits(values))
        return cls(config, np.asarray(values, dtype=config.dtype))

    @property
    def values(self) -> StoredArray:
        """The parameters as floating-point numbers: bfloat16 as float32, others as they are."""
        bits = self.parameters
        return bfloat16_values(bits) if self.config.dtype == "bfloat16" else bits

    def control_points(self) -> Array:
        """Return T θ, made feasible, shape (I, K, O), in float64."""
        return self.config.shapes.feasible(self.config.map().control_points(self.values))


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a file holds.

    Attributes:
        layers: Layers by name, at least one; their order is kept.
        tensors: Other arrays of the model by name: float64, float32, float16, bfloat16 (as
            `uint16` bits), int64 or int32, of any shape. Read back in the order of their names.
        metadata: Free strings, for what a model needs beyond its layers.
    """

    layers: Mapping[str, Layer]
    tensors: Mapping[str, StoredArray] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where, remedy = "Checkpoint", "Separate words of letters, digits, _ and - by single dots."
        for name in (*self.layers, *self.tensors):
            if not isinstance(name, str) or not NAME.fullmatch(name):
                constraint = "named by dotted words"
                raise ValueError(
                    validate.message(where, "layers and tensors", constraint, repr(name), remedy)
                )
        if not self.layers:
            remedy = "A checkpoint holds one layer or several."
            raise ValueError(validate.message(where, "layers", "non-empty", "none", remedy))
        if not all(isinstance(text, str) for pair in self.metadata.items() for text in pair):
            remedy = "Write other values as strings, for example as JSON."
            constraint = "strings by strings"
            raise TypeError(validate.message(where, "metadata", constraint, "others", remedy))
        tensors = {k: store(where, "tensors", v) for k, v in sorted(self.tensors.items())}
        object.__setattr__(self, "tensors", tensors)

    def only_layer(self) -> Layer:
        """Return the layer of a checkpoint that holds just one and no other array.

        Raises:
            CheckpointError: It holds more.
        """
        if len(self.layers) > 1 or self.tensors:
            held = ", ".join((*self.layers, *self.tensors))
            remedy = "Load it with the model that it was saved from."
            raise CheckpointError(
                validate.message("only_layer", "checkpoint", "a single layer", held, remedy)
            )
        return next(iter(self.layers.values()))


def _compact(where: str, argument: str, in_features: int, signs: Signs) -> tuple[int, ...]:
    if isinstance(signs, tuple | list) and not signs:
        return ()  # a hostile file's number of features must not cost memory
    found = check_signs(where, argument, in_features, signs)
    return found if any(found) else ()


def bfloat16_bits(values: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """Return the bits of numbers that bfloat16 holds exactly: the upper half of float32's.

    Raises:
        ValueError: bfloat16 does not hold them.
    """
    wide = np.asarray(values, dtype=np.float32)
    bits = (wide.view(np.uint32) >> 16).astype(np.uint16)
    if not np.array_equal(bfloat16_values(bits), wide, equal_nan=True):
        remedy = "Round them to bfloat16 first."
        constraint = "numbers that bfloat16 holds"
        raise ValueError(validate.message("bfloat16_bits", "values", constraint, "others", remedy))
    return bits


def bfloat16_values(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Return the float32 numbers with the given bfloat16 bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def store(where: str, argument: str, array: npt.ArrayLike) -> StoredArray:
    """Return an array as it lies in a file: little-endian, C order, bfloat16 as bits."""
    array = np.asarray(array)
    if array.dtype.name == "bfloat16":
        array = array.view(np.uint16)
    if dtype_name(array) not in TENSOR_DTYPES:
        remedy = "Convert it; bfloat16 is given as its bits in uint16."
        constraint = f"of dtype {', '.join(TENSOR_DTYPES)}"
        raise TypeError(validate.message(where, argument, constraint, array.dtype, remedy))
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def dtype_name(array: StoredArray) -> str:
    """Return the name of a stored array's dtype in the schema."""
    return "bfloat16" if array.dtype.name == "uint16" else array.dtype.name
