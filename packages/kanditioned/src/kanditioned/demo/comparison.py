"""The same cross-validation for every model, and the table of its results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from .tasks import Task, models, num_parameters

FOLDS = 5


@dataclass(frozen=True)
class Result:
    """How one model did on one task.

    Attributes:
        task: The task.
        model: The model's name.
        scores: Score on each held-out fold.
        parameters: Number of parameters.
        seconds: Mean time of one fit at the chosen strength of regularisation.
    """

    task: Task
    model: str
    scores: tuple[float, ...]
    parameters: int
    seconds: float


def compare(task: Task, progress: Any) -> list[Result]:
    """Cross-validate every model of a task; `progress` wraps what is iterated over."""
    x, y = task.load()
    candidates = models(task, x, y)
    splits = list(task.folds(FOLDS).split(x, y))
    jobs = [(name, fold) for name in candidates for fold in range(FOLDS)]
    found: dict[str, list[tuple[float, int, float]]] = {name: [] for name in candidates}
    for name, fold in progress(jobs):
        train, test = splits[fold]
        search = clone(candidates[name]).fit(x[train], y[train])
        score = float(search.score(x[test], y[test]))
        found[name].append((score, num_parameters(search), search.refit_time_))
    return [_result(task, name, rows) for name, rows in found.items()]


def table(results: Iterable[Result]) -> str:
    """Return the results as text, one row per task and model."""
    header = ("data", "model", "score", "mean ± sd", "parameters", "seconds")
    rows: list[Sequence[str]] = [header]
    for result in results:
        mean, deviation = np.mean(result.scores), np.std(result.scores, ddof=1)
        score = f"{mean:.3f} ± {deviation:.3f}"
        rows.append(
            (
                result.task.name,
                result.model,
                result.task.score,
                score,
                f"{result.parameters}",
                f"{result.seconds:.2f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if column >= 4 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _result(task: Task, name: str, rows: list[tuple[float, int, float]]) -> Result:
    scores, parameters, seconds = zip(*rows, strict=True)
    return Result(task, name, scores, parameters[0], float(np.mean(seconds)))
