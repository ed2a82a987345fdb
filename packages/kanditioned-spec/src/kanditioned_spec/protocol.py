"""What a backend is: NumPy in, NumPy out.

Layers stay idiomatic in their framework; this narrow waist is how they are tested against the
reference and found by name. Arrays travel in the NumPy dtype that holds their values exactly
(bfloat16 as float32), and a backend converts them to `problem.dtype` on `problem.device`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

NumpyArray = npt.NDArray[np.floating[Any]]

SPEC_VERSION = "2.0"
"""Version of the mathematics and of this protocol; another major version is refused."""


@dataclass(frozen=True)
class BackendInfo:
    """What a backend says of itself.

    Attributes:
        name: The name that selects it.
        framework: The framework and its version, such as `"torch 2.13.0"`.
        spec_version: The `SPEC_VERSION` it implements.
        dtypes: Names of the storage dtypes it takes.
        devices: Names of the device kinds usable now, such as `("cpu", "cuda")`.
        parameterizations: Names of the parameterizations it offers.
        accumulation: The dtype of positions and sums for each storage dtype.
    """

    name: str
    framework: str
    spec_version: str
    dtypes: tuple[str, ...]
    devices: tuple[str, ...]
    parameterizations: tuple[str, ...]
    accumulation: dict[str, str]


@dataclass(frozen=True)
class Problem:
    """One layer and the shape of its input: everything but the numbers.

    Attributes:
        batch: Number of rows of x.
        in_features: I.
        out_features: O.
        num_control_points: K.
        spline_width: w, in input units.
        dtype: Storage dtype of x and of the parameters.
        device: Device kind.
        parameterization: Name of the map from parameters to control points.
        options: Its options, as pairs.
    """

    batch: int
    in_features: int
    out_features: int
    num_control_points: int
    spline_width: float = 4.0
    dtype: str = "float32"
    device: str = "cpu"
    parameterization: str = "bspline"
    options: tuple[tuple[str, Any], ...] = ()


@runtime_checkable
class Backend(Protocol):
    """The laws are those of `reference` and `parameterizations`, to within `numerics.tolerance`.

    Shapes: x (B, I), control_points and their cotangent (I, K, O), grad_y (B, O), theta (I, P, O).
    """

    @property
    def info(self) -> BackendInfo:
        """Describe the backend."""

    def supports(self, problem: Problem) -> bool | str:
        """Return True, or the reason why the backend does not take this problem."""

    def forward(self, problem: Problem, x: NumpyArray, control_points: NumpyArray) -> NumpyArray:
        """Return y, as `reference.forward`."""

    def vjp(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        """Return the cotangents of x and control points, as `reference.vjp`."""

    def vjp_of_vjp(
        self,
        problem: Problem,
        x: NumpyArray,
        control_points: NumpyArray,
        grad_y: NumpyArray,
        cotangent_x: NumpyArray,
        cotangent_control_points: NumpyArray,
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        """Return the mixed second derivatives, as `reference.vjp_of_vjp`."""

    def control_points(self, problem: Problem, theta: NumpyArray) -> NumpyArray:
        """Return T θ for `problem.parameterization`."""

    def control_points_transpose(self, problem: Problem, grad: NumpyArray) -> NumpyArray:
        """Return Tᵀ g: the gradient by θ of ⟨g, T θ⟩."""

    def penalty(self, problem: Problem, theta: NumpyArray) -> float:
        """Return ‖D T θ‖² summed over the edges."""
