"""What the estimators share: their parameters, scaling of inputs, training and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from kanditioned_spec import Grid, penalty, validate
from kanditioned_spec.refinement import coarse_to_fine

from ..plot import plot_edges, plot_network
from ..plot.curves import control_points
from .solvers import minimise, solve
from .training import Array, Network, Samples, Schedule, build, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SOLVERS = ("auto", "cg", "lbfgs", "adam")
FULL_BATCH = {"cg": solve, "lbfgs": minimise}


class KANEstimator(BaseEstimator):  # type: ignore[misc]
    """A Kolmogorov-Arnold network on standardised inputs; see `KANRegressor` for the arguments."""

    _is_quadratic: ClassVar[bool]
    """Whether the loss of a network without hidden layers is quadratic in its parameters."""

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (),
        *,
        num_control_points: int = 16,
        spline_width: float = 6.0,
        parameterization: str = "auto",
        smoothing: float = 1e-2,
        solver: str = "auto",
        learning_rate_init: float = 0.02,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        random_state: Any = None,
        verbose: bool = False,
        backend: str | None = None,
        device: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.num_control_points = num_control_points
        self.spline_width = spline_width
        self.parameterization = parameterization
        self.smoothing = smoothing
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend
        self.device = device

    @property
    def num_parameters_(self) -> int:
        """Number of trained parameters."""
        check_is_fitted(self)
        return sum(int(np.prod(layer.theta.shape)) for layer in self.network_.layers)

    @property
    def network_(self) -> Any:
        """The trained network, of standardised inputs: the backend's own `KAN`."""
        check_is_fitted(self)
        return self._model.network

    @property
    def control_points_(self) -> Array:
        """Control points (I, K, O) of the first layer.

        Without hidden layers they are in units of the prediction: the target's for a regressor,
        log-odds for a classifier. Their inputs are standardised: (x - offset) / scale.
        """
        points = control_points(self.network_.layers[0])
        in_units: Array = points if self.hidden_layer_sizes else points * self._output_scale()
        return in_units

    @property
    def input_offset_(self) -> Array:
        """What standardisation subtracts from the inputs, shape (I,)."""
        check_is_fitted(self)
        offset: Array = self._scaler.mean_
        return offset

    @property
    def input_scale_(self) -> Array:
        """What standardisation then divides them by, shape (I,)."""
        check_is_fitted(self)
        scale: Array = self._scaler.scale_
        return scale

    def plot(self, X: Any = None, edges: Any = None, **options: Any) -> Figure:
        """Draw functions of the first layer, `control_points_`, over inputs in their own units.

        Args:
            X: Inputs for the histograms and the order of importance.
            edges: See `plot.plot_edges`, as for the other options.
            **options: Options of `plot.plot_edges`.
        """
        options = {
            "input_names": getattr(self, "feature_names_in_", None),
            "input_offset": self.input_offset_,
            "input_scale": self.input_scale_,
            **options,
        }
        data = None if X is None else self._scaled(X)
        return plot_edges(self.control_points_, self.spline_width, edges, data=data, **options)

    def plot_network(self, X: Any = None, **options: Any) -> Figure:
        """Draw the network as a diagram, see `plot.plot_network`; its inputs are standardised.

        Args:
            X: Inputs for the ranges, the histograms and the importance of the edges.
            **options: Options of `plot.plot_network`.
        """
        options = {"input_names": getattr(self, "feature_names_in_", None), **options}
        return plot_network(self.network_, None if X is None else self._scaled(X), **options)

    def _fit(self, X: Array, y: npt.NDArray[Any], weight: Any, loss: str, outputs: int) -> Self:
        """Train on validated inputs (N, I) and targets as `training.Network` says."""
        schedule, solver = self._schedule(len(X)), self._chosen_solver()
        rng = check_random_state(self.random_state)
        weight = _check_sample_weight(weight, X, dtype=X.dtype)
        used = weight > 0
        self._scaler = StandardScaler().fit(X[used], sample_weight=weight[used])
        samples = Samples(self._scaler.transform(X[used]), y[used], weight[used])
        samples, validation = self._split(samples, loss, rng)
        network = Network(
            (X.shape[1], *self.hidden_layer_sizes, outputs),
            loss,
            self._checked_smoothing(),
            int(rng.randint(2**31 - 1)),
            X.dtype.name,
            schedule.stages[0] if solver == "adam" else self.num_control_points,
            validate.spline_width(type(self).__name__, self.spline_width),
            partial(self._coordinates, loss, outputs, solver),
            self.device,
        )
        self._model = build(self.backend, network)
        if solver in FULL_BATCH:
            self.validation_losses_: list[float] = []
            fit = FULL_BATCH[solver]
            self.loss_curve_ = fit(self._model, samples, schedule.epochs, type(self).__name__)
        else:
            self.loss_curve_, self.validation_losses_ = train(
                self._model, samples, validation, schedule, rng
            )
        self.n_iter_ = len(self.loss_curve_)
        return self

    def _chosen_solver(self) -> str:
        where = type(self).__name__
        solver = validate.choice(where, "solver", self.solver, SOLVERS)
        is_quadratic = self._is_quadratic and not len(self.hidden_layer_sizes)
        if solver == "auto":
            return "cg" if is_quadratic and not self.early_stopping else "adam"
        if solver == "cg" and not is_quadratic:
            constraint = "another one but for a regressor without hidden layers"
            remedy = 'Conjugate gradients need a quadratic objective; use "auto".'
            raise ValueError(validate.message(where, "solver", constraint, '"cg"', remedy))
        if solver in FULL_BATCH and self.early_stopping:
            constraint, remedy = f'False with solver="{solver}"', "It goes to the minimum."
            raise ValueError(validate.message(where, "early_stopping", constraint, True, remedy))
        return solver

    def _checked_smoothing(self) -> float:
        constraint, remedy = "a finite number >= 0", "It is the weight of the curvature penalty."
        where = type(self).__name__
        return validate.finite_real(
            where, "smoothing", self.smoothing, constraint, remedy, zero=True
        )

    def _coordinates(self, loss: str, outputs: int, solver: str, count: int) -> dict[str, Any]:
        """Return the parameterization and its options, for a number of control points.

        `demmler_reinsch` makes the Hessian of mean (f - y)² + λ ‖D c‖² the identity, so λ is that
        of the objective divided by half the loss' second derivative at the start.
        """
        name = self.parameterization
        if name == "auto":
            name = "demmler_reinsch" if solver in FULL_BATCH else "bspline"
        options: dict[str, Any] = {"parameterization": name}
        if name == "demmler_reinsch":
            share = 1 / max(outputs, 2)
            half = {"squared": 1 / outputs}.get(loss, share * (1 - share) / 2)
            factor = penalty.scaling_factor("continuous", Grid(count, self.spline_width))
            options["smoothing"] = self.smoothing * factor / half
            options["density"] = "normal"
        return options

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self)
        return self._model.outputs(self._scaled(X))

    def _scaled(self, X: Any) -> Array:
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        scaled: Array = self._scaler.transform(X)
        return scaled

    def _output_scale(self) -> Any:
        return 1.0

    def _schedule(self, count: int) -> Schedule:
        where = type(self).__name__
        size = self.batch_size
        if size == "auto":
            size = count if count <= 512 else 256
        remedy = "It counts passes over the training samples."
        epochs = validate.integer(where, "max_iter", self.max_iter, 1, remedy)
        count = validate.num_control_points(where, self.num_control_points)
        return Schedule(
            tuple(coarse_to_fine(count)[-epochs:]),
            epochs,
            validate.integer(where, "batch_size", size, 1, 'Or "auto".'),
            validate.finite_real(
                where,
                "learning_rate_init",
                self.learning_rate_init,
                "a finite number > 0",
                "It is the step size of Adam at the start.",
            ),
            validate.integer(where, "n_iter_no_change", self.n_iter_no_change, 1, remedy),
            float(self.tol),
            bool(self.verbose),
        )

    def _split(
        self, samples: Samples, loss: str, rng: np.random.RandomState
    ) -> tuple[Samples, Samples | None]:
        """Set validation samples aside for early stopping, and make mean weights one."""
        if not self.early_stopping:
            return _normalised(samples), None
        kept, held = train_test_split(
            np.arange(len(samples)),
            test_size=self.validation_fraction,
            random_state=rng,
            stratify=None if loss == "squared" else samples.y,
        )
        return _normalised(samples[kept]), _normalised(samples[held])


def _normalised(samples: Samples) -> Samples:
    return Samples(samples.x, samples.y, samples.weight / samples.weight.mean())
