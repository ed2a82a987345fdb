"""The layer as a module."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from kanditioned_spec import (
    PARAMETERIZATIONS,
    Parameterization,
    initializers,
    parameterization,
    validate,
)
from kanditioned_spec import penalty as spec_penalty
from kanditioned_spec.domain import KEEP, checked_coverage
from kanditioned_spec.grid import Grid, knots
from kanditioned_spec.parameterizations import option_names

from . import refinement, selection
from .checkpoint import load_layer, save_layer
from .distributed import assign, is_distributed, local_part, spread_like, summed_like
from .domain import Magnitudes
from .edges import Edges
from .functional import evaluate
from .observation import Data, batches
from .parameterizations import Identity, map_of
from .precision import PRECISIONS, compute_dtype, without_autocast
from .pruning import checked_tolerance, flattened


class _Deployed(NamedTuple):
    """Control points that eval mode keeps, and what they were computed from."""

    theta: Tensor
    changes: tuple[int, int]
    control_points: Tensor


class KANLayer(Edges, nn.Module):
    """A Kolmogorov-Arnold layer: y[..., o] = Σ_i s_io(x[..., i]), each s_io a linear spline.

    It takes the place of `nn.Linear`. Inputs are best kept within the domain, for example by a
    normalisation layer in front; beyond it the splines go on in a straight line.

    Args:
        in_features: I.
        out_features: O.
        init: Initial functions, all linear: `"random_normal"` (unit-norm slopes, keeps unit scale
            through a stack), `"identity"` (needs I = O) or `"zero"`.
        num_control_points: K >= 2, evenly spaced over the domain.
        spline_width: Width w of the domain [-w/2, w/2] in input units.
        parameterization: How trainable parameters θ become control points, c = T θ: one of
            `kanditioned_spec.PARAMETERIZATIONS`.
        impl: How the splines are evaluated, see `spline_forward`.
        precision: See `spline_forward`.
        generator: Source of `init="random_normal"`. By default PyTorch's own generator of the
            device, as for every PyTorch layer.
        device: Where the parameters are made.
        dtype: Their dtype.
        **options: Options of the parameterization: `transform=` for `dct`, `degree=` for
            `legendre`, `smoothing=` and `density=` for `demmler_reinsch`.

    Attributes:
        theta: The parameters, shape (I, P, O); P = K for most parameterizations.

    Raises:
        ValueError: A value is out of range or a name unknown.
        TypeError: A value has the wrong type, or an option is unknown.
        ImportError: `impl` is provided by a package that is not installed.

    Shape:
        Input (..., I), output (..., O), any leading shape, an empty one included.

    Numerics:
        As `spline_forward`. T is applied in float32 or wider, outside autocast, and the control
        points are rounded to the parameters' dtype.

    Example:
        >>> import torch
        >>> layer = KANLayer(3, 2, init="zero", num_control_points=8)
        >>> layer(torch.randn(5, 3)).shape
        torch.Size([5, 2])
    """

    theta: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        init: str = "random_normal",
        num_control_points: int = 32,
        spline_width: float = 4.0,
        parameterization: str = "bspline",
        impl: str = "auto",
        *,
        precision: str | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        where = type(self).__name__
        self.in_features = validate.feature_count(where, "in_features", in_features)
        self.out_features = validate.feature_count(where, "out_features", out_features)
        self.num_control_points = validate.num_control_points(where, num_control_points)
        self.spline_width = validate.spline_width(where, spline_width)
        self.init = validate.choice(where, "init", init, initializers.INITIALIZERS)
        if init == "identity":
            validate.square(where, in_features, out_features)
        selection.check(where, impl)
        self.impl = impl
        if precision is not None:
            validate.choice(where, "precision", precision, PRECISIONS)
        self.precision = precision
        spec = _specification(
            where, parameterization, self.num_control_points, self.spline_width, options
        )
        shape = (self.in_features, spec.num_parameters, self.out_features)
        self.theta = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.map = map_of(spec, self.theta)
        self._deployed: _Deployed | None = None
        self.reset_parameters(generator)

    @property
    def parameterization(self) -> str:
        """The name of the parameterization."""
        return self.map.spec.name

    @property
    def options(self) -> dict[str, Any]:
        """The options of the parameterization, but for its width, which is the layer's."""
        options = self.map.spec.options
        return {key: value for key, value in options.items() if key != "spline_width"}

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new initial functions, in the parameters' device and dtype."""
        shape, device = (self.in_features, self.out_features), self.theta.device
        slopes = torch.zeros(shape, dtype=compute_dtype(self.theta.dtype), device=device)
        if self.init == "random_normal":
            slopes.normal_(generator=generator)
            slopes /= slopes.norm(dim=0)
        elif self.init == "identity":
            slopes.fill_diagonal_(1)
        line = self.map.spec.parameters_from(knots(self.num_control_points, self.spline_width))
        assign(self.theta, slopes[:, None] * torch.as_tensor(line).to(slopes)[:, None])

    def control_points(self) -> Tensor:
        """Return the control points T θ, shape (I, K, O), in the dtype of θ.

        In eval mode without gradients they are computed once and kept until θ changes. A write
        through `theta.data`, which PyTorch does not count as a change, needs a call of `train()`
        or `eval()` to be seen.
        """
        if is_distributed(self.theta):
            shape = self.in_features, self.num_control_points, self.out_features
            return spread_like(self._control_points(), self.theta, torch.Size(shape))
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self._control_points()
        if isinstance(self.map, Identity):
            return self._control_points()  # nothing to keep
        if type(self.theta) is not nn.Parameter or self.theta.is_inference():
            return self._control_points()  # swapped in for this call, or without a change count
        kept, changes = self._deployed, (self.theta._version, self.theta.data_ptr())
        if kept is None or kept.theta is not self.theta or kept.changes != changes:
            kept = self._deployed = _Deployed(self.theta, changes, self._control_points())
        return kept.control_points

    def _control_points(self) -> Tensor:
        theta = local_part(self.theta)
        if isinstance(self.map, Identity):
            return theta
        with without_autocast(theta.device.type):
            control_points: Tensor = self.map(theta.to(compute_dtype(theta.dtype)))
            return control_points.to(theta.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the layer at `x` of shape (..., I), giving (..., O)."""
        points = local_part(self.control_points())
        return evaluate(x, points, self.spline_width, self.impl, self.precision)

    def penalty(self, scaling: str = "knots") -> Tensor:
        """Return the smoothness penalty Σ ‖D c‖² over all edges, a scalar to add to the loss.

        It is computed from θ where that is exact: differences of scan-built float32 control
        points lose digits.

        Args:
            scaling: `"knots"`, or `"continuous"` for an approximation of ∫ s''² over the domain,
                whose weight keeps its meaning when the layer is refined.
        """
        factor = spec_penalty.scaling_factor(
            scaling, Grid(self.num_control_points, self.spline_width)
        )
        with without_autocast(self.theta.device.type):
            theta = local_part(self.theta)
            penalty = self.map.curvature(theta.to(compute_dtype(theta.dtype))).square().sum()
        return summed_like(penalty, self.theta) * factor

    @classmethod
    @torch.no_grad()
    def from_control_points(
        cls,
        control_points: Tensor,
        spline_width: float = 4.0,
        parameterization: str = "bspline",
        impl: str = "auto",
        *,
        precision: str | None = None,
        **options: Any,
    ) -> Self:
        """Build a layer from control points (I, K, O), on their device and in their dtype.

        Exact up to rounding where T is square, least squares otherwise.
        """
        in_features, count, out_features = control_points.shape
        layer = cls(
            in_features,
            out_features,
            "zero",
            count,
            spline_width,
            parameterization,
            impl,
            precision=precision,
            device=control_points.device,
            dtype=control_points.dtype,
            **options,
        )
        theta = layer.map.spec.parameters_from(control_points.detach().double().cpu().numpy())
        layer.theta.copy_(torch.as_tensor(theta))
        return layer

    def reparameterize(self, parameterization: str, **options: Any) -> Self:
        """Return a layer with the same functions under another parameterization.

        Exact up to rounding where the new T is square, least squares otherwise. In particular
        `layer.reparameterize("bspline")` holds plain control points, for deployment.
        """
        points = self.control_points().detach()
        return refinement.rebuilt(self, points, self.spline_width, parameterization, options)

    def refine(self, num_control_points: int) -> Self:
        """Return a layer with the same functions on another number of control points.

        Exact for m(K - 1) + 1 control points (knot insertion). Parameters are new ones, so an
        optimizer has to be built anew, without what it remembers of the old ones. A `degree=` of
        `legendre` is dropped: on a finer grid the functions are no polynomials.

        Warns:
            ResampleWarning: Another number, so the functions change between the new knots.
        """
        return refinement.refined(self, num_control_points)

    def widen(self, intervals: int) -> Self:
        """Return a layer with the same functions whose domain is longer at both ends.

        The parameters are new ones, see `refine`.

        Args:
            intervals: How many knot spacings to add at each end, >= 0.
        """
        return refinement.widened(self, intervals)

    def fit_domain(self, data: Data, *, coverage: float = 0.99, keep: str = "spacing") -> Self:
        """Return a layer with the same functions whose domain holds the data.

        One pass, in memory that does not grow with the data; outliers cannot stretch the domain
        beyond what `coverage` asks for, constant features do not shrink it to nothing. The
        parameters are new ones, see `refine`.

        Args:
            data: Inputs (..., I) of this layer, or an iterable of batches of them: tensors, or
                tuples whose first entry they are, as from a `DataLoader`. NaN are left out.
            coverage: Share of the inputs of every feature that has to lie in the domain, in
                (0, 1]. Magnitudes are counted in steps of 1/16, and the domain is up to as much
                wider.
            keep: `"spacing"` widens by whole intervals where the domain is too narrow, and changes
                no function; the number of control points grows, by very many if the data lie far
                outside. `"num_control_points"` moves the knots apart or together instead. That is
                exact too as long as the functions are lines, as they are before training.

        Warns:
            ResampleWarning: `keep="num_control_points"`, and the functions have changed.

        Raises:
            ValueError: A feature has no finite inputs, or an argument is out of range.
            TypeError: The data are not floating numbers.
        """
        where = f"{type(self).__name__}.fit_domain"
        share = checked_coverage(where, coverage)
        validate.choice(where, "keep", keep, KEEP)
        magnitudes = Magnitudes(self.in_features)
        for x in batches(where, data, self.in_features):
            magnitudes.add(x)
        return refinement.fitted(self, magnitudes.reach(where, share), keep)

    def prune(self, tolerance: float) -> Self:
        """Return a layer with flat edges made constant, whose outputs move by `tolerance` at most.

        That holds for all inputs in the domain, to float rounding: for each output, the edges that
        become the middle of their range are as many as leave the sum of their half ranges within
        the tolerance.

        Args:
            tolerance: In units of the outputs, >= 0.
        """
        bound = checked_tolerance(f"{type(self).__name__}.prune", tolerance)
        points = flattened(self, bound)
        return refinement.rebuilt(
            self, points, self.spline_width, self.parameterization, self.options
        )

    def plot(self, edges: Any = None, **options: Any) -> Any:
        """Draw the functions of some edges, as `kanditioned.plot.plot_edges` says.

        Returns:
            A matplotlib `Figure`; no window is opened.

        Raises:
            ImportError: The face is not installed: `pip install "kanditioned[plot]"`.
        """
        from kanditioned.plot import plot_layer

        return plot_layer(self, edges, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the layer to a file that every backend reads, whole or not at all."""
        save_layer(path, self)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        device: torch.device | str | None = None,
        impl: str = "auto",
    ) -> Self:
        """Build a layer from a file.

        Raises:
            CheckpointError: The file is damaged, newer than this package, or holds more.
        """
        layer = load_layer(cls, path, device, impl)
        assert isinstance(layer, cls)
        return layer

    def extra_repr(self) -> str:
        """Summarise the layer."""
        options = "".join(f", {key}={value!r}" for key, value in self.options.items())
        return (
            f"{self.in_features}, {self.out_features}, "
            f"num_control_points={self.num_control_points}, spline_width={self.spline_width}, "
            f"parameterization={self.parameterization!r}{options}, impl={self.impl!r}"
        )

    def train(self, mode: bool = True) -> Self:
        """Set training or eval mode, and forget control points that were kept."""
        self._deployed = None
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._deployed = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_deployed": None}


def _specification(
    where: str,
    name: str,
    num_control_points: int,
    spline_width: float,
    options: dict[str, Any],
) -> Parameterization:
    """Build the parameterization of a layer, whose width is the layer's."""
    validate.choice(where, "parameterization", name, PARAMETERIZATIONS)
    given = dict(options)
    if "spline_width" in option_names(name):
        given["spline_width"] = spline_width
    return parameterization(name, num_control_points, **given)
