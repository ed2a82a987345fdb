"""What a backend is: NumPy in, NumPy out.

Layers stay idiomatic in their framework; this narrow waist is how they are tested against the
reference and found by name. Arrays travel in the NumPy dtype that holds their values exactly
(bfloat16 as float32), and a backend converts them to `problem.dtype` on `problem.device`.

`Backend` is what every backend has. Each further method of `CompleteBackend` is a capability, to be
had or left out on its own (`offers`); what is left out is not tested.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from .grid import Grid
from .input_map import InputMap
from .shapes import Shapes

NumpyArray = npt.NDArray[np.floating[Any]]

Extrapolation = Literal["linear", "constant", "zero"]
"""What a layer may do outside the domain; the spec's is `"linear"`."""

GRADIENTS = ("x", "control_points")
"""What `vjp` differentiates by, in the order of its results."""

STORAGE_DTYPES = ("float64", "float32", "float16", "bfloat16")
"""Dtypes that inputs and parameters may be stored in."""

SPEC_VERSION = "2.0"
"""Version of the mathematics and of this protocol; another major version is refused."""


@dataclass(frozen=True)
class Problem:
    """One layer and the shape of its input: everything but the numbers.

    Attributes:
        batch: Number of rows of x.
        in_features: Number of inputs, I.
        out_features: Number of outputs, O.
        num_control_points: Number of control points of each function, K.
        spline_width: w, in input units.
        dtype: Storage dtype of x and of the parameters.
        device: Device kind.
        parameterization: Name of the map from parameters to control points.
        options: Its options, as pairs.
        monotone: Sign for each feature as in `Shapes`, or empty.
        convex: The same.
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
    monotone: tuple[int, ...] = ()
    convex: tuple[int, ...] = ()

    @property
    def grid(self) -> Grid:
        """Where the knots are."""
        return Grid(self.num_control_points, self.spline_width)

    @property
    def shapes(self) -> Shapes:
        """The shapes of the edges."""
        return Shapes.of(self)


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
        operands: For a storage dtype of which the layer rounds the factors of its products to a
            narrower format than `accumulation`, as matrix units do, that format: `"tfloat32"`,
            `"bfloat16"` or `"float16"`. Positions and sums are never narrower.
        gradients: Which of `GRADIENTS` its `vjp` returns; in place of the other it returns None.
        extrapolation: What it does outside the domain: `"linear"`, as the spec says; `"constant"`,
            the value at the nearer end; `"zero"`; None if it takes no such inputs. A choice other
            than the spec's is shown, and its results are judged by what it declares.
        stored_knots: Whether it computes fractions from knots that it keeps as rounded numbers:
            a difference of two neighbours has a relative error of eps · K then.
        spreads_non_finite: Whether 0 · ∞ and 0 · NaN occur, as in a product with the hat basis.
            Then an infinite or NaN control point c[i, k, o] may make y[:, o] and the gradient of
            x[:, i] NaN, and such a grad_y[b, o] the gradient of all control points c[:, :, o].
            Otherwise only what the formulas make of it is not finite.
        one_thread: Whether no two threads may call it at once, as of an interpreter of kernels.
            Otherwise a call gives the same bits while another thread calls.
        fixed_problems: Of a model whose sizes cannot be changed, all problems that it takes; their
            dtype and device do not count, and a batch of 0 stands for any batch. Empty for a layer
            of any size.
    """

    name: str
    framework: str
    spec_version: str
    dtypes: tuple[str, ...]
    devices: tuple[str, ...]
    parameterizations: tuple[str, ...]
    accumulation: dict[str, str]
    operands: dict[str, str] = field(default_factory=dict)
    gradients: tuple[str, ...] = GRADIENTS
    extrapolation: Extrapolation | None = "linear"
    stored_knots: bool = False
    spreads_non_finite: bool = False
    one_thread: bool = False
    fixed_problems: tuple[Problem, ...] = ()


@runtime_checkable
class Backend(Protocol):
    """The laws are those of `reference`, to within `numerics.tolerance`.

    Shapes: x (..., I) with any leading shape of `problem.batch` rows and grad_y (..., O), both
    (B, I) and (B, O) unless said otherwise; control_points and their cotangent (I, K, O).
    """

    @property
    def info(self) -> BackendInfo:
        """Describe the backend."""

    def supports(self, problem: Problem) -> bool | str:
        """Return True, or the reason why the backend does not take this problem."""

    def forward(self, problem: Problem, x: NumpyArray, control_points: NumpyArray) -> NumpyArray:
        """Return y, as `reference.forward`."""


