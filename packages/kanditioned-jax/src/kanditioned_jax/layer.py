"""The layer as a pytree."""

from __future__ import annotations

from typing import Any, Self

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike, DTypeLike

from kanditioned_spec import Grid, Shapes, checkpoint, domain, validate
from kanditioned_spec.refinement import GridChange
from kanditioned_spec.shapes import Signs

from . import initializers, resampling
from .arguments import floating_array, floating_dtype, random_key
from .arrays import Path, from_file, to_file
from .batches import Data, batches
from .config import Config
from .functional import spline_forward
from .grid import compute_dtype
from .parameterizations import parameters_from
from .selection import check_evaluation
from .splines import Splines


class KANLayer(Splines):
    """A Kolmogorov-Arnold layer: y[..., o] = Σ_i s_io(x[..., i]), each s_io a linear spline.

    An immutable pytree with one leaf, `theta`: what JAX, optax and Equinox do with arrays they do
    with a layer. Inputs are best kept within the domain, for example by a normalisation layer in
    front; beyond it the splines go on in a straight line.

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
        key: Source of `init="random_normal"`: a key of `jax.random`, or a seed.
        dtype: Dtype of the parameters.
        monotone: +1 for features in which all outputs rise, -1 for those in which they fall, as
            `{0: +1, 3: -1}` or one for each, see `kanditioned_spec.shapes`.
        convex: The same, +1 convex and -1 concave. Both may be combined.
        **options: Options of the parameterization: `transform=` for `dct`, `degree=` for
            `legendre`, `smoothing=` and `density=` for `demmler_reinsch`.

    Attributes:
        theta: The parameters, shape (I, P, O); P = K for most parameterizations.
        config: Everything else.

    Raises:
        ValueError: A value is out of range, a name unknown, or a key missing.
        TypeError: A value has the wrong type, or an option is unknown.

    Shape:
        Input (..., I), output (..., O), any leading shape, an empty one included.

    Numerics:
        As `spline_forward`. T is applied in float32 or wider, and the control points are rounded
        to the parameters' dtype. With `monotone` or `convex` the functions have their shapes
        exactly; of what is computed, that of `impl="lookup"` never falls where it may only rise,
        that of `"dense"` may, within rounding.

    Example:
        >>> import jax.numpy as jnp
        >>> layer = KANLayer(3, 2, init="zero", num_control_points=8)
        >>> layer(jnp.ones((5, 3))).shape
        (5, 2)
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
        key: jax.Array | int | None = None,
        dtype: DTypeLike = jnp.float32,
        monotone: Signs = None,
        convex: Signs = None,
        **options: Any,
    ) -> None:
        where = type(self).__name__
        inputs = validate.feature_count(where, "in_features", in_features)
        outputs = validate.feature_count(where, "out_features", out_features)
        grid = Grid.from_arguments(where, num_control_points, spline_width)
        shapes = Shapes.from_arguments(where, inputs, monotone, convex)
        config = Config.from_arguments(
            where, grid, parameterization, impl, precision, options, shapes
        )
        dtype = floating_dtype(where, dtype)
        grid.check_dtype(where, dtype.name)
        source = random_key(where, key)
        slopes = initializers.slopes(
            where, init, inputs, outputs, source, compute_dtype(dtype), shapes.monotone
        )
        line = config.spec.line(where, grid, dtype.name)
        theta = slopes[:, None] * jnp.asarray(line, slopes.dtype)[None, :, None]
        self._set(theta.astype(dtype), config)

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Evaluate the layer at `x` of shape (..., I), giving (..., O)."""
        points, config = self.control_points(), self.config
        y = spline_forward(
            x, points, self.spline_width, impl=config.impl, precision=config.precision
        )
        if points.dtype == self.theta.dtype:
            return y
        return y.astype(jnp.result_type(x, self.theta))

    @classmethod
    def from_control_points(
        cls,
        control_points: ArrayLike,
        spline_width: float = 4.0,
        parameterization: str = "bspline",
        impl: str = "auto",
        *,
        precision: str | None = None,
        monotone: Signs = None,
        convex: Signs = None,
        **options: Any,
    ) -> Self:
        """Build a layer from control points (I, K, O), in their dtype.

        Exact up to rounding where T is square, least squares otherwise.
        """
        where = f"{cls.__name__}.from_control_points"
        c = floating_array(where, "control_points", control_points)
        validate.control_points(where, c.shape)
        grid = Grid.from_arguments(where, c.shape[1], spline_width)
        grid.check_dtype(where, c.dtype.name)
        shapes = Shapes.from_arguments(where, c.shape[0], monotone, convex)
        config = Config.from_arguments(
            where, grid, parameterization, impl, precision, options, shapes
        )
        theta = parameters_from(config.spec, c.astype(compute_dtype(c.dtype)))
        return cls.of(theta.astype(c.dtype), config)

    def reparameterize(self, parameterization: str, **options: Any) -> Self:
        """Return a layer with the same functions under another parameterization.

        Exact up to rounding where the new T is square, least squares otherwise. In particular
        `layer.reparameterize("bspline")` holds plain control points, for deployment.
        """
        where, parts = f"{type(self).__name__}.reparameterize", (self.theta, self.config)
        return self.of(*resampling.reparameterize(where, *parts, parameterization, options))

    def change_grid(self, change: GridChange) -> Self:
        """Return a layer with the same functions on another grid, as `change` says.

        A `degree=` of `legendre` is dropped: on another grid the functions are no polynomials.
        """
        where = f"{type(self).__name__}.change_grid"
        return self.of(*resampling.change_grid(where, self.theta, self.config, change))

    def refine(self, num_control_points: int) -> Self:
        """Return a layer with the same functions on another number of control points.

        Exact for m(K - 1) + 1 control points (knot insertion). The parameters have another shape,
        so an optimiser state has to be built anew. A `degree=` of `legendre` is dropped: on a finer
        grid the functions are no polynomials.

        Warns:
            ResampleWarning: Another number, so the functions change between the new knots.
        """
        where = f"{type(self).__name__}.refine"
        return self.of(*resampling.refine(where, self.theta, self.config, num_control_points))

    def widen(self, intervals: int) -> Self:
        """Return a layer with the same functions whose domain is longer at both ends.

        Args:
            intervals: How many knot spacings to add at each end, >= 0.
        """
        where = f"{type(self).__name__}.widen"
        return self.of(*resampling.widen(where, self.theta, self.config, intervals))

    def fit_domain(self, data: Data, *, coverage: float = 0.99, keep: str = "spacing") -> Self:
        """Return a layer with the same functions whose domain holds the data.

        One pass, in memory that does not grow with the data; outliers cannot stretch the domain
        beyond what `coverage` asks for, constant features do not shrink it to nothing. The new
        width is static, so what was compiled for the old layer is compiled anew.

        Args:
            data: Inputs (..., I) of this layer, or an iterable of batches of them: arrays, or
                tuples whose first entry they are. NaN are left out.
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
        share = validate.coverage(where, coverage)
        validate.choice(where, "keep", keep, domain.KEEP)
        magnitudes = domain.Magnitudes(self.in_features)
        for x in batches(where, data, self.in_features):
            magnitudes.add(x)
        reach = magnitudes.reach(where, share)
        return self.of(*resampling.fit_domain(where, self.theta, self.config, reach, keep))

    def plot(self, edges: Any = None, **options: Any) -> Any:
        """Draw the functions of some edges, as `kanditioned.plot.plot_edges` says.

        Returns:
            A matplotlib `Figure`; no window is opened.

        Raises:
            ImportError: The main package is not installed: `pip install "kanditioned[plot]"`.
        """
        plot = validate.import_optional("KANLayer.plot()", "kanditioned.plot", "kanditioned[plot]")
        return plot.plot_layer(self, edges, **options)

    def save(self, path: Path) -> None:
        """Write the layer to a file that every backend reads, whole or not at all."""
        checkpoint.write(path, checkpoint.Checkpoint({"layer": to_file(self.theta, self.config)}))

    @classmethod
    def load(
        cls,
        path: Path,
        impl: str = "auto",
        *,
        precision: str | None = None,
        max_build_bytes: int = checkpoint.MAX_BUILD_BYTES,
    ) -> Self:
        """Read a layer that any backend has written, bit for bit.

        Args:
            path: The file.
            impl: As for a new layer.
            precision: As for a new layer.
            max_build_bytes: Limit of the memory that the map of the parameterization may take to be
                built, beyond which a file is refused before anything is built.

        Raises:
            CheckpointError: The file is damaged, newer, or holds more than one layer.
            ValueError: It holds float64, and JAX is not set to keep that.
        """
        where = f"{cls.__name__}.load"
        check_evaluation(where, impl, precision)
        stored = checkpoint.read(path, max_build_bytes=max_build_bytes).only_layer()
        return cls.of(*from_file(where, path, stored, impl, precision))
