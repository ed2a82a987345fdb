"""What is exported: a network as plain numbers, whatever it was made with.

Parameters are rounded to float32, which is what every exported program holds. `Program.forward`
evaluates those in float64: what the program is compared with.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import checkpoint, validate
from kanditioned_spec.grid import Array, Grid
from kanditioned_spec.input_map import InputMap
from kanditioned_spec.int8 import STEPS, QuantizedLayer
from kanditioned_spec.network import EPSILON, layer_norm, normalise
from kanditioned_spec.numerics import forward_condition, input_map_condition
from kanditioned_spec.quantize import quantize
from kanditioned_spec.reference import forward

Single = npt.NDArray[np.float32]
EPS = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, eq=False)
class Stage:
    """A normalisation, a layer of splines, and a matrix beside it.

    Attributes:
        control_points: Shape (I, K, O).
        spline_width: Width of the domain in input units.
        norm: One of `kanditioned_spec.network.NORMS`.
        mean: Running mean (I,), for `"batch"`.
        variance: Running variance (I,), for `"batch"`.
        residual: W (O, I), or None.
        integers: The layer in the int8 profile, residual included, or None. Then `control_points`
            are what its tables stand for.
    """

    control_points: Single
    spline_width: float
    norm: str = "none"
    mean: Single | None = None
    variance: Single | None = None
    residual: Single | None = None
    integers: QuantizedLayer | None = None

    @property
    def in_features(self) -> int:
        """The number of inputs, I."""
        return int(self.control_points.shape[0])

    @property
    def out_features(self) -> int:
        """The number of outputs, O."""
        return int(self.control_points.shape[2])

    @property
    def grid(self) -> Grid:
        """Where the knots are."""
        return Grid(self.control_points.shape[1], self.spline_width)

    def normalise(self, x: npt.ArrayLike) -> Array:
        """Return z, what the layer sees of inputs (..., I)."""
        if self.norm == "layer":
            return layer_norm(x)
        if self.mean is not None and self.variance is not None:
            return normalise(x, self.mean.astype(np.float64), self.variance.astype(np.float64))
        return np.asarray(x, np.float64)

    def forward(self, x: npt.ArrayLike) -> Array:
        """Evaluate at inputs (..., I), in float64."""
        z = self.normalise(x)
        if self.integers is not None:
            return self.integers.forward(z).astype(np.float64)
        y = forward(z, self.control_points, self.spline_width)
        return y if self.residual is None else y + z @ self.residual.astype(np.float64).T

    def rounding(self, x: Array) -> Array:
        """Bound what float32 arithmetic adds to the error of the outputs at one sample (I,).

        Everything that is added up counts with its size, as in `kanditioned_spec.numerics`.
        """
        z, spread = self.normalise(x), self._spread(x)
        if self.integers is not None:
            if self.norm == "none":
                return np.zeros(self.out_features)
            # A position that is rounded otherwise is one 255th of a spacing off.
            return np.asarray(np.abs(self._slopes(z)).sum(0) * self.grid.spacing / STEPS)
        size = forward_condition(z, self.control_points, self.spline_width)
        if self.residual is not None:
            size = size + np.abs(z) @ np.abs(self.residual.T.astype(np.float64))
        bound: Array = 4 * EPS * size
        if self.norm == "none":
            return bound
        centre = np.abs(x).mean() if self.mean is None else np.abs(self.mean)
        moved = 4 * EPS * ((np.abs(x) + centre) / spread + np.abs(z))
        return bound + moved @ np.abs(self._slopes(z))

    def jacobian(self, x: Array) -> Array:
        """Return the derivatives of the outputs by the inputs at one sample, (I, O)."""
        z, spread = self.normalise(x), self._spread(x)
        slopes = self._slopes(z)
        if self.norm == "layer":
            slopes = slopes - slopes.mean(0) - z[:, None] * (z @ slopes) / len(z)
        jacobian: Array = slopes / np.broadcast_to(spread, x.shape)[:, None]
        return jacobian

    def _spread(self, x: Array) -> Array:
        """Return what normalisation divides by."""
        if self.norm == "none":
            return np.ones(())
        variance = x.var() if self.variance is None else self.variance.astype(np.float64)
        return np.asarray(np.sqrt(variance + EPSILON))

    def _slopes(self, z: Array) -> Array:
        """Return slopes (I, O); near a knot the steeper one, since rounding may cross it."""
        points, at = self.control_points.astype(np.float64), np.arange(self.in_features)
        near = 1e-3 * self.grid.spacing
        left, right = (
            points[at, interval + 1] - points[at, interval]
            for interval in (self.grid.locate(z - near)[0], self.grid.locate(z + near)[0])
        )
        steeper = np.where(np.abs(left) > np.abs(right), left, right) / self.grid.spacing
        return steeper if self.residual is None else steeper + self.residual.T


@dataclass(frozen=True, eq=False)
class Program:
    """Stages one after the other.

    Attributes:
        stages: At least one.
        source: What it was made from, for people.
        input_map: What the inputs go through first, if anything.
    """

    stages: tuple[Stage, ...]
    source: str
    input_map: InputMap | None = None

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers of features before, between and after the stages."""
        return (self.stages[0].in_features, *(stage.out_features for stage in self.stages))

    def forward(self, x: npt.ArrayLike) -> Array:
        """Evaluate at inputs (..., I), in float64."""
        y = np.asarray(x, np.float64) if self.input_map is None else self.input_map(x)
        for stage in self.stages:
            y = stage.forward(y)
        return y

    def vectors(self, count: int = 4, seed: int = 0) -> tuple[Single, Single, Single]:
        """Return inputs (N, I), outputs (N, O) and bounds of their errors (N, O), for a test.

        Inputs reach beyond both ends of the domain. The outputs are those of float64.
        """
        rng = np.random.default_rng(seed)
        middle, reach = self._ranges()
        x = (middle + reach * rng.uniform(-1, 1, (count, self.widths[0]))).astype(np.float32)
        rows = x.astype(np.float64)
        bounds = np.array([self.error_bound(row) for row in rows]).astype(np.float32)
        return x, self.forward(x).astype(np.float32), bounds

    def error_bound(self, x: Array) -> Array:
        """Bound the error of a float32 evaluation at one sample (I,), to first order.

        What each stage rounds reaches the outputs through the derivatives of the stages behind it.
        """
        sources, jacobians = [np.zeros_like(x)], []
        if self.input_map is not None:
            sources = [4 * EPS * input_map_condition(x, self.input_map)]
            x = self.input_map(x)
        for stage in self.stages:
            jacobians.append(stage.jacobian(x))
            sources.append(stage.rounding(x))
            x = stage.forward(x)
        total = sources.pop()
        if self.stages[-1].integers is None:
            total = total + EPS * np.abs(x)
        jacobian = np.eye(len(x))
        for derivatives, source in zip(reversed(jacobians), reversed(sources), strict=True):
            jacobian = derivatives @ jacobian
            total = total + source @ np.abs(jacobian)
        return total

    def _ranges(self) -> tuple[Array, Array]:
        """Return the middle of the inputs that a test takes, and how far they reach from it."""
        if self.input_map is not None:
            ends = self.input_map.breakpoints[:, [0, -1]]
            return ends.mean(1), ends[:, 1] - ends[:, 0]
        first = self.stages[0]
        if first.mean is not None and first.variance is not None:
            return first.mean.astype(np.float64), 4 * np.sqrt(first.variance.astype(np.float64))
        return np.zeros(1), np.array([4.0 if first.norm == "layer" else first.spline_width])


