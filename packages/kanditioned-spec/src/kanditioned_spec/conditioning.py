"""Condition numbers of the parameterizations: what the choice of coordinates buys.

`python -m kanditioned_spec` prints them as a table.
"""

from __future__ import annotations

import numpy as np

from .grid import Array, Grid
from .parameterizations import DemmlerReinsch, Parameterization, parameterization
from .parameterizations.demmler_reinsch import mass_matrix
from .penalty import second_difference_matrix


def penalty_condition(p: Parameterization) -> float:
    """Return cond(TᵀDᵀDT) off its null space: the squared ratio of the singular values of D T.

    D T has rank K - 2 (or `degree` - 1 for truncated polynomials); with fewer than two non-zero
    singular values the condition is 1.
    """
    bent = second_difference_matrix(p.num_control_points) @ p.matrix()
    rank = min(p.num_control_points, p.num_parameters) - 2
    if rank < 2:
        return 1.0
    singular_values = np.linalg.svd(bent, compute_uv=False)[:rank]
    return float((singular_values[0] / singular_values[-1]) ** 2)


def joint_condition(p: Parameterization, smoothing: float, mass: Array) -> float:
    """Return cond(Tᵀ(M + λDᵀD)T): of the objective, data term plus λ times penalty.

    Computed from the stacked factor [RᵀT; √λ D T] with M = R Rᵀ, so that the squared range of
    the singular values never meets float64's limits.
    """
    t = p.matrix()
    data = np.linalg.cholesky(mass).T @ t
    bent = np.sqrt(smoothing) * second_difference_matrix(p.num_control_points) @ t
    singular_values = np.linalg.svd(np.vstack([data, bent]), compute_uv=False)
    rank = min(p.num_control_points, p.num_parameters)
    return float((singular_values[0] / singular_values[rank - 1]) ** 2)


PENALTY_ROWS: tuple[tuple[str, dict[str, object]], ...] = (
    ("bspline", {}),
    ("parallel_scan", {}),
    ("legendre", {}),
    ("prefix_sum", {}),
    ("dct", {"transform": "matmul"}),
    ("dct", {"transform": "fft"}),
)


def penalty_table(counts: tuple[int, ...]) -> str:
    """Return a table of penalty conditions, a row per parameterization, a column per K."""
    rows = []
    for name, options in PENALTY_ROWS:
        values = [penalty_condition(parameterization(name, k, **options)) for k in counts]
        rows.append((" ".join([name, *map(str, options.values())]), values))
    return _table("cond(TᵀDᵀDT) off the null space", counts, rows)


def joint_table(counts: tuple[int, ...], smoothings: tuple[float, ...], density: str) -> str:
    """Return a table of joint conditions, `demmler_reinsch` beside the others, per λ and K."""
    masses = {k: mass_matrix(Grid(k, 4.0), density) for k in counts}
    rows = []
    for smoothing in smoothings:
        for name in ("bspline", "prefix_sum", "dct", "legendre", "demmler_reinsch"):
            values = []
            for k in counts:
                options = (
                    {"smoothing": smoothing, "density": density}
                    if name == DemmlerReinsch.name
                    else {}
                )
                p = parameterization(name, k, **options)
                values.append(joint_condition(p, smoothing, masses[k]))
            rows.append((f"λ = {smoothing:.0e}  {name}", values))
    return _table(f"cond(Tᵀ(M + λDᵀD)T), {density} inputs", counts, rows)


def _table(title: str, counts: tuple[int, ...], rows: list[tuple[str, list[float]]]) -> str:
    lines = [title, " " * 28 + "".join(f"{f'K = {k}':>16}" for k in counts)]
    lines += [f"{label:<28}" + "".join(f"{v:>16.10g}" for v in values) for label, values in rows]
    return "\n".join(lines)
