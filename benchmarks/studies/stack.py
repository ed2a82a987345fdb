"""Networks of a competitor's layers as scikit-learn estimators, trained by the steps of ours.

As `kanditioned.estimators` in inputs (standardised, splines on [-3, 3] with 16 basis functions),
loop, batches and schedule of Adam; without a penalty and a refinement, which they do not share.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.preprocessing import LabelEncoder, StandardScaler
from torch import Tensor, nn

from kanditioned.estimators import training
from kanditioned.estimators.training import Array, Samples, Schedule
from kanditioned_spec import Grid
from kanditioned_spec.costs import Sizes

from ..speed.cases import Case
from ..speed.competitors import COMPETITORS
from ..speed.environments import load

HIDDEN, COUNT, WIDTH = 16, 16, 6.0
EPOCHS, SMALL, BATCH = 200, 512, 256
"""Of `KANRegressor`: up to `SMALL` samples are one batch."""
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared": F.mse_loss,
    "cross_entropy": F.cross_entropy,
}


class Stack(BaseEstimator):  # type: ignore[misc]
    """One hidden layer of a competitor.

    Args:
        competitor: Its name in `competitors`.
        folder: Where competitors are installed.
        learning_rate: Of Adam at the start; it falls to zero along a cosine.
    """

    def __init__(self, competitor: str, folder: Path, learning_rate: float = 2e-2) -> None:
        self.competitor = competitor
        self.folder = folder
        self.learning_rate = learning_rate

    def _train(self, x: Array, y: Array, outputs: int, loss: str) -> None:
        torch.manual_seed(0)
        competitor = next(c for c in COMPETITORS if c.label == self.competitor)
        make = load(competitor, self.folder)
        widths = (x.shape[1], HIDDEN, outputs)
        cases = (Case(Sizes(BATCH, i, o, COUNT), spline_width=WIDTH) for i, o in pairwise(widths))
        layers = [make(**competitor.arguments(case)) for case in cases]
        self.network_ = _model(competitor.framework)(layers, loss)
        self.scaler_ = StandardScaler().fit(x)
        samples = Samples(self.scaler_.transform(x).astype(np.float32), y, np.ones(len(x)))
        size = len(x) if len(x) <= SMALL else BATCH
        grids = (Grid(COUNT, WIDTH),)
        schedule = Schedule(grids, EPOCHS, size, self.learning_rate, EPOCHS, 0.0, False)
        model = cast(training.Model, self.network_)  # as far as is needed without validation
        self.loss_curve_, _ = training.train(
            model, samples, None, schedule, np.random.RandomState(0)
        )

    def _outputs(self, x: Array) -> Array:
        y: Array = self.network_.outputs(self.scaler_.transform(x).astype(np.float32))
        return y


class StackRegressor(RegressorMixin, Stack):  # type: ignore[misc]
    """Least squares on a standardised target."""

    def fit(self, x: Array, y: Array) -> Self:
        """Train on inputs (N, I) and targets (N,)."""
        self.mean_, self.deviation_ = y.mean(), y.std()
        target = ((y - self.mean_) / self.deviation_).astype(np.float32)
        self._train(x, target[:, None], 1, "squared")
        return self

    def predict(self, x: Array) -> Array:
        """Return predictions (N,)."""
        y: Array = self._outputs(x)[:, 0] * self.deviation_ + self.mean_
        return y


class StackClassifier(ClassifierMixin, Stack):  # type: ignore[misc]
    """Cross entropy, an output per class."""

    def fit(self, x: Array, y: Array) -> Self:
        """Train on inputs (N, I) and classes (N,)."""
        self.encoder_ = LabelEncoder().fit(y)
        self.classes_ = self.encoder_.classes_
        classes = self.encoder_.transform(y)
        self._train(x, classes, len(self.classes_), "cross_entropy")
        return self

    def predict(self, x: Array) -> Array:
        """Return classes (N,)."""
        labels: Array = self.encoder_.inverse_transform(self._outputs(x).argmax(1))
        return labels


def _model(framework: str) -> Callable[[list[Any], str], Any]:
    if framework == "torch":
        return Model
    from .nnx_stack import Model as NnxModel

    return NnxModel


class Model:
    """A network for `training.train`.

    Args:
        layers: Modules, of which some return their output first in a tuple.
        loss: One of `training.LOSSES`.
    """

    def __init__(self, layers: list[nn.Module], loss: str) -> None:
        self.network = nn.ModuleList(layers)
        self._loss = LOSSES[loss]
        trained = (p for p in self.network.parameters() if p.requires_grad)
        self._optimizer = torch.optim.Adam(trained)

    def _forward(self, x: Array) -> Tensor:
        y = torch.as_tensor(x)
        for layer in self.network:
            output = layer(y)
            y = output[0] if isinstance(output, tuple) else output
        return y

    def step(self, samples: Samples, learning_rate: float) -> float:
        """Take one Adam step and return the loss before it."""
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._optimizer.zero_grad()
        loss = self._loss(self._forward(samples.x), torch.as_tensor(samples.y))
        torch.autograd.backward(loss)
        self._optimizer.step()
        return float(loss.detach())

    def outputs(self, x: Array) -> Array:
        """Evaluate the network at inputs (N, I)."""
        with torch.no_grad():
            return cast(Array, self._forward(x).numpy())

    def finish(self) -> None:
        """Drop what only training needs."""
        del self._optimizer
