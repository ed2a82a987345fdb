"""The same cross-validation for every model, and the table of its results."""

from __future__ import annotations

import time
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
        parameters: Number of learned numbers, the mean over the folds; None for trees.
        seconds: Mean time of one fit.
    """

    task: Task
    model: str
    scores: tuple[float, ...]
    parameters: float | None
    seconds: float


def compare(task: Task, progress: Any) -> list[Result]:
    """Cross-validate every model of a task; `progress` wraps what is iterated over."""
    x, y = task.load()
    candidates = models(task)
    splits = list(task.folds(FOLDS).split(x, y))
    jobs = [(name, fold) for name in candidates for fold in range(FOLDS)]
    found: dict[str, list[tuple[float, int | None, float]]] = {name: [] for name in candidates}
    for name, fold in progress(jobs):
        train, test = splits[fold]
        start = time.perf_counter()
        model = clone(candidates[name]).fit(x.iloc[train], y[train])
        seconds = time.perf_counter() - start
        score = float(model.score(x.iloc[test], y[test]))
        found[name].append((score, num_parameters(model), seconds))
    return [_result(task, name, rows) for name, rows in found.items()]


def table(results: Iterable[Result]) -> str:
    """Return the results as text, one row per task and model."""
    header = ("data", "model", "score", "mean ± sd", "parameters", "seconds")
    rows: list[Sequence[str]] = [header]
    for result in results:
        mean, deviation = np.mean(result.scores), np.std(result.scores, ddof=1)
        rows.append(
            (
                result.task.name,
                result.model,
                result.task.score,
                f"{mean:.3f} ± {deviation:.3f}",
                "" if result.parameters is None else f"{result.parameters:.0f}",
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


def _result(task: Task, name: str, rows: list[tuple[float, int | None, float]]) -> Result:
    scores, counts, seconds = zip(*rows, strict=True)
    known = [count for count in counts if count is not None]
    parameters = float(np.mean(known)) if known else None
    return Result(task, name, scores, parameters, float(np.mean(seconds)))
