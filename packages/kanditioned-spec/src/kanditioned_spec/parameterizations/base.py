"""The contract of a parameterization: a linear map from trainable parameters to control points."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import validate
from ..grid import Array, Grid
from ..penalty import second_differences

WRITTEN_OUT = 512
"""Up to this K, T is written out to find its norm."""


class Parameterization(ABC):
    """Control points c = T θ, with one T of shape (K, P) shared by all edges.

    Arrays keep the knot axis second to last: θ is (..., P, O), c is (..., K, O). A vector is one
    edge.

    Laws, for every subclass and every θ, c, g:

    - `control_points(θ)` equals `matrix() @ θ`;
    - `transpose(g)` equals `matrix().T @ g`;
    - `parameters_from(c)` is the least-squares θ of smallest norm, so that
      `control_points(parameters_from(c))` equals c wherever T has full rank K;
    - `(curvature(θ) ** 2).sum()` equals the penalty ‖D c‖², D being the second difference;
    - ‖T‖_F = √K, except for `parallel_scan`: a step of unit RMS in θ moves c by about unit RMS.

    A subclass maps without the constant that the last law asks for; this class applies it.
    """

    name: ClassVar[str]
    affine: ClassVar[slice | None] = None
    """Coordinates that span the affine functions and have no penalty, if T separates them."""
    curvature_coordinates: ClassVar[slice | None] = None
    """The other coordinates, if T separates them."""

    def __init__(self, num_control_points: int) -> None:
        self.num_control_points = num_control_points

    def __repr__(self) -> str:
        options = "".join(f", {key}={value!r}" for key, value in self.options.items())
        return f'parameterization("{self.name}", {self.num_control_points}{options})'

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments that rebuild this object."""
        return {}

    @property
    def num_parameters(self) -> int:
        """P, the number of parameters per edge."""
        return self.num_control_points

    @property
    def build_bytes(self) -> int:
        """About the memory in bytes that building the map takes at most, beyond O(K).

        Time is O(K) times that. It is known before anything is built, so that a file can be
        refused.
        """
        return 0

    @cached_property
    def scale(self) -> float:
        """The constant factor of T that makes ‖T‖_F = √K."""
        if self.num_control_points <= WRITTEN_OUT:
            norm = float(np.linalg.norm(self._synthesis(np.eye(self.num_parameters))))
        else:
            norm = math.sqrt(self._squared_norm())
        return float(np.sqrt(self.num_control_points) / norm)

    @abstractmethod
    def _squared_norm(self) -> float:
        """Return ‖T‖² up to `scale`, without T where that is not built anyway."""

    def matrix(self) -> Array:
        """Return T, shape (K, P)."""
        return self.control_points(np.eye(self.num_parameters))

    def control_points(self, theta: npt.ArrayLike) -> Array:
        """Return T θ, shape (..., K, O)."""
        return self.scale * _along_knots(self._synthesis, theta, self.num_parameters)

    def transpose(self, grad: npt.ArrayLike) -> Array:
        """Return Tᵀ g, shape (..., P, O): the gradient by θ from the gradient by c."""
        return self.scale * _along_knots(self._adjoint, grad, self.num_control_points)

    def parameters_from(self, control_points: npt.ArrayLike) -> Array:
        """Return the θ of smallest norm that minimises ‖T θ - c‖, shape (..., P, O)."""
        return _along_knots(self._analysis, control_points, self.num_control_points) / self.scale

    def line(self, where: str, grid: Grid, dtype: str) -> Array:
        """Return the parameters of an edge (P,) with s(x) = x, for a layer that stores `dtype`.

        Raises:
            ValueError: The dtype does not hold them; the message is about the width of `where`.
        """
        parameters = self.parameters_from(grid.knots())
        kinds: dict[str, type] = {"float16": np.float16, "float64": np.float64}
        if np.abs(parameters).max() > np.finfo(kinds.get(dtype, np.float32)).max:
            constraint, got = f"such that {dtype} holds the parameters of a line", grid.spline_width
            remedy = "Scale the inputs, or use float32."
            raise ValueError(validate.message(where, "spline_width", constraint, got, remedy))
        return parameters

    def curvature(self, theta: npt.ArrayLike) -> Array:
        """Return coordinates of D T θ in some orthonormal basis, shape (..., ≥ K - 2, O)."""
        return self.scale * _along_knots(self._curvature, theta, self.num_parameters)

    def penalty(self, theta: npt.ArrayLike) -> float:
        """Return ‖D T θ‖² summed over all edges, computed from θ where that is exact."""
        return float((self.curvature(theta) ** 2).sum())

    def _curvature(self, theta: Array) -> Array:
        return second_differences(self._synthesis(theta))

    @abstractmethod
    def _synthesis(self, theta: Array) -> Array:
        """Map θ (..., P, O) to control points, up to `scale`."""

    @abstractmethod
    def _adjoint(self, grad: Array) -> Array:
        """Apply the transpose of `_synthesis` to (..., K, O)."""

    @abstractmethod
    def _analysis(self, control_points: Array) -> Array:
        """Apply the (pseudo-)inverse of `_synthesis` to (..., K, O)."""


def _along_knots(linear_map: Any, values: npt.ArrayLike, length: int) -> Array:
    """Apply a map of the second to last axis, reading a vector as one edge."""
    array = np.asarray(values, dtype=np.float64)
    vector = array.ndim == 1
    if vector:
        array = array[:, None]
    if array.ndim == 0 or array.shape[-2] != length:
        raise ValueError(
            f"the knot axis (the second to last) must have length {length}, got shape "
            f"{array.shape}. Parameters are (..., P, O), control points (..., K, O)."
        )
    result: Array = linear_map(array)
    return result[..., 0] if vector else result