def program_of(
    where: str, model: Any, int8: str | None = None, data: npt.ArrayLike | None = None
) -> Program:
    """Describe a model.

    Args:
        where: The callable that it is an argument of, for errors.
        model: A file, or a layer or network of any backend.
        int8: `"edge"` or `"output"` for the int8 profile, see `kanditioned_spec.quantize`.
        data: Inputs (N, I) to calibrate it with.

    Raises:
        CheckpointError: The file is damaged, or newer than this package.
        TypeError: It is neither a file nor a layer nor a network.
        ValueError: A parameter is not finite in float32.
    """
    network, source = network_of(where, model)
    stages = _stages(where, network)
    if int8 is not None:
        mapped = data if data is None or network.input_map is None else network.input_map(data)
        layers = quantize(network, int8, mapped).layers
        stages = [
            replace(
                stage,
                control_points=layer.control_points().astype(np.float32),
                residual=None,
                integers=layer,
            )
            for stage, layer in zip(stages, layers, strict=True)
        ]
    return Program(tuple(stages), source, network.input_map)


def network_of(where: str, model: Any) -> tuple[checkpoint.Network, str]:
    """Return a model as its file holds it, and what it was, for people."""
    if isinstance(model, str | os.PathLike):
        return _of_file(where, Path(model)), Path(model).name
    if not callable(getattr(model, "save", None)):
        constraint, got = "a file, a layer or a network", type(model).__name__
        remedy = "Pass a path, a KANLayer or a KAN."
        raise TypeError(validate.message(where, "model", constraint, got, remedy))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return _of_file(where, path), f"a {type(model).__name__}"


def _of_file(where: str, path: Path) -> checkpoint.Network:
    content = checkpoint.read(path)
    if "kan" in content.metadata:
        return checkpoint.read_network(path, where)
    return checkpoint.Network([content.only_layer()], norm="none")


def _stages(where: str, network: checkpoint.Network) -> list[Stage]:
    stages = []
    for n, layer in enumerate(network.layers):
        statistics = network.statistics[n] if network.statistics else None
        stages.append(
            Stage(
                single(where, layer.control_points()),
                layer.config.spline_width,
                network.norm,
                single(where, checkpoint.float_values(statistics.mean)) if statistics else None,
                single(where, checkpoint.float_values(statistics.variance)) if statistics else None,
                single(where, checkpoint.float_values(network.residuals[n]))
                if network.residuals
                else None,
            )
        )
    return stages


def single(where: str, values: npt.ArrayLike) -> Single:
    """Round parameters to float32.

    Raises:
        ValueError: One of them is not finite then.
    """
    with np.errstate(over="ignore"):
        rounded = np.asarray(values).astype(np.float32)
    if not np.isfinite(rounded).all():
        constraint, got = "of parameters that float32 holds", "NaN, infinity or a larger number"
        remedy = "Look for what went wrong in training."
        raise ValueError(validate.message(where, "model", constraint, got, remedy))
    return rounded
