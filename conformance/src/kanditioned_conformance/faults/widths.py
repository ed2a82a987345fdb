"""The width of the domain is a float of its own: it is not rounded to any dtype of an array."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kanditioned_spec import Problem
from kanditioned_spec.rounding import round_to

from .base import Fault
from .steps import Floats

SIZES = "shapes::TestCombinedSizes::test_any"


def rounded_width(problem: Problem, dtype: str) -> Problem:
    """Return the problem of a rounded width."""
    return replace(problem, spline_width=float(round_to(problem.spline_width, dtype)))


class RoundsTheWidthToTheStorageDtype(Fault):
    caught_by = SIZES
    dtype = "bfloat16"

    def position(self, problem: Problem, x: Floats) -> Floats:
        return super().position(rounded_width(problem, problem.dtype), x)


class RoundsTheWidthToFloat32(Fault):
    caught_by = SIZES
    dtype = "float64"

    def position(self, problem: Problem, x: Floats) -> Floats:
        return super().position(rounded_width(problem, "float32"), x)


class SlopesOfAWidthInFloat32(Fault):
    caught_by = SIZES
    dtype = "float64"

    def spacing(self, problem: Problem) -> Any:
        return super().spacing(rounded_width(problem, "float32"))


class InitialKnotsOfAWidthInFloat32(Fault):
    caught_by = "initializers::TestIdentity::test_knots_on_the_diagonal"
    dtype = "float64"

    def knots(self, count: int, width: float) -> Floats:
        return super().knots(count, float(np.float32(width)))


class SavesTheWidthInFloat32(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"
    dtype = "float64"

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        super().save(rounded_width(problem, "float32"), theta, path)
