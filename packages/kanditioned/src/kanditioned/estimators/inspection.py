"""What a fitted estimator says about itself: its terms, their sizes, pictures and a report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from kanditioned_spec import validate
from kanditioned_spec.checkpoint.network import write_network

from .. import backends
from ..plot import plot_network
from ..plot.arguments import names_of
from . import additive, conversion, ends, networks, pictures, reading, report
from .additive import Fitted, Settings
from .arrays import Array, Matrix, Vector
from .batches import LeastSquares
from .families import Gamma, Logistic, Poisson, Softmax, Squared
from .pictures import Histogram
from .reading import Table
from .terms import Additive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONTRIBUTIONS: dict[type, str] = {
    Squared: "contribution to the prediction",
    Logistic: "contribution to the log-odds",
    Softmax: "contribution to the logarithm of the probability",
    Poisson: "contribution to the logarithm of the mean",
    Gamma: "contribution to the logarithm of the mean",
}

HISTOGRAM_ROWS = 1 << 16
"""Most rows that a histogram counts."""


class Inspection(BaseEstimator):  # type: ignore[misc]
    """The part of an estimator that explains what was learned."""

    _sums: LeastSquares | None = None
    _found: Fitted | None
    _batch_settings: Settings

    @property
    def _fitted(self) -> Fitted:
        """The result of `fit`, or of all batches of `partial_fit`, which are solved when asked."""
        check_is_fitted(self)
        if self._found is None:
            assert self._sums is not None
            found = additive.solve(self._sums, self._batch_settings)
            self._found = replace(found, model=ends.limit_ends(found.model, found.shares))
        return self._found

    @property
    def model_(self) -> Additive:
        """The fitted additive model: its intercept, terms and surfaces."""
        return self._fitted.model

    @property
    def intercept_(self) -> Vector:
        """The prediction (log-odds, logarithm of the mean) of an average row, shape (O,)."""
        return self.model_.intercept

    @property
    def edf_(self) -> Vector:
        """Effective degrees of freedom of each column's curve: 1 is a straight line, shape (I,)."""
        edf: Vector = self._fitted.edf[: self.n_features_in_]
        return edf

    @property
    def smoothing_(self) -> Vector:
        """λ of each column's curve, NaN for categories, shape (I,)."""
        return self._fitted.smoothing

    @property
    def importance_(self) -> Vector:
        """Standard deviation of each term's contribution over the training rows, shape (T,).

        In units of the prediction, with several outputs the root of the mean square over them.
        Terms are the columns and then the pairs, as `term_names_` says.
        """
        return self._fitted.importance

    @property
    def term_names_(self) -> list[str]:
        """Names of the columns, and of the pairs as "first × second"."""
        model = self.model_
        names = [term.column.name for term in model.terms]
        return names + [" × ".join(names[i] for i in s.pair) for s in model.surfaces]

    @property
    def num_parameters_(self) -> int:
        """Number of values that were learned."""
        model = self.model_
        parts: list[Any] = [model.intercept]
        parts += [term.effects for term in model.terms]
        parts += [surface.product.values for surface in model.surfaces]
        if self._network is not None:
            parts += [layer.theta for layer in self._network.model.network.layers]
        return sum(int(np.prod(part.shape)) for part in parts)

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
        parts = np.stack(list(self.model_.contributions(given.columns)), axis=1).astype(given.dtype)
        explained: Array = parts[:, :, 0] if parts.shape[2] == 1 else parts
        return explained

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
        shown = self._histograms
        if X is not None:
            given = self._read(X)
            shown = histograms(self.model_, given, np.ones(len(given)))
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
            self.model_, self._deviations(), shown, self._fitted.importance, names=names,
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
            self.term_names_,
            model.terms,
            self._fitted.importance,
            self._fitted.edf,
            self.smoothing_,
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
            ends.pad(np.sqrt(np.mean([p.term_variance(i) for p in found], axis=0)), term.column)
            for i, term in enumerate(self.model_.terms)
        ]

    def _read(self, X: Any) -> Table:
        return reading.inputs(self, X)

    def _without_hidden_layers(self, what: str) -> None:
        if self._network is not None:
            where, got = type(self).__name__, self.hidden_layer_sizes
            remedy = "Fit a model without hidden layers."
            constraint = f"() for {what}"
            raise ValueError(validate.message(where, "hidden_layer_sizes", constraint, got, remedy))


def histograms(model: Additive, given: Table, weight: Vector) -> list[Histogram]:
    """Return the histogram of every column, in a large table that of evenly spaced rows."""
    step = -(-len(given) // HISTOGRAM_ROWS)
    given, weight = given.take(slice(None, None, step)), weight[::step]
    return [
        Histogram.of(term.column, values, weight)
        for term, values in zip(model.terms, given.columns, strict=True)
    ]