class CompleteBackend(Backend, Protocol):
    """A backend with every capability.

    The laws are those of `reference`, `parameterizations`, `initializers`, `refinement`, `validate`
    and `checkpoint`. Shapes: theta (I, P, O), others as above.
    """

    def vjp(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        """Return the cotangents of x and control points, as `reference.vjp`.

        None stands for one that `BackendInfo.gradients` does not name.
        """

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

    def feature_major(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        """Return y (O, B) and the cotangents of x and control points, for x (I, B), grad_y (O, B).

        They come from the layer's own feature-major variant, of which this is the test.
        """

    def control_points(self, problem: Problem, theta: NumpyArray) -> NumpyArray:
        """Return T θ for `problem.parameterization`."""

    def control_points_transpose(self, problem: Problem, grad: NumpyArray) -> NumpyArray:
        """Return Tᵀ g: the gradient by θ of ⟨g, T θ⟩."""

    def parameters_from(self, problem: Problem, control_points: NumpyArray) -> NumpyArray:
        """Return the θ of smallest norm that minimises ‖T θ - c‖."""

    def vjp_of_layer(
        self, problem: Problem, x: NumpyArray, theta: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        """Return y and the cotangents of x and θ of a native layer whose parameters are θ.

        They come from the layer as it is trained, end to end, and not from the other methods.
        """

    def parameter_matrix(self, problem: Problem) -> NumpyArray:
        """Return T (K, P) of the native parameters, such as increments, if T is none of the spec's.

        For `vjp_of_layer`, it stands in place of the identity of `"bspline"`.
        """

    def penalty(self, problem: Problem, theta: NumpyArray) -> float:
        """Return ‖D T θ‖² summed over the edges."""

    def feasible(
        self, problem: Problem, control_points: NumpyArray, grad: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        """Return feasible points for `problem.shapes` and the gradient by the free ones.

        As `Shapes.feasible`, in the dtype that the layer evaluates them in, and `Shapes.vjp` of the
        gradient `grad` by the feasible points.
        """

    def map_input(
        self, input_map: InputMap, x: NumpyArray, grad_z: NumpyArray, dtype: str
    ) -> tuple[NumpyArray, NumpyArray]:
        """Return z = `input_map(x)` and the gradient by x, grad_z · `input_map.slope(x)`.

        Args:
            input_map: The map to apply.
            x: Of shape (B, I), in float64 or in `dtype`, which the native map has to take as such.
            grad_z: Of the same shape.
            dtype: Of z and of its gradient.
        """

    def initial_control_points(self, problem: Problem, init: str, seed: int) -> NumpyArray:
        """Return the control points (I, K, O) of a new layer; `init` as in `initializers`."""

    def refine(
        self, problem: Problem, control_points: NumpyArray, num_control_points: int
    ) -> NumpyArray:
        """Return control points (I, K', O) of the same functions, as `refinement.refine`."""

    def widen(
        self, problem: Problem, control_points: NumpyArray, intervals: int
    ) -> tuple[NumpyArray, float]:
        """Return control points (I, K + 2 intervals, O) and width, as `refinement.widen`."""

    def layer(self, **arguments: Any) -> object:
        """Build the native layer from the arguments of `KANLayer`, or raise as `validate` does.

        Arguments: `in_features`, `out_features`, `init`, `num_control_points`, `spline_width`,
        `parameterization` and the options of the parameterization, `monotone`, `convex`.
        """

    def save(self, problem: Problem, theta: NumpyArray, path: str | os.PathLike[str]) -> None:
        """Write a layer's checkpoint."""

    def load(self, path: str | os.PathLike[str]) -> tuple[Problem, NumpyArray]:
        """Read a checkpoint: the problem (with batch 0, on the CPU) and θ, bit for bit."""


CAPABILITIES = (
    "vjp",
    "vjp_of_vjp",
    "feature_major",
    "control_points",
    "control_points_transpose",
    "parameters_from",
    "vjp_of_layer",
    "parameter_matrix",
    "penalty",
    "feasible",
    "map_input",
    "initial_control_points",
    "refine",
    "widen",
    "layer",
    "save",
    "load",
)
"""The methods of `CompleteBackend` that a `Backend` may lack."""


def offers(backend: Backend, capability: str) -> bool:
    """Whether a backend has the method that a capability is named after."""
    return callable(getattr(backend, capability, None))
