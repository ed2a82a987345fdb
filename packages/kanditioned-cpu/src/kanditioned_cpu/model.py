"""A network made ready once, for serving: NumPy in, NumPy out, one native call."""

from __future__ import annotations

import os
from ctypes import addressof
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import checkpoint, validate
from kanditioned_spec.grid import Array
from kanditioned_spec.network import EPSILON

from . import native
from .functional import NumpyArray, check_threads

NORMS = {"none": 0, "layer": 1, "batch": 2}


class Model:
    """A layer or a network of a file, evaluated as a whole by the native library.

    Any number of threads may call one model at the same time.

    Args:
        path: A file that any backend wrote.
        num_threads: How many threads may work on a call, 1 ... 1024; by default one, which is best
            where requests are served side by side. A call of few rows takes one anyway.

    Attributes:
        in_features: Number of inputs, I.
        out_features: Number of outputs, O.
        dtype: float64 if a layer's is, else float32: of the arithmetic and of the outputs.

    Raises:
        CheckpointError: The file is damaged, newer than this package, or holds something else.
        TypeError: `num_threads` is not an integer.
        ValueError: It is out of range.

    Numerics:
        As `functional.forward`. Residuals are added to the control points in float64, which are
        rounded after that.

    Example:
        >>> import tempfile
        >>> from kanditioned_torch import KAN
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     KAN([4, 8, 2]).save(f"{folder}/model.safetensors")
        ...     model = Model(f"{folder}/model.safetensors")
        >>> model(np.zeros((5, 4), np.float32)).shape
        (5, 2)
    """

    def __init__(self, path: str | os.PathLike[str], num_threads: int | None = 1) -> None:
        threads = check_threads("Model", num_threads)
        content = checkpoint.read(path)
        if "kan" in content.metadata:
            network = checkpoint.read_network(path, "Model")
        else:
            network = checkpoint.Network([content.only_layer()], norm="none")
        self.in_features, self.out_features = network.widths[0], network.widths[-1]
        wide = any(layer.config.dtype == "float64" for layer in network.layers)
        self.dtype = np.dtype(np.float64 if wide else np.float32)
        self._input_map = network.input_map
        self._arrays = [self._stage_arrays(network, n) for n in range(len(network.layers))]
        stages = [
            native.Stage(
                *points.shape,
                layer.config.spline_width,
                NORMS[network.norm],
                points.ctypes.data,
                mean.ctypes.data,
                scale.ctypes.data,
            )
            for layer, (points, mean, scale) in zip(network.layers, self._arrays, strict=True)
        ]
        self._stages = (native.Stage * len(stages))(*stages)
        self._stages_at = addressof(self._stages)
        self._sizes = len(stages), max(network.widths), threads
        self._one = self._shape(1)
        self._evaluate = native.network(self.dtype.name)

    def __call__(self, x: npt.ArrayLike) -> NumpyArray:
        """Evaluate at `x` of shape (..., I), giving (..., O).

        Raises:
            TypeError: x is not floating.
            ValueError: Its last dimension is not I.
            MemoryError: There is no room for intermediate results of 64 rows for each thread.
        """
        given = x if isinstance(x, np.ndarray) else np.asarray(x)
        if given.dtype is not self.dtype or self._input_map is not None:
            given = self._convert(given)
        shape = given.shape
        if not shape or shape[-1] != self.in_features:
            validate.last_dimension("Model", "x", shape, self.in_features)
        rows = given.size // self.in_features
        y = np.empty((*shape[:-1], self.out_features), self.dtype)
        if rows:
            given = np.ascontiguousarray(given)
            sizes = self._one if rows == 1 else self._shape(rows)
            at = addressof(sizes), self._stages_at, native.address(given), native.address(y)
            native.check(self._evaluate(*at))
        return y

    def _shape(self, rows: int) -> native.NetworkShape:
        count, widest, threads = self._sizes
        return native.NetworkShape(count, rows, widest, threads, EPSILON)

    def _convert(self, x: npt.NDArray[Any]) -> NumpyArray:
        floating = np.issubdtype(x.dtype, np.floating)
        validate.floating("Model", "x", floating, x.dtype)
        mapped: NumpyArray = x if self._input_map is None else self._input_map(x)
        return mapped.astype(self.dtype, copy=False)

    def _stage_arrays(self, network: checkpoint.Network, n: int) -> tuple[NumpyArray, ...]:
        """Return control points, and what normalisation subtracts and multiplies by."""
        layer = network.layers[n]
        points: Array = layer.control_points()
        if network.residuals:
            weight = checkpoint.float_values(network.residuals[n]).astype(np.float64)
            knots = layer.config.grid.knots()
            points = points + knots[None, :, None] * weight.T[:, None]
        mean, scale = np.zeros(1), np.zeros(1)
        if network.statistics:
            found = network.statistics[n]
            mean = checkpoint.float_values(found.mean).astype(np.float64)
            variance = checkpoint.float_values(found.variance).astype(np.float64)
            scale = 1 / np.sqrt(variance + EPSILON)
        arrays = (np.ascontiguousarray(a, self.dtype) for a in (points, mean, scale))
        return tuple(arrays)
