"""The layer as a module."""

from __future__ import annotations

import copy
import os
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from kanditioned_spec import Grid, Parameterization, checkpoint, refinement, validate
from kanditioned_spec.domain import KEEP
from kanditioned_spec.refinement import GridChange
from kanditioned_spec.shapes import Signs

from . import selection
from .arguments import check_device, check_tensor
from .arrays import dtype_name, to_float64, to_tensor
from .batches import Data, batches
from .distributed import distribute_like, local_part
from .domain import Magnitudes, fit_grid
from .functional import evaluate
from .parameterizations import build_spec, map_of
from .precision import PRECISIONS, output_dtype
from .splines import Splines
from .symbolic import call_symbolically


class KANLayer(Splines):
    """A Kolmogorov-Arnold layer: y[..., o] = Σ_i s_io(x[..., i]), each s_io a linear spline.

    It takes the place of `nn.Linear`. Inputs are best kept within the domain, for example by a
    normalisation layer in front; beyond it the splines go on in a straight line.

    Args:
        in_features: Number of inputs, I.
        out_features: Number of outputs, O.
        init: Initial functions, all linear: `"random_normal"` (unit-norm slopes, keeps unit scale
            through a stack), `"identity"` (needs I = O) or `"zero"`.
        num_control_points: Control points of each function, K >= 2, evenly spaced over the domain.
        spline_width: Width w of the domain [-w/2, w/2] in input units.
        parameterization: How trainable parameters θ become control points, c = T θ: one of
            `kanditioned_spec.PARAMETERIZATIONS`.
        impl: How the splines are evaluated, see `spline_forward`.
        precision: See `spline_forward`.
        generator: Source of `init="random_normal"`. By default PyTorch's own generator of the
            device, as for every PyTorch layer.
        device: Where the parameters are made.
        dtype: Their dtype.
        monotone: +1 for features in which all outputs rise, -1 for those in which they fall, as
            `{0: +1, 3: -1}` or one for each, see `kanditioned_spec.shapes`.
        convex: The same, +1 convex and -1 concave. Both may be combined.
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
        points are rounded to the parameters' dtype. With `monotone` or `convex` the functions have
        their shapes exactly; of what is computed, that of `impl="embedding"`, `"strided"`,
        `"presorted"` and `"cpu"` never falls where it may only rise, that of the others may, within
        rounding.

    Example:
        >>> import torch
        >>> layer = KANLayer(3, 2, init="zero", num_control_points=8)
        >>> layer(torch.randn(5, 3)).shape
        torch.Size([5, 2])
    """

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
        monotone: Signs = None,
        convex: Signs = None,
        **options: Any,
    ) -> None:
        selection.check(type(self).__name__, impl)
        if precision is not None:
            validate.choice(type(self).__name__, "precision", precision, PRECISIONS)
        super().__init__(
            in_features,
            out_features,
            init,
            num_control_points,
            spline_width,
            parameterization,
            generator,
            device,
            dtype,
            monotone,
            convex,
            options,
        )
        self.impl, self.precision = impl, precision

    def forward(self, x: Any) -> Tensor:
        """Evaluate the layer at `x` of shape (..., I), giving (..., O)."""
        if isinstance(x, Proxy):
            return call_symbolically(self, self.impl, self.precision, x)
        points = local_part(self.control_points())
        y = evaluate(x, points, self.grid, self.impl, self.precision)
        if not self.is_shaped or points.dtype == self.theta.dtype:
            return y
        return y.to(output_dtype(x, self.theta))

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
        monotone: Signs = None,
        convex: Signs = None,
        **options: Any,
    ) -> Self:
        """Build a layer from control points (I, K, O), on their device and in their dtype.

        Exact up to rounding where T is square, least squares otherwise.
        """
        where = f"{cls.__name__}.from_control_points"
        check_tensor(where, "control_points", control_points)
        validate.control_points(where, control_points.shape)
        in_features, count, out_features = control_points.shape
        made: dict[str, Any] = {"device": control_points.device, "dtype": control_points.dtype}
        made |= {"impl": impl, "precision": precision, "monotone": monotone, "convex": convex}
        layer = cls(in_features, out_features, "zero", count, spline_width, **made)
        spec = build_spec(where, parameterization, layer.grid, options)
        return layer.replace_functions(control_points, layer.grid, spec)

    def reparameterize(self, parameterization: str, **options: Any) -> Self:
        """Return a layer with the same functions under another parameterization.

        Exact up to rounding where the new T is square, least squares otherwise. In particular
        `layer.reparameterize("bspline")` holds plain control points, for deployment.
        """
        where = f"{type(self).__name__}.reparameterize"
        spec = build_spec(where, parameterization, self.grid, options)
        return self.replace_functions(self.control_points(), self.grid, spec)

    @torch.no_grad()
    def replace_functions(self, control_points: Tensor, grid: Grid, spec: Parameterization) -> Self:
        """Return a copy of the layer with other functions, hooks and attributes included.

        Its parameters are new ones, which require gradients if the old ones do.

        Args:
            control_points: Shape (I, K, O), of any numbers of features.
            grid: Where their knots are.
            spec: The map from parameters to control points.
        """
        theta = torch.as_tensor(spec.parameters_from(to_float64(control_points)))
        layer = copy.deepcopy(self, {id(self.theta): self.theta})
        theta = distribute_like(theta.to(self.theta.device, self.theta.dtype), self.theta)
        layer.theta = nn.Parameter(theta, requires_grad=self.theta.requires_grad)
        layer.in_features, layer.out_features = theta.shape[0], theta.shape[2]
        layer.grid, layer.parameterization_map = grid, map_of(spec, layer.theta)
        return layer

    def change_grid(self, change: GridChange) -> Self:
        """Return a layer with the same functions on another grid.

        A `degree=` of `legendre` is dropped: on another grid the functions are no polynomials.
        """
        change.grid.check_dtype(type(self).__name__, dtype_name(self.theta.dtype))
        c = self.control_points().detach()
        matrix = torch.as_tensor(change.matrix, device=c.device)
        options = {key: value for key, value in self.options.items() if key != "degree"}
        spec = build_spec(type(self).__name__, self.parameterization, change.grid, options)
        return self.replace_functions((matrix @ c.double()).to(c.dtype), change.grid, spec)

    def refine(self, num_control_points: int) -> Self:
        """Return a layer with the same functions on another number of control points.

        Exact for m(K - 1) + 1 control points (knot insertion). Parameters are new ones, so an
        optimizer has to be built anew, without what it remembers of the old ones.

        Warns:
            ResampleWarning: Another number, so the functions change between the new knots.
        """
        where = f"{type(self).__name__}.refine"
        return self.change_grid(refinement.refine_grid(where, self.grid, num_control_points))

    def widen(self, intervals: int) -> Self:
        """Return a layer of the same functions with `intervals` >= 0 more spacings at each end."""
        where = f"{type(self).__name__}.widen"
        return self.change_grid(refinement.widen_grid(where, self.grid, intervals))

    def fit_domain(self, data: Data, *, coverage: float = 0.99, keep: str = "spacing") -> Self:
        """Return a layer with the same functions whose domain holds the data.

        One pass, in memory that does not grow with the data; outliers cannot stretch the domain
        beyond what `coverage` asks for, constant features do not shrink it to nothing. The
        parameters are new ones, see `refine`.

        Args:
            data: Inputs (..., I) of this layer, or an iterable of batches of them: tensors, or
                tuples whose first entry they are, as from a `DataLoader`. NaN are left out.
            coverage: Share of the inputs of every feature that has to lie in the domain, in
                (0, 1]. The domain is up to 1/16 wider.
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
        share = validate.coverage(where, coverage)
        validate.choice(where, "keep", keep, KEEP)
        magnitudes = Magnitudes(self.in_features)
        for x in batches(where, data, self.in_features):
            magnitudes.add(x)
        reach = magnitudes.reach(where, share)
        return self.change_grid(fit_grid(self.grid, self.control_points(), reach, keep))

    def plot(self, edges: Any = None, **options: Any) -> Any:
        """Draw some edges, a matplotlib `Figure`, as `kanditioned.plot.plot_edges` says."""
        plot = validate.import_optional("KANLayer.plot()", "kanditioned.plot", "kanditioned[plot]")
        return plot.plot_layer(self, edges, **options)

    @classmethod
    @torch.no_grad()
    def from_stored(
        cls,
        stored: checkpoint.Layer,
        device: torch.device | str | None = None,
        impl: str = "auto",
    ) -> Self:
        """Build the layer that a file holds."""
        config = stored.config
        made = {"impl": impl, "device": device, "dtype": getattr(torch, config.dtype)}
        made |= config.shapes._asdict()
        layer = cls(config.in_features, config.out_features, "zero", *config.grid, **made)
        layer.theta = nn.Parameter(to_tensor(stored.parameters, layer.theta.device))
        layer.parameterization_map = map_of(config.map(), layer.theta)
        return layer

    def save(self, path: str | bytes | os.PathLike[str]) -> None:
        """Write the layer to a file that every backend reads, whole or not at all."""
        checkpoint.write(path, checkpoint.Checkpoint({"layer": self.to_stored()}))

    @classmethod
    def load(
        cls,
        path: str | bytes | os.PathLike[str],
        *,
        device: torch.device | str | None = None,
        impl: str = "auto",
        max_build_bytes: int = checkpoint.MAX_BUILD_BYTES,
    ) -> Self:
        """Build a layer from a file.

        Args:
            path: The file.
            device: Where the parameters are made.
            impl: As for a new layer.
            max_build_bytes: Limit of the memory that the map of the parameterization may take to be
                built, beyond which a file is refused before anything is built.

        Raises:
            CheckpointError: The file is damaged, newer than this package, or holds more.
        """
        check_device("KANLayer.load", device)
        selection.check("KANLayer.load", impl)
        stored = checkpoint.read(path, max_build_bytes=max_build_bytes).only_layer()
        with checkpoint.building("KANLayer.load", path):
            return cls.from_stored(stored, device, impl)
