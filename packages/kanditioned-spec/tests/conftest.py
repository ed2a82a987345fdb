"""Cases that several modules cross their properties with."""

from __future__ import annotations

from typing import Any

import pytest

from kanditioned_spec import Parameterization, parameterization

COUNTS = (2, 3, 4, 5, 8, 31, 32, 64, 257)

KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("bspline", {}),
    ("prefix_sum", {}),
    ("parallel_scan", {}),
    ("dct", {"transform": "auto"}),
    ("dct", {"transform": "fft"}),
    ("dct", {"transform": "matmul"}),
    ("legendre", {}),
    ("legendre", {"degree": 1}),
    ("legendre", {"degree": 3}),
    ("demmler_reinsch", {}),
    ("demmler_reinsch", {"smoothing": 1e-6}),
    ("demmler_reinsch", {"smoothing": 100.0, "density": "normal"}),
    ("demmler_reinsch", {"smoothing": 1.0, "density": "normal", "spline_width": 6.0}),
)

CASES = [
    (name, count, options)
    for name, options in KINDS
    for count in COUNTS
    if options.get("degree", 1) < count
]


def label(case: tuple[str, int, dict[str, Any]]) -> str:
    name, count, options = case
    return "-".join([name, f"K={count}", *(f"{key}={value}" for key, value in options.items())])


@pytest.fixture(params=CASES, ids=label)
def p(request: pytest.FixtureRequest) -> Parameterization:
    """Every parameterization, option and number of control points."""
    name, count, options = request.param
    return parameterization(name, count, **options)
