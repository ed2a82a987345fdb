"""What the estimators share: their parameters, and the way from a table to predictions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from kanditioned_spec import validate
from kanditioned_spec.checkpoint.network import write_network

from .. import backends
from ..plot import plot_network
from ..plot.arguments import names_of
from . import additive, conversion, networks, pictures, report, table, weights
from .additive import Settings
from .arrays import Array, Matrix, Objects, Vector
from .families import Family, Gamma, Logistic, Poisson, Softmax, Squared
from .pictures import Histogram
from .posterior import Posterior
from .terms import Additive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SOLVERS = ("auto", "reml", "adam", "lbfgs")
CONTRIBUTIONS: dict[type, str] = {
    Squared: "contribution to the prediction",
    Logistic: "contribution to the log-odds",
    Softmax: "contribution to the logarithm of the probability",
    Poisson: "contribution to the logarithm of the mean",
    Gamma: "contribution to the logarithm of the mean",
}
FLOATS = (np.float64, np.float32)


@dataclass(frozen=True)
class Table:
    """Columns (N,) of inputs, and the dtype of the predictions for them."""

    columns: list[Objects]
    dtype: npt.DTypeLike

    def __len__(self) -> int:
        return len(self.columns[0])

    def taken(self, index: Any) -> Table:
        """Return some rows."""
        return Table([column[index] for column in self.columns], self.dtype)


class KANEstimator(BaseEstimator):  # type: ignore[misc]
    """A Kolmogorov-Arnold network for tables; see `KANRegressor` for the arguments."""

    def _keep(self, given: dict[str, Any]) -> None:
        """Keep the arguments of a constructor, its local variables, as scikit-learn wants them."""
        for name, value in given.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @property
    def model_(self) -> Additive:
        """The fitted additive model: its intercept, terms and surfaces."""
        check_is_fitted(self)
        model: Additive = self._fitted.model
        return model

    @property
    def intercept_(self) -> Vector:
        """The prediction (log-odds, logarithm of the mean) of an average row, shape (O,)."""
        return self.model_.intercept

    @property
    def edf_(self) -> Vector:
        """Effective degrees of freedom of each column's curve: 1 is a straight line, shape (I,)."""
        check_is_fitted(self)
        edf: Vector = self._fitted.edf[: self.n_features_in_]
        return edf

    @property
    def smoothing_(self) -> Vector:
        """λ of each column's curve, NaN for categories, shape (I,)."""
        check_is_fitted(self)
        smoothing: Vector = self._fitted.smoothing
        return smoothing

    @property
    def importance_(self) -> Vector:
        """Standard deviation of each term's contribution over the training rows, shape (T,).

        In units of the prediction, with several outputs the root of the mean square over them.
        Terms are the columns and then the pairs, as `term_names_` says.
        """
        check_is_fitted(self)
        importance: Vector = self._importance
        return importance

    @property
    def num_parameters_(self) -> int:
        """Number of values that were learned."""
        model = self.model_
        parts: list[Any] = [model.intercept]
        parts += [term.effects for term in model.terms]
        parts += [surface.effects for surface in model.surfaces]
        if self._network is not None:
            parts += [layer.theta for layer in self._network.model.network.layers]
        return sum(int(np.prod(part.shape)) for part in parts)

    def plot(
        self,
        X: Any = None,
        *,
        output: int = 0,
        max_panels: int = 12,
        input_names: Sequence[str] | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> Figure:
        """Draw the terms of the additive model, those that matter most first.

        Each column's curve with a band that covers 95 %, over the histogram of its values, a
        category's labels with error bars, a pair's contours; all in the units of the table.

        Args:
            X: Inputs (N, I) for the histograms; by default those of the training.
            output: Number of the target, or of the class.
            max_panels: Most panels.
            input_names: Of the columns, by default those of the DataFrame of the training.
            path: Where to write the picture, its format by its suffix.
        """
        histograms = self._histograms
        if X is not None:
            given = self._read(X)
            histograms = _histograms(self.model_, given, np.ones(len(given)))
        where = f"{type(self).__name__}.plot"
        most = validate.integer(where, "max_panels", max_panels, 1, "Draw at least one.")
        remedy = f"There are {len(self.intercept_)}, counted from 0."
        number = validate.integer(where, "output", output, 0, remedy)
        if number >= len(self.intercept_):
            constraint = f"below {len(self.intercept_)}"
            raise ValueError(validate.message(where, "output", constraint, number, remedy))
        unit = CONTRIBUTIONS[type(self._family)]
        names = names_of(where, "input_names", input_names or self._names, self.n_features_in_)
        return pictures.draw(
            self.model_, self._deviations(), histograms, self._importance, names=names,
            output=number, max_panels=most, unit=unit, path=path,
        )  # fmt: skip

    def report(self, path: str | os.PathLike[str], *, max_panels: int = 30) -> None:
        """Write what the additive model has learned to one HTML file, which needs no network.

        Args:
            path: Where to.
            max_panels: Most terms to draw, those that matter most.
        """
        model = self.model_
        terms = report.rows(
            self.term_names_, model.terms, self._importance, self._fitted.edf, self.smoothing_
        )
        outputs = [str(name) for name in getattr(self, "classes_", range(len(model.intercept)))]
        outputs = outputs[-1:] if len(model.intercept) == 1 else outputs
        pictures = [
            (f"Terms of {name}" if len(outputs) > 1 else "Terms, those that matter most first",
             self.plot(output=number, max_panels=max_panels))
            for number, name in enumerate(outputs)
        ]  # fmt: skip
        facts = [
            ("training rows", f"{self._samples}"),
            ("columns", f"{self.n_features_in_}"),
            ("pairs", f"{len(model.surfaces)}"),
            ("degrees of freedom", f"{self._fitted.edf.sum():.1f}"),
            ("intercept", ", ".join(f"{value:.4g}" for value in model.intercept)),
        ]
        title, unit = type(self).__name__, CONTRIBUTIONS[type(self._family)]
        text = report.page(title, facts, terms, unit, pictures)
        Path(path).write_text(text, encoding="utf-8")

    def plot_network(self, X: Any = None, **options: Any) -> Figure:
        """Draw the network as a diagram, see `plot.plot_network`.

        Args:
            X: Inputs (N, I) for the ranges, the histograms and the importance of the edges.
            **options: Options of `plot.plot_network`.
        """
        data = None if X is None else self.network_inputs(X)
        if self._network is None:
            options = {"input_names": conversion.input_names(self.model_), **options}
        return plot_network(self.network_, data, **options)

    @property
    def network_(self) -> Any:
        """The network as a `KAN` of the backend, of inputs as `network_inputs` gives them.

        Without hidden layers it is the additive model, one layer behind an input map, without its
        pair terms. With hidden layers it is what they add to the additive model, in units of the
        targets' standard deviation for a regressor.
        """
        check_is_fitted(self)
        if self._network is not None:
            return self._network.model.network
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.safetensors"
            self.save_network(path)
            return backends.load(path, backend=self.backend)

    def save_network(self, path: str | os.PathLike[str]) -> None:
        """Write `network_` of a model without hidden layers to a file that every backend reads."""
        model = self.model_
        self._without_hidden_layers("a network of one layer")
        write_network(path, conversion.network(model))

    def network_inputs(self, X: Any) -> Matrix:
        """Return the inputs of `network_` for inputs (N, I), shape (N, I').

        Numbers as they are, a category's label as its number, and a column more for each that had
        missing values in training. With hidden layers, numbers between -3 and 3.
        """
        given = self._read(X)
        encode = conversion.inputs if self._network is None else networks.encode
        return encode(self.model_, given.columns)

    def _deviations(self) -> list[Matrix]:
        """Return the standard deviation of every column's effects in its slots."""
        found = self._fitted.posteriors
        return [
            np.sqrt(np.mean([p.term_variance(number) for p in found], axis=0))
            for number in range(self.n_features_in_)
        ]

    def explain(self, X: Any) -> Array:
        """Return what each term adds to the prediction of each row.

        With `intercept_` they sum to the prediction of a regressor, to the logarithm of that of
        `loss="poisson"` and `"gamma"`, and to the `decision_function` of a classifier.

        Args:
            X: Inputs (N, I).

        Returns:
            Shape (N, T), or (N, T, O) with several outputs. Terms are the columns and then the
            pairs, as `term_names_` says.

        Raises:
            ValueError: There are hidden layers, whose predictions are not sums of terms.
        """
        self._without_hidden_layers("a prediction that is a sum of terms")
        given = self._read(X)
        parts = np.stack(self.model_.contributions(given.columns), axis=1).astype(given.dtype)
        explained: Array = parts[:, :, 0] if parts.shape[2] == 1 else parts
        return explained

    @property
    def term_names_(self) -> list[str]:
        """Names of the columns, and of the pairs as "first × second"."""
        model = self.model_
        names = [term.column.name for term in model.terms]
        return names + [" × ".join(names[i] for i in s.pair) for s in model.surfaces]

    def _fit(self, given: Table, y: Matrix, weight: Vector, family: Family) -> Self:
        """Fit to targets (N, O) as the family says; all weights are positive."""
        rng = check_random_state(0 if self.random_state is None else self.random_state)
        widths, settings = self._checked_widths(), self._settings(int(rng.randint(2**31 - 1)))
        chosen = networks.options(self, widths, len(y)) if widths else None
        kept, held = np.arange(len(y)), np.zeros(0, np.intp)
        if chosen is not None and self.early_stopping:
            where = type(self).__name__
            kept, held = networks.split(where, y, family, self.validation_fraction, rng)
        train = given.taken(kept)
        columns = additive.describe(self._names, train.columns, weight[kept], settings)
        found = additive.fit(columns, train.columns, y[kept], weight[kept], family, settings)
        self._family, self._fitted, self._network = family, found, None
        self.n_iter_ = found.steps
        self._samples = len(kept)
        self._histograms = _histograms(found.model, train, weight[kept])
        self._importance = _importance(found.model, train, weight[kept])
        if chosen is not None:
            self._network = networks.fit(
                chosen, found.model, given.columns, y, weight, family, (kept, held), rng
            )
            self.loss_curve_ = self._network.objectives
            self.validation_losses_ = self._network.losses
            self.n_iter_ = len(self.loss_curve_)
        return self

    def _checked_widths(self) -> tuple[int, ...]:
        where, sizes = type(self).__name__, self.hidden_layer_sizes
        remedy = "It counts the features between the layers; () is an additive model."
        listed = sizes if np.ndim(sizes) else [sizes]
        widths = tuple(
            validate.integer(where, "hidden_layer_sizes", size, 1, remedy) for size in listed
        )
        solver = validate.choice(where, "solver", self.solver, SOLVERS)
        if solver == "reml" and widths:
            constraint, remedy = (
                '"adam" or "lbfgs" with hidden layers',
                "Their loss has no formula.",
            )
            raise ValueError(validate.message(where, "solver", constraint, '"reml"', remedy))
        if solver in ("adam", "lbfgs") and not widths:
            constraint, remedy = '"reml" without hidden layers', "It goes to the exact minimum."
            raise ValueError(validate.message(where, "solver", constraint, f'"{solver}"', remedy))
        return widths

    def _settings(self, seed: int) -> Settings:
        where = type(self).__name__
        count, smoothing = self.num_control_points, self.smoothing
        if count != "auto":
            count = validate.num_control_points(where, count)
        if smoothing != "auto":
            constraint = 'a finite number >= 0, or "auto"'
            remedy = "It is the weight of the curvature penalty."
            smoothing = validate.finite_real(
                where, "smoothing", smoothing, constraint, remedy, zero=True
            )
        return Settings(
            None if count == "auto" else count,
            None if smoothing == "auto" else smoothing,
            self._categorical,
            self._checked_pairs(),
            validate.integer(where, "n_bags", self.n_bags, 2, "It counts folds."),
            seed,
        )

    def _checked_pairs(self) -> tuple[tuple[int, int], ...] | None:
        where, given = type(self).__name__, self.interactions
        constraint = '"auto", 0 or a list of pairs of columns'
        if isinstance(given, str) and given == "auto":
            return () if self._checked_widths() else None
        if given is None or (isinstance(given, int) and given == 0):
            return ()
        if isinstance(given, str) or not isinstance(given, Iterable):
            remedy = '"auto" finds pairs, 0 leaves them out.'
            raise TypeError(
                validate.message(where, "interactions", constraint, repr(given), remedy)
            )
        pairs = set()
        for pair in given:
            chosen = table.chosen(where, "interactions", list(pair), self._names)
            if len(set(chosen)) != 2:
                remedy = "A pair is two different columns."
                raise ValueError(
                    validate.message(where, "interactions", constraint, repr(pair), remedy)
                )
            pairs.add((min(chosen), max(chosen)))
        return tuple(sorted(pairs))

    def _read_training(self, X: Any, y: Any, **options: Any) -> tuple[Table, Any]:
        """Check inputs and targets, and remember the columns."""
        where = f"{type(self).__name__}.fit"
        if table.is_frame(X):
            validate_data(self, X, skip_check_array=True)
            columns, dtype = table.columns_of(where, X), np.dtype(np.float64)
            y = table.targets(self, X, y, **options)
        else:
            kind = FLOATS if self._has_no_labels() else None
            X, y = validate_data(self, X, y, dtype=kind, ensure_all_finite="allow-nan", **options)
            columns = list(X.T)
            dtype = X.dtype if X.dtype.kind == "f" else np.dtype(np.float64)
        names = getattr(self, "feature_names_in_", None)
        self._names = [f"x{i}" for i in range(len(columns))] if names is None else list(names)
        self._categorical = self._chosen_categories(columns)
        return Table(self._typed(where, columns), dtype), y

    def _has_no_labels(self) -> bool:
        given = self.categorical_features
        return given is None or (isinstance(given, str) and given == "from_dtype")

    def _chosen_categories(self, columns: list[Objects]) -> frozenset[int]:
        where, given = type(self).__name__, self.categorical_features
        if given is None:
            return frozenset()
        if isinstance(given, str) and given == "from_dtype":
            return frozenset(i for i, values in enumerate(columns) if values.dtype == object)
        return frozenset(table.chosen(where, "categorical_features", given, self._names))

    def _typed(self, where: str, columns: list[Objects]) -> list[Objects]:
        return [
            values if number in self._categorical else table.numbers(where, name, values)
            for number, (name, values) in enumerate(zip(self._names, columns, strict=True))
        ]

    def _read(self, X: Any) -> Table:
        check_is_fitted(self)
        where = f"{type(self).__name__}.predict"
        if table.is_frame(X):
            validate_data(self, X, reset=False, skip_check_array=True)
            columns, dtype = table.columns_of(where, X), np.dtype(np.float64)
        else:
            kind = None if self._categorical else FLOATS
            X = validate_data(self, X, dtype=kind, ensure_all_finite="allow-nan", reset=False)
            columns = list(X.T)
            dtype = X.dtype if X.dtype.kind == "f" else np.dtype(np.float64)
        return Table(self._typed(where, columns), dtype)

    def _outputs(self, given: Table) -> Array:
        """Return the linear predictor (N, O)."""
        eta = self.model_(given.columns)
        if self._network is not None:
            eta = eta + self._network(self._fitted.model, given.columns)
        outputs: Array = eta.astype(given.dtype)
        return outputs

    def _weights(self, sample_weight: Any, samples: int) -> Vector:
        return weights.checked(f"{type(self).__name__}.fit", sample_weight, samples)

    def _deviation(self, given: Table) -> Array:
        """Return the posterior standard deviation of the linear predictor, (N, O)."""
        variances = [posterior.variance(given.columns) for posterior in self._posteriors()]
        deviation: Array = np.sqrt(np.mean(variances, axis=0))
        return deviation

    def _draws(self, given: Table, count: int) -> Array:
        """Return draws of the linear predictor from the posterior, (count, N, O)."""
        rng = check_random_state(self.random_state)
        centre = self.model_(given.columns)
        posteriors = self._posteriors()
        each = -(-count // len(posteriors))
        parts = [posterior.draws(given.columns, each, rng) for posterior in posteriors]
        draws: Array = centre + np.concatenate(parts)[:count]
        return draws

    def _posteriors(self) -> tuple[Posterior, ...]:
        """Return those of all fits, if they are all that predicts."""
        check_is_fitted(self)
        self._without_hidden_layers("a prediction with an interval")
        return self._fitted.posteriors

    def _without_hidden_layers(self, what: str) -> None:
        if self._network is not None:
            where, got = type(self).__name__, self.hidden_layer_sizes
            remedy = "Fit a model without hidden layers."
            constraint = f"() for {what}"
            raise ValueError(validate.message(where, "hidden_layer_sizes", constraint, got, remedy))


def _histograms(model: Additive, given: Table, weight: Vector) -> list[Histogram]:
    return [
        Histogram.of(term.column, values, weight)
        for term, values in zip(model.terms, given.columns, strict=True)
    ]


def _importance(model: Additive, given: Table, weight: Vector) -> Vector:
    """Return the standard deviation of each term's contribution."""
    share = weight / weight.sum()
    found = []
    for part in model.contributions(given.columns):
        variance = share @ (part - share @ part) ** 2
        found.append(np.sqrt(variance.mean()))
    return np.array(found)
