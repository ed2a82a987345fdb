"""What has been learned, and what smoothing does to it: the additive model of the diabetes data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import cross_validate

from ..plot import DATA, MUTED, SEQUENCE, figure
from .tasks import DIABETES_NAMES, TASKS, kan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRENGTHS = np.logspace(-2, 3, 6)
SHOWN = (0, 1, 2, 5)
"""Which of the strengths have their function drawn."""
FEATURE = 8
"""The input whose function is drawn."""


def mappings(smoothing: float) -> Figure:
    """Draw the learned function of every input."""
    task = TASKS[0]
    x, y = task.load()
    model = kan(task, smoothing=smoothing).fit(x, y)
    names = {"input_names": DIABETES_NAMES, "max_panels": len(DIABETES_NAMES)}
    drawn: Figure = model.plot(x, **names)
    return drawn


def smoothing_path(progress: Any) -> tuple[Figure, float]:
    """Draw one learned function at several λ, and the score over λ, in training and held out.

    Returns:
        The picture, and the λ with the best mean held-out score.
    """
    task = TASKS[0]
    x, y = task.load()
    folds = task.folds(5)
    fitted, held_out, training = [], [], []
    for strength in progress(STRENGTHS):
        model = kan(task, smoothing=strength)
        scores = cross_validate(model, x, y, cv=folds, return_train_score=True)
        held_out.append(scores["test_score"])
        training.append(scores["train_score"].mean())
        fitted.append(model.fit(x, y))
    mean = np.mean(held_out, axis=1)
    error = np.std(held_out, axis=1, ddof=1) / np.sqrt(len(held_out[0]))
    with figure((6.2, 2.5)) as fig:
        left, right = fig.subplots(1, 2)
        _functions(left, [fitted[index] for index in SHOWN], x)
        right.plot(STRENGTHS, training, "--", color=MUTED, linewidth=1, label="training")
        right.fill_between(STRENGTHS, mean - error, mean + error, color=DATA, linewidth=0)
        right.plot(STRENGTHS, mean, color=MUTED, linewidth=1, label="held out, ± standard error")
        for colour, index in zip(SEQUENCE, SHOWN, strict=False):
            right.plot(STRENGTHS[index], mean[index], "o", color=colour, markersize=4)
        right.set(xscale="log", xlabel="smoothing λ", ylabel="R²")
        right.legend()
    return fig, float(STRENGTHS[mean.argmax()])


def _functions(panel: Any, models: list[Any], x: Any) -> None:
    """Draw the function of `FEATURE` in every model, over the histogram of the data."""
    column = x[:, FEATURE]
    at = np.linspace(column.min(), column.max(), 400)
    counts, bounds = np.histogram(column, bins=40)
    behind = panel.get_xaxis_transform()
    panel.stairs(0.3 * counts / counts.max(), bounds, fill=True, color=DATA, transform=behind)
    for colour, index, model in zip(SEQUENCE, SHOWN, models, strict=False):
        label = f"λ = $10^{{{np.log10(STRENGTHS[index]):g}}}$"
        panel.plot(at, effect(model, FEATURE, at, column), color=colour, label=label)
    panel.set(xlabel=DIABETES_NAMES[FEATURE], ylabel="contribution to prediction")
    panel.legend()


def effect(model: Any, feature: int, at: Any, data: Any) -> Any:
    """Return the effect of one input of an additive model, less its mean over the data."""
    term = model.model_.terms[feature]
    return term(at)[:, 0] - term(data)[:, 0].mean()
