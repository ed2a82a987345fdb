"""What has been learned, and what smoothing does to it: the additive model of the diabetes data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import cross_val_score

from ..plot import DATA, MUTED, SEQUENCE, figure, save, values
from .tasks import DIABETES_NAMES, TASKS, kan

STRENGTHS = np.logspace(-3, 2, 6)
SHOWN = (0, 1, 2, 5)
"""Which of the strengths have their function drawn."""
FEATURE = 8
"""The input whose function is drawn."""


def mappings(path: Path, smoothing: float) -> None:
    """Draw the learned function of every input."""
    task = TASKS[0]
    x, y = task.load()
    model = kan(task, smoothing=smoothing).fit(x, y)
    model.plot(
        x, centre=True, input_names=DIABETES_NAMES, max_panels=len(DIABETES_NAMES), path=path
    )


def smoothing_path(path: Path, progress: Any) -> float:
    """Draw one learned function at several λ, and the cross-validated score over λ.

    Returns:
        The λ with the best mean score.
    """
    task = TASKS[0]
    x, y = task.load()
    folds = task.folds(5)
    fitted, scores = [], []
    for strength in progress(STRENGTHS):
        model = kan(task, smoothing=strength)
        scores.append(cross_val_score(model, x, y, cv=folds))
        fitted.append(model.fit(x, y))
    mean = np.mean(scores, axis=1)
    error = np.std(scores, axis=1, ddof=1) / np.sqrt(len(scores[0]))
    with figure((6.2, 2.5)) as fig:
        left, right = fig.subplots(1, 2)
        _functions(left, [fitted[index] for index in SHOWN], x)
        right.fill_between(STRENGTHS, mean - error, mean + error, color=DATA, linewidth=0)
        right.plot(STRENGTHS, mean, color=MUTED, linewidth=1)
        for colour, index in zip(SEQUENCE, SHOWN, strict=False):
            right.plot(STRENGTHS[index], mean[index], "o", color=colour, markersize=4)
        right.set(xscale="log", xlabel="smoothing λ", ylabel="held-out R²")
        save(fig, path)
    return float(STRENGTHS[mean.argmax()])


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
    points = model.control_points_[feature, :, 0]
    offset, scale = model.input_offset_[feature], model.input_scale_[feature]
    curve, over = (values(points, (x - offset) / scale, model.spline_width) for x in (at, data))
    return curve - over.mean()
