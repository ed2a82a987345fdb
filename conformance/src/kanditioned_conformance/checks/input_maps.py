"""Input maps, against the spec's."""

from __future__ import annotations

import numpy as np

from kanditioned_spec import InputMap, numerics
from kanditioned_spec.grid import Array
from kanditioned_spec.protocol import CompleteBackend
from kanditioned_spec.rounding import round_to

from ..cases import Case
from ..tolerance import ConformanceError, Ratios, compare, describe
from .base import expect_own_memory, expect_untouched, needs

DAY = 1.7e9 + 60.0 * np.arange(1440)[:, None] + [0.0, 6e8]
"""The minutes of two days, in seconds since 1970: float32 knows such numbers to 128 seconds."""
OF_TWO = InputMap(
    [[-2.0, -1.0, 0.5, 4.0], [-3.0, -1.5, 0.0, 8.0]],
    [[-4.0, 0.0, 0.75, 1.0], [-1.0, 2.0, 2.5, 3.0]],
)
"""A map of two features that are mapped differently, whose breakpoints every dtype holds."""
COUNT = 9
"""Breakpoints of a map, unless a test is about their number."""


@needs("map_input")
def check_map_input(backend: CompleteBackend, case: Case, count: int = COUNT) -> Ratios:
    """Compare z on data and breakpoints and far outside, and check that it never falls."""
    p, data = case.problem, _data(case)
    numbers = InputMap.quantiles(data, count)
    end = 50.0 if p.dtype == "float16" else 1e3  # float16 ends at 65504, and z may be steep
    far = np.array([[-end], [-1.0], [1.0], [end]]) * np.ptp(data, axis=0) + data.mean(0)
    x = np.sort(round_to(np.concatenate([data, far, numbers.breakpoints.T]), p.dtype), axis=0)
    z, _ = backend.map_input(numbers, x, np.ones_like(x), p.dtype)
    falls = np.argwhere(np.diff(np.asarray(z, np.float64), axis=0) < 0)
    if falls.size:
        got = f"z falls between two inputs of feature {falls[0, 1]}\n{describe(p)}"
        raise ConformanceError("input map", np.inf, got)
    given = x.astype(np.float64)
    condition = numerics.input_map_condition(given, numbers)
    return compare("input map", p, z, numbers(given), condition)


@needs("map_input")
def check_map_slope(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare the gradient by x, on breakpoints too: there it is that of the piece on the right."""
    p = case.problem
    x = np.tile([[-3.0], [-2.0], [-1.5], [-1.0], [0.0], [0.5], [1.0], [4.0], [8.0]], 2)
    grad = round_to(np.random.default_rng(case.seed).normal(size=x.shape), p.dtype)
    given = round_to(x, p.dtype)
    with expect_untouched("map_input", given, grad):
        z, got = backend.map_input(OF_TWO, given, grad, p.dtype)
    for array in (given, grad):
        expect_own_memory("map_input", z, array)
        expect_own_memory("map_input", got, array)
    want = grad * OF_TWO.slope(x)
    return compare("slope of the input map", p, got, want, np.abs(want))


@needs("map_input")
def check_map_offset(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare z of float64 inputs far off zero, whose offset is not to be rounded to the dtype."""
    p, numbers = case.problem, InputMap.quantiles(DAY, 16)
    with expect_untouched("map_input", DAY):
        z, _ = backend.map_input(numbers, DAY, np.ones_like(DAY), p.dtype)
    condition = numerics.input_map_condition(DAY, numbers)
    return compare("input map of times", p, z, numbers(DAY), condition)


@needs("map_input")
def check_map_layouts(backend: CompleteBackend, case: Case) -> Ratios:
    """Compare z and the gradient for no rows, and for rows that do not lie one after the other."""
    p, rng = case.problem, np.random.default_rng(case.seed)
    x, grad = round_to(rng.normal(size=(2, 24, 2)), p.dtype)
    ratios: Ratios = {}
    for pair in ((x[:0], grad[:0]), map(np.asfortranarray, (x, grad)), (x[::-3], grad[::-3])):
        given, grad_z = pair
        z, slope = backend.map_input(OF_TWO, given, grad_z, p.dtype)
        condition = numerics.input_map_condition(given.astype(np.float64), OF_TWO)
        want = grad_z * OF_TWO.slope(given)
        ratios |= compare("input map", p, z, OF_TWO(given), condition)
        ratios |= compare("slope of the input map", p, slope, want, np.abs(want))
    return ratios


@needs("map_input")
def check_map_non_finite(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that NaN gives NaN, in the gradient too, infinities themselves; and the neighbours."""
    p, found = case.problem, np.array([np.nan, np.inf, -np.inf])
    x = np.stack([[*found, -1.0, 0.5, 4.0, np.nan], [-3.0, 0.0, 8.0, *found, np.nan]], axis=1)
    z, slope = backend.map_input(OF_TWO, round_to(x, p.dtype), np.ones_like(x), p.dtype)
    near = np.where(np.isfinite(x), x, 0.0)
    condition, rising = numerics.input_map_condition(near, OF_TWO), OF_TWO.slope(x)
    return compare("input map of NaN and infinity", p, z, OF_TWO(x), condition) | compare(
        "its slope", p, slope, rising, np.nan_to_num(rising)
    )


def _data(case: Case) -> Array:
    """Return a column each of skewed, tied, few and far values."""
    rng = np.random.default_rng(case.seed)
    columns = (
        rng.lognormal(0, 1.5, 200),
        np.where(rng.random(200) < 0.5, 0.0, rng.normal(size=200)),
        rng.integers(0, 3, 200).astype(float),
        1000 + rng.normal(size=200),
    )
    return np.stack(columns, axis=1)
