"""The functions on the edges of a layer, as parameters: θ, and how it becomes control points."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kanditioned_spec import (
    Grid,
    Parameterization,
    Shapes,
    checkpoint,
    edges,
    initializers,
    validate,
)
from kanditioned_spec import penalty as spec_penalty
from kanditioned_spec.grid import Array
from kanditioned_spec.shapes import Signs

from .arguments import check_device, check_dtype, check_generator
from .arrays import dtype_name, to_array, to_float64
from .distributed import assign, is_distributed, local_part, spread_like, sum_like
from .parameterizations import Identity, build_spec, map_of
from .precision import compute_dtype, without_autocast
from .shapes import feasible, infeasibility


class Splines(nn.Module):
    """The I · O splines of a layer. `KANLayer` evaluates them and says what the arguments are."""

    theta: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        init: str,
        num_control_points: int,
        spline_width: float,
        parameterization: str,
        generator: torch.Generator | None,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        monotone: Signs,
        convex: Signs,
        options: dict[str, Any],
    ) -> None:
        super().__init__()
        where = type(self).__name__
        check_device(where, device)
        check_dtype(where, dtype)
        self.in_features = validate.feature_count(where, "in_features", in_features)
        self.out_features = validate.feature_count(where, "out_features", out_features)
        self.grid = Grid.from_arguments(where, num_control_points, spline_width)
        self.init = validate.choice(where, "init", init, initializers.INITIALIZERS)
        if init == "identity":
            validate.square(where, in_features, out_features)
        self.shapes = Shapes.from_arguments(where, self.in_features, monotone, convex)
        if init == "identity":
            initializers.rising(where, self.shapes.monotone)
        spec = build_spec(where, parameterization, self.grid, options)
        shape = (self.in_features, spec.num_parameters, self.out_features)
        self.theta = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.grid.check_dtype(where, dtype_name(self.theta.dtype))
        self.parameterization_map = map_of(spec, self.theta)
        self.reset_parameters(generator)

    @property
    def shapes(self) -> Shapes:
        """The shapes of the features; at every call it is asked whether there are any."""
        return self._shapes

    @shapes.setter
    def shapes(self, shapes: Shapes) -> None:
        self._shapes, self.is_shaped = shapes, bool(shapes)

    @property
    def num_control_points(self) -> int:
        """The number of control points of each spline, K."""
        return self.grid.num_control_points

    @property
    def spline_width(self) -> float:
        """The width of the domain in input units."""
        return self.grid.spline_width

    @property
    def parameterization_spec(self) -> Parameterization:
        """The numbers of T, as the spec defines them."""
        return self.parameterization_map.spec

    @property
    def parameterization(self) -> str:
        """The name of the parameterization."""
        return self.parameterization_spec.name

    @property
    def options(self) -> dict[str, Any]:
        """The options of the parameterization, without its width, which is the layer's."""
        options = self.parameterization_spec.options
        return {key: value for key, value in options.items() if key != "spline_width"}

    @property
    def layer_config(self) -> checkpoint.LayerConfig:
        """What a file says of the layer beside its numbers."""
        return checkpoint.LayerConfig(
            self.in_features,
            self.out_features,
            *self.grid,
            self.parameterization,
            self.parameterization_spec.options,
            dtype_name(self.theta.dtype),
            *self.shapes,
        )

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new initial functions, in the parameters' device and dtype."""
        shape, device = (self.in_features, self.out_features), self.theta.device
        check_generator(type(self).__name__, generator, device)
        slopes = torch.zeros(shape, dtype=compute_dtype(self.theta.dtype), device=device)
        if self.init == "random_normal":
            slopes.normal_(generator=generator)
            signs = slopes.new_tensor(self.shapes.monotone)[:, None]
            slopes = torch.where(signs == 0, slopes, signs * slopes.abs())
            slopes /= slopes.norm(dim=0, p=initializers.norm_order(self.shapes.monotone))
        elif self.init == "identity":
            slopes.fill_diagonal_(1)
        where, name = type(self).__name__, dtype_name(self.theta.dtype)
        line = self.parameterization_spec.line(where, self.grid, name)
        assign(self.theta, slopes[:, None] * torch.as_tensor(line).to(slopes)[:, None])

    def control_points(self) -> Tensor:
        """Return the control points T θ, made feasible, shape (I, K, O), in the dtype of θ.

        Those of a layer with convex features are float32 at least: rounded to half precision,
        their increments would not stay in order.
        They are computed at every call. A trained layer is deployed by `reparameterize("bspline")`,
        for which T is the identity.
        """
        theta = self.theta
        points = self._local_control_points(local_part(theta))
        if is_distributed(theta):
            shape = self.in_features, self.num_control_points, self.out_features
            return spread_like(points, theta, torch.Size(shape))
        return points

    def _local_control_points(self, theta: Tensor) -> Tensor:
        parameterization = self._modules["parameterization_map"]  # `__getattr__` takes 0.6 µs
        if isinstance(parameterization, Identity):
            if not self.is_shaped:
                return theta
            if theta.dtype in (torch.float32, torch.float64):
                return feasible(theta, self._shapes)
        with without_autocast(theta.device.type):
            points = self._free_control_points(theta)
            if self.is_shaped:
                points = feasible(points, self.shapes)
            return points if any(self.shapes.convex) else points.to(theta.dtype)

    def _free_control_points(self, theta: Tensor) -> Tensor:
        free: Tensor = self.parameterization_map(self._wide(theta))
        return free

    def _wide(self, theta: Tensor) -> Tensor:
        """Return θ in float32 or wider, for which the constants of T are ready then."""
        wide = theta.to(compute_dtype(theta.dtype))
        self.parameterization_map.follow(wide)
        return wide

    def penalty(self, scaling: str = "knots") -> Tensor:
        """Return the smoothness penalty Σ ‖D c‖² over all edges, a scalar to add to the loss.

        It is computed from θ where that is exact: differences of scan-built float32 control
        points lose digits. Of features with a shape it is that of their feasible points.

        Args:
            scaling: `"knots"`, or `"continuous"` for an approximation of ∫ s''² over the domain,
                whose weight keeps its meaning when the layer is refined.
        """
        factor = spec_penalty.scaling_factor(scaling, self.grid)
        with without_autocast(self.theta.device.type):
            total = self._squared_curvature(self._wide(local_part(self.theta)))
        return sum_like(total, self.theta) * factor

    def _squared_curvature(self, theta: Tensor) -> Tensor:
        curvature = self.parameterization_map.curvature
        if not self.shapes:
            return curvature(theta).square().sum()
        free = self._free_control_points(theta)
        of_points = feasible(free, self.shapes).diff(n=2, dim=1).square().sum((1, 2))
        shaped = [any(signs) for signs in zip(*self.shapes, strict=True)]
        if all(shaped) or isinstance(self.parameterization_map, Identity):
            return of_points.sum()  # other features have the same sum by θ, if there are any
        of_theta = curvature(theta).square().sum((1, 2))
        return torch.where(theta.new_tensor(shaped) == 1, of_points, of_theta).sum()

    def infeasibility(self) -> Tensor:
        """Return Σ |c - c'|² / 2 over free and feasible control points, to be added to the loss.

        It is 0 where the free points are feasible, so the best function is the same at any weight.
        Without it training stops early: see `kanditioned_spec.shapes`.
        """
        with without_autocast(self.theta.device.type):
            total = infeasibility(self._free_control_points(local_part(self.theta)), self.shapes)
        return sum_like(total, self.theta)

    def to_numpy(
        self,
        in_feature: int | None = None,
        out_feature: int | None = None,
        *,
        input_map: Any = None,
    ) -> tuple[Array, Array]:
        """Return knots and values of edges, as `kanditioned_spec.edges.to_numpy` says."""
        where, c = f"{type(self).__name__}.to_numpy", to_float64(self.control_points())
        return edges.to_numpy(where, c, self.grid, in_feature, out_feature, input_map)

    def to_scipy(
        self,
        in_feature: int | None = None,
        out_feature: int | None = None,
        *,
        input_map: Any = None,
    ) -> Any:
        """Return a `scipy.interpolate.PPoly`, as `kanditioned_spec.edges.to_scipy` says."""
        where, c = f"{type(self).__name__}.to_scipy", to_float64(self.control_points())
        return edges.to_scipy(where, c, self.grid, in_feature, out_feature, input_map)

    def to_stored(self) -> checkpoint.Layer:
        """Return the layer as a file holds it."""
        return checkpoint.Layer(self.layer_config, to_array(self.theta))

    def extra_repr(self) -> str:
        """Summarise the layer."""
        options = "".join(f", {key}={value!r}" for key, value in self.options.items())
        shapes = "".join(
            f", {kind}={dict(signed)}"
            for kind, signs in self.shapes._asdict().items()
            if (signed := [(i, sign) for i, sign in enumerate(signs) if sign])
        )
        return (
            f"{self.in_features}, {self.out_features}, "
            f"num_control_points={self.num_control_points}, spline_width={self.spline_width}, "
            f"parameterization={self.parameterization!r}{options}, impl={self.impl!r}{shapes}"
        )
