"""The functions on the edges of a layer, as parameters: θ, and how it becomes control points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import jax

from kanditioned_spec import Grid, Shapes, edges
from kanditioned_spec.grid import Array

from .config import Config
from .grid import compute_dtype
from .parameterizations import control_points
from .penalty import penalty
from .pytrees import Pytree
from .shapes import feasible, infeasibility


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Splines(Pytree):
    """The I · O splines of a layer. `KANLayer` evaluates them and says what the arguments are."""

    theta: jax.Array
    config: Config

    _children, _static = ("theta",), ("config",)

    @classmethod
    def of(cls, theta: jax.Array, config: Config) -> Self:
        """Put a layer together from its two parts, unchecked."""
        return cls._of_fields(theta, config)

    @property
    def in_features(self) -> int:
        """The number of inputs, I."""
        return self.theta.shape[-3]

    @property
    def out_features(self) -> int:
        """The number of outputs, O."""
        return self.theta.shape[-1]

    @property
    def grid(self) -> Grid:
        """Where the knots are."""
        return self.config.grid

    @property
    def num_control_points(self) -> int:
        """The number of control points of each spline, K."""
        return self.grid.num_control_points

    @property
    def spline_width(self) -> float:
        """The width of the domain in input units."""
        return self.grid.spline_width

    @property
    def parameterization(self) -> str:
        """The name of the parameterization."""
        return self.config.parameterization

    def control_points(self) -> jax.Array:
        """Return the control points T θ, made feasible, shape (I, K, O), in the dtype of θ.

        Those of a layer with convex features are float32 at least: rounded to half precision,
        their increments would not stay in order.
        """
        points, shapes = control_points(self.config.spec, self._wide()), self.config.shapes
        if shapes:
            points = feasible(points, shapes)
        return points if shapes and any(shapes.convex) else points.astype(self.theta.dtype)

    def penalty(self, scaling: str = "knots") -> jax.Array:
        """Return the smoothness penalty Σ ‖D c‖² over all edges, a scalar to add to the loss.

        It is computed from θ where that is exact: differences of scan-built float32 control
        points lose digits. Of features with a shape it is that of their feasible points.

        Args:
            scaling: `"knots"`, or `"continuous"` for an approximation of ∫ s''² over the domain,
                whose weight keeps its meaning when the layer is refined.
        """
        return penalty(self.config.spec, self._wide(), self.grid, scaling, self.config.shapes)

    def infeasibility(self) -> jax.Array:
        """Return Σ |c - c'|² / 2 over free and feasible control points, to be added to the loss.

        It is 0 where the free points are feasible, so the best function is the same at any weight.
        Without it training stops early: see `kanditioned_spec.shapes`.
        """
        free = control_points(self.config.spec, self._wide())
        return infeasibility(free, self.config.shapes or Shapes((), ()))

    def to_numpy(
        self,
        in_feature: int | None = None,
        out_feature: int | None = None,
        *,
        input_map: Any = None,
    ) -> tuple[Array, Array]:
        """Return knots and values, with which `numpy.interp` evaluates an edge between its knots.

        Args:
            in_feature: i. By default all.
            out_feature: o. By default all.
            input_map: What stands before the layer, such as `network.input_map`. The knots are
                then in its input units: those of the layer, and the map's breakpoints. Every
                feature has others, so it needs `in_feature`.

        Returns:
            The knots (K,), and the values at them in float64: (I, K, O), without the axes of the
            features that are given. Behind a map of M breakpoints there are up to K + M of them.
        """
        where = f"{type(self).__name__}.to_numpy"
        points = self.control_points()
        return edges.to_numpy(where, points, self.grid, in_feature, out_feature, input_map)

    def to_scipy(
        self,
        in_feature: int | None = None,
        out_feature: int | None = None,
        *,
        input_map: Any = None,
    ) -> Any:
        """Return an edge as a `scipy.interpolate.PPoly` of degree 1.

        It goes on in straight lines beyond the domain, as the layer does, and has SciPy's
        derivatives, integrals and roots.

        Args:
            in_feature: i. By default all.
            out_feature: o. By default all; x of shape (...) then gives (..., I, O).
            input_map: As for `to_numpy`; x is in its input units then.

        Raises:
            ImportError: SciPy is not installed.
        """
        where = f"{type(self).__name__}.to_scipy"
        points = self.control_points()
        return edges.to_scipy(where, points, self.grid, in_feature, out_feature, input_map)

    def _wide(self) -> jax.Array:
        return self.theta.astype(compute_dtype(self.theta.dtype))

    def __repr__(self) -> str:
        options = {key: value for key, value in self.config.options if key != "spline_width"}
        shapes = (self.config.shapes or Shapes((), ()))._asdict()
        signs = [(kind, [(i, s) for i, s in enumerate(each) if s]) for kind, each in shapes.items()]
        shown = {
            "theta": getattr(self.theta, "shape", self.theta),
            **self.grid._asdict(),
            "parameterization": self.parameterization,
            **options,
            **{kind: dict(signed) for kind, signed in signs if signed},
            "impl": self.config.impl,
        }
        listed = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"{type(self).__name__}({listed})"
