"""The static part of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from kanditioned_spec import Grid, Parameterization, Shapes
from kanditioned_spec.checkpoint import LayerConfig

from . import parameterizations, selection
from .parameterizations import Options, specification


@dataclass(frozen=True)
class Config:
    """The static part of a layer, hashable: layers with equal ones share compiled code.

    Attributes:
        grid: Where the knots are.
        parameterization: Name of the map from parameters to control points.
        options: Its options.
        impl: See `spline_forward`.
        precision: See `spline_forward`.
        shapes: Of the edges, or None.
    """

    grid: Grid
    parameterization: str
    options: Options
    impl: str
    precision: str | None
    shapes: Shapes | None = None

    @property
    def spec(self) -> Parameterization:
        """The map from parameters to control points."""
        return specification(self.parameterization, self.grid.num_control_points, self.options)

    @classmethod
    def from_arguments(
        cls,
        where: str,
        grid: Grid,
        parameterization: str,
        impl: str,
        precision: str | None,
        options: dict[str, Any],
        shapes: Shapes | None = None,
    ) -> Self:
        """Build one from a grid and arguments of `where`, which errors name."""
        spec = parameterizations.make_parameterization(where, parameterization, grid, options)
        return cls(
            grid,
            spec.name,
            tuple(spec.options.items()),
            *selection.check_evaluation(where, impl, precision),
            shapes or None,
        )

    @classmethod
    def of(cls, where: str, layer: LayerConfig, impl: str, precision: str | None) -> Self:
        """Build one from what a file or a problem says of a layer."""
        return cls(
            layer.grid,
            layer.parameterization,
            tuple(dict(layer.options).items()),
            *selection.check_evaluation(where, impl, precision),
            layer.shapes or None,
        )

    def on_grid(self, where: str, grid: Grid, dtype: str) -> Self:
        """Return the same on another grid, where functions are no polynomials of a `degree`.

        Raises:
            ValueError: A layer of that grid can't be evaluated in the dtype.
        """
        grid.check_dtype(where, dtype)
        options = {k: v for k, v in self.options if k not in ("degree", "spline_width")}
        kept = (self.impl, self.precision)
        return self.from_arguments(where, grid, self.parameterization, *kept, options, self.shapes)
