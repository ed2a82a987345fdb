"""The functions of the tutorial on smoothing, fitted by least squares as there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from style import COLOURS, MUTED, figure, save

from kanditioned_spec import reference
from kanditioned_spec.penalty import second_difference_matrix

COUNT, WIDTH = 40, 2.0
TARGETS: tuple[Callable[[Any], Any], ...] = (lambda x: np.sin(4 * x), np.abs, lambda x: 0.5 * x)


def fit(smoothing: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs and the control points that minimise the objective of the tutorial."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 3))
    y = sum(f(x[:, i]) for i, f in enumerate(TARGETS)) + 0.5 * rng.standard_normal(300)
    basis = [reference.forward(x[:, i : i + 1], np.eye(COUNT)[None], WIDTH) for i in range(3)]
    h = WIDTH / (COUNT - 1)
    bent = np.kron(np.eye(3), second_difference_matrix(COUNT)) * np.sqrt(smoothing / h**3)
    rows = np.vstack([np.hstack(basis) / np.sqrt(len(y)), bent])
    right = np.concatenate([y / np.sqrt(len(y)), np.zeros(len(bent))])
    return x, np.linalg.lstsq(rows, right)[0].reshape(3, COUNT)


def main() -> None:
    """Draw the three functions: true, without smoothing, with it."""
    grid = np.linspace(-1, 1, 400)
    drawing = figure(7, 2.4)
    for i, axes in enumerate(drawing.subplots(1, 3)):
        for smoothing, colour in ((0.0, COLOURS[5]), (1e-4, COLOURS[0])):
            x, c = fit(smoothing)
            values = reference.forward(grid[:, None], c[i][None, :, None], WIDTH)[:, 0]
            axes.plot(grid, values - values.mean(), color=colour, label=f"λ = {smoothing:g}")
        true = TARGETS[i](grid)
        axes.plot(grid, true - true.mean(), "--", color=COLOURS[1], linewidth=1, label="true")
        axes.plot(x[:, i], np.full(300, -1.9), "|", color=MUTED, markersize=4, markeredgewidth=0.4)
        axes.set(title=f"input {i + 1}", ylim=(-2, 2))
    drawing.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save(drawing, "smoothing")


if __name__ == "__main__":
    main()
