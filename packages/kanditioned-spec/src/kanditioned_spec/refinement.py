"""Changing the grid without changing the functions.

Halving every interval (or cutting each in m) keeps all old knots, so the finer spline holds the
coarser one exactly: knot insertion. Likewise a wider domain whose new knots continue the old
spacing. Any other number of control points samples the old functions at the new knots, which cuts
their corners.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import numerics, validate
from .grid import Array, Grid


class ResampleWarning(UserWarning):
    """The new grid does not contain the old knots: the functions have changed a little."""


def is_exact(old_count: int, new_count: int) -> bool:
    """Whether K = `old_count` refines to `new_count` = m (K - 1) + 1 by knot insertion."""
    return (new_count - 1) % (old_count - 1) == 0


def refinement_matrix(old_count: int, new_count: int) -> Array:
    """Return the matrix (K', K) that evaluates the old spline at the new knots.

    Rows hold the two hat-function weights of a new knot: for an exact refinement they are
    multiples of 1/m, and a shared knot's row has a single one.
    """
    numerator = np.arange(new_count) * (old_count - 1)
    interval = np.minimum(numerator // (new_count - 1), old_count - 2)
    fraction = (numerator - interval * (new_count - 1)) / (new_count - 1)
    matrix = np.zeros((new_count, old_count))
    rows = np.arange(new_count)
    matrix[rows, interval] = 1 - fraction
    matrix[rows, interval + 1] = fraction
    return matrix


class GridChange(NamedTuple):
    """Another grid for the same functions.

    Attributes:
        grid: The new one.
        matrix: Shape (K', K), evaluates the old spline at the new knots: c' = matrix @ c.
    """

    grid: Grid
    matrix: Array


def nested_grids(grid: Grid, coarsest: int = 5) -> list[Grid]:
    """Return grids to train on one after the other, each of which the next holds exactly.

    First-order optimizers learn what is smooth in few steps on a coarse grid and in many on a fine
    one. So a fine spline trains best from a coarse one, refined again and again.

    The last is the one given. An even number of intervals comes from half as many. An odd one, n,
    comes from the smallest odd number that is at least n/3, of three times the spacing: they reach
    beyond the domain by less than one of them at either end, where a function goes on straight.

    Args:
        grid: The last grid.
        coarsest: Most intervals to begin with, >= 1.

    Example:
        >>> [coarse.num_control_points for coarse in nested_grids(Grid(32, 4.0))]
        [6, 12, 32]
    """
    remedy = "It counts intervals of the first grid."
    most = validate.integer("nested_grids", "coarsest", coarsest, 1, remedy)
    grids = [grid]
    while (intervals := grids[0].num_control_points - 1) > most:
        factor = 3 if intervals % 2 else 2
        fewer = -(-intervals // factor)
        fewer += intervals % 2 and 1 - fewer % 2
        width = grids[0].spline_width * fewer * factor / intervals
        grids.insert(0, Grid(fewer + 1, width))
    return grids


def nested_change(coarse: Grid, fine: Grid) -> GridChange:
    """Go from one grid of `nested_grids` to the next."""
    last = coarse.num_control_points - 1
    factor = round(coarse.spacing / fine.spacing)
    beyond = (factor * last - (fine.num_control_points - 1)) // 2
    rows = np.arange(fine.num_control_points)
    interval = np.minimum((rows + beyond) // factor, last - 1)
    fraction = (rows + beyond - interval * factor) / factor
    matrix = np.zeros((len(rows), last + 1))
    matrix[rows, interval] = 1 - fraction
    matrix[rows, interval + 1] = fraction
    return GridChange(fine, matrix)


def refine_grid(where: str, grid: Grid, num_control_points: int) -> GridChange:
    """Go to another number of control points.

    Args:
        where: The callable that the number is an argument of.
        grid: The old grid.
        num_control_points: K' >= 2. Exact for K' = m (K - 1) + 1.

    Warns:
        ResampleWarning: K' is of another form, so the functions change between the new knots.
    """
    count = validate.num_control_points(where, num_control_points)
    warn_unless_exact(grid.num_control_points, count)
    return GridChange(grid.refined(count), refinement_matrix(grid.num_control_points, count))


def widen_grid(where: str, grid: Grid, intervals: int) -> GridChange:
    """Extend the domain by whole intervals at both ends, along the extrapolated lines.

    Args:
        where: The callable that the number is an argument of.
        grid: The old grid.
        intervals: How many to add at each end, >= 0.
    """
    remedy = "Each end of the domain grows by this many knot spacings."
    steps = validate.integer(where, "intervals", intervals, 0, remedy)
    return GridChange(grid.widened(steps), widening_matrix(grid.num_control_points, steps))


def refine(control_points: npt.ArrayLike, num_control_points: int) -> Array:
    """Return control points (..., K', O) of the same functions on another number of knots.

    Args:
        control_points: Shape (..., K, O).
        num_control_points: K' >= 2. Exact for K' = m (K - 1) + 1.

    Warns:
        ResampleWarning: K' is of another form, so the functions change between the new knots.
    """
    c = np.asarray(control_points, dtype=np.float64)
    matrix = refine_grid("refine", Grid(c.shape[-2], 1.0), num_control_points).matrix
    return np.asarray(matrix @ c, dtype=np.float64)


def warn_unless_exact(old_count: int, new_count: int) -> None:
    """Warn that going from `old_count` to `new_count` knots resamples, if it does."""
    if is_exact(old_count, new_count):
        return
    nearest = round((new_count - 1) / (old_count - 1)) or 1
    validate.warn(
        f"refine: {new_count} control points do not contain the {old_count} old knots, so the "
        f"functions were resampled. {nearest * (old_count - 1) + 1} would keep them exactly.",
        ResampleWarning,
    )


def widen(
    control_points: npt.ArrayLike, spline_width: float, intervals: int
) -> tuple[Array, float]:
    """Extend the domain by whole intervals on both sides, along the extrapolated lines.

    Args:
        control_points: Shape (..., K, O).
        spline_width: Old width in input units.
        intervals: How many intervals to add at each end, >= 0.

    Returns:
        The new control points (..., K + 2 intervals, O) and the new width.
    """
    c = np.asarray(control_points, dtype=np.float64)
    grid = Grid(c.shape[-2], validate.spline_width("widen", spline_width))
    wide = widen_grid("widen", grid, intervals)
    return np.asarray(wide.matrix @ c, dtype=np.float64), wide.grid.spline_width


def wider_width(spline_width: float, num_control_points: int, intervals: int) -> float:
    """Return the width after `widen`: the spacing stays."""
    return Grid(num_control_points, spline_width).widened(intervals).spline_width


def widening_matrix(count: int, intervals: int) -> Array:
    """Return the matrix (K + 2 intervals, K) that evaluates the old spline at the new knots."""
    matrix = np.zeros((count + 2 * intervals, count))
    matrix[intervals : intervals + count] = np.eye(count)
    beyond = np.arange(1, intervals + 1)
    matrix[:intervals, 0], matrix[:intervals, 1] = 1 + beyond[::-1], -beyond[::-1]
    matrix[intervals + count :, -1] += 1 + beyond
    matrix[intervals + count :, -2] += -beyond
    return matrix


def resampling_matrix(count: int, old_width: float, new_width: float) -> Array:
    """Return the matrix (K, K) that evaluates splines of one width at the knots of another."""
    interval, fraction = Grid(count, old_width).locate(Grid(count, new_width).knots())
    matrix = np.zeros((count, count))
    rows = np.arange(count)
    matrix[rows, interval] = 1 - fraction
    matrix[rows, interval + 1] = fraction
    return matrix


def warn_if_resampling_changes(
    control_points: Array, dtype: str, old_width: float, new_width: float
) -> None:
    """Warn if the knots of a new width cannot hold the functions on the old ones.

    Compared at the old knots, within what rounding of the old control points may explain.

    Args:
        control_points: Shape (I, K, O), in float64.
        dtype: The name of the dtype that they were stored in.
        old_width: Their width of the domain in input units.
        new_width: The new one.

    Warns:
        ResampleWarning: The functions change.
    """
    c, count = control_points, control_points.shape[-2]
    there = resampling_matrix(count, old_width, new_width)
    back = resampling_matrix(count, new_width, old_width)
    eps = numerics.FORMATS[dtype].eps
    rounding = numerics.CONSTANT * eps * (abs(back) @ (abs(there) @ abs(c)) + abs(c))
    change = abs(back @ (there @ c) - c)
    if (change > rounding).any():
        validate.warn(
            f"fit_domain: the new knots do not contain the old ones, so the functions were "
            f"resampled, and changed by up to {change.max():.2g} at the old knots. "
            f'keep="spacing" would keep them exactly.',
            ResampleWarning,
        )
