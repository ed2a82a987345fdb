"""Arguments that no layer can have."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.construction import check_acceptance, check_refusal

CASE = Case(Problem(0, 2, 3, 32))
COUNTS = ("in_features", "out_features", "num_control_points")
NO_INTEGERS = (None, True, False, 8.0, 2.5, float("nan"), float("inf"), "8", b"8", [8])
NO_NUMBERS = (None, True, "4", b"4", 4j, [4.0], np.array(4.0), np.array([4.0]))
NO_WIDTHS = (0, 0.0, -0.0, -4.0, float("inf"), -float("inf"), float("nan"), 10**400)
NO_NAMES = (None, True, 0, "", "spline", "BSPLINE", "Zero", ["zero"])
REFUSED: list[tuple[str, Any, str]] = [
    *((name, value, "TypeError") for name in COUNTS for value in (*NO_INTEGERS, np.array([8]))),
    *((name, value, "ValueError") for name in COUNTS for value in (0, -1, np.int64(-8))),
    ("num_control_points", 1, "ValueError"),
    *(("spline_width", value, "TypeError") for value in NO_NUMBERS),
    *(("spline_width", value, "ValueError") for value in NO_WIDTHS),
    *((name, value, "ValueError") for name in ("init", "parameterization") for value in NO_NAMES),
    ("init", "identity", "ValueError"),
]
SHAPES: list[tuple[str, Any, str]] = [
    ("monotone", (2, 0), "ValueError"),
    ("monotone", (1,), "ValueError"),
    ("monotone", "up", "TypeError"),
    ("convex", (0.5, 0), "ValueError"),
    ("convex", (1, 0, 0), "ValueError"),
    ("convex", 1, "TypeError"),
]
OPTIONS: list[tuple[str, str, Any, str]] = [
    *(("demmler_reinsch", "smoothing", value, "ValueError") for value in (-1.0, float("nan"))),
    ("demmler_reinsch", "smoothing", "1", "TypeError"),
    ("demmler_reinsch", "density", "gauss", "ValueError"),
    *(("legendre", "degree", value, "ValueError") for value in (0, 32)),
    ("legendre", "degree", 1.5, "TypeError"),
    ("dct", "transform", "dft", "ValueError"),
]
"""Of a map; K = 32 has no more than 31 degrees."""
ACCEPTED = [
    *((name, value) for name in COUNTS for value in (2, np.int64(2), np.uint8(2))),
    ("in_features", 1),
    *(("spline_width", value) for value in (4, 1e-3, 1e6, np.float32(4.0), np.int32(4))),
    ("init", "zero"),
]


def name_of(value: Any) -> str:
    """Return how a value is named in the address of a test: its letters, digits and signs."""
    kind = "" if isinstance(value, str) else type(value).__name__
    return re.sub(r"[^\w.+]+", "_", f"{kind} {str(value)[:12]}").strip("_") or "empty"


class TestMessages:
    """Callable and argument, constraint, received value, what to do; `assert` checks no input."""

    @pytest.mark.parametrize(("argument", "value", "error"), REFUSED, ids=name_of)
    def test_bad_arguments(
        self, backend_under_test: BackendUnderTest, argument: str, value: Any, error: str
    ) -> None:
        backend_under_test.run(check_refusal, CASE, argument=argument, value=value, error=error)

    @pytest.mark.parametrize(("argument", "value", "error"), SHAPES, ids=name_of)
    def test_bad_shapes(
        self, backend_under_test: BackendUnderTest, argument: str, value: Any, error: str
    ) -> None:
        """A sign for each feature."""
        backend_under_test.run(check_refusal, CASE, argument=argument, value=value, error=error)

    @pytest.mark.parametrize(("kind", "argument", "value", "error"), OPTIONS, ids=name_of)
    def test_bad_options(
        self,
        backend_under_test: BackendUnderTest,
        kind: str,
        argument: str,
        value: Any,
        error: str,
    ) -> None:
        case = CASE.of(kind)
        backend_under_test.run(check_refusal, case, argument=argument, value=value, error=error)

    @pytest.mark.parametrize(("argument", "value"), ACCEPTED, ids=name_of)
    def test_good_arguments(
        self, backend_under_test: BackendUnderTest, argument: str, value: Any
    ) -> None:
        backend_under_test.run(check_acceptance, CASE, argument=argument, value=value)
