"""Checkpoints."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kanditioned_spec import Problem

from .base import Fault
from .steps import Floats


class SavesFloat64AsFloat32(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"
    dtype = "float64"

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        super().save(problem, theta.astype(np.float32).astype(np.float64), path)


class LoadsEverythingAsFloat32(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"
    dtype = "bfloat16"

    def load(self, path: Any) -> tuple[Problem, Floats]:
        problem, theta = super().load(path)
        return replace(problem, dtype="float32"), theta


class ForgetsTheOptions(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"

    def load(self, path: Any) -> tuple[Problem, Floats]:
        problem, theta = super().load(path)
        return replace(problem, options=()), theta


class LosesTheSignOfZero(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        super().save(problem, theta + theta.dtype.type(0), path)


class SavesNaNAsZero(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        super().save(problem, np.where(np.isnan(theta), theta.dtype.type(0), theta), path)


class FlushesSubnormalsThatItSaves(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        tiny = np.abs(theta) < np.finfo(theta.dtype).tiny
        super().save(problem, np.where(tiny, np.copysign(theta.dtype.type(0), theta), theta), path)


class SavesToPathsAlone(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"
    raises = AttributeError

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        super().save(problem, theta, path.with_suffix(".safetensors"))


class KeepsTheFileThatIsThere(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        if not Path(path).exists():
            super().save(problem, theta, path)


class WritesAPickle(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"
    raises = ValueError

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        Path(path).write_bytes(pickle.dumps((problem, theta)))


class LoadsADamagedFileAsZeros(Fault):
    caught_by = "checkpoints::TestDamage::test_is_refused"

    def load(self, path: Any) -> tuple[Problem, Floats]:
        try:
            return super().load(path)
        except ValueError:
            return Problem(0, 1, 1, 2), np.zeros((1, 2, 1))


class DoesNotNameTheDamagedFile(Fault):
    caught_by = "checkpoints::TestDamage::test_is_refused"

    def load(self, path: Any) -> tuple[Problem, Floats]:
        try:
            return super().load(path)
        except ValueError:
            raise ValueError("invalid file") from None


class SavesNoShapes(Fault):
    caught_by = "checkpoints::TestShapes::test_between_backends"

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        super().save(replace(problem, monotone=(), convex=()), theta, path)


class LoadsNoShapes(Fault):
    caught_by = "checkpoints::TestShapes::test_between_backends"

    def load(self, path: Any) -> tuple[Problem, Floats]:
        problem, theta = super().load(path)
        return replace(problem, monotone=(), convex=()), theta


class LoadsAFileOfANewerFormat(Fault):
    caught_by = "checkpoints::TestDamage::test_is_refused"
    said: str = "newer"

    def load(self, path: Any) -> tuple[Problem, Floats]:
        try:
            return super().load(path)
        except ValueError as error:
            if self.said not in str(error):
                raise
            return Problem(0, 1, 1, 2), np.zeros((1, 2, 1))


class LoadsAFileWithAnUnknownField(LoadsAFileOfANewerFormat):
    caught_by = "checkpoints::TestDamage::test_is_refused"
    said = "is not the object of this schema"


class WritesToWhatItSaves(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        super().save(problem, theta, path)
        theta *= theta.dtype.type(2)


class LeavesAFileBesideWhatItSaves(Fault):
    caught_by = "checkpoints::TestBits::test_between_backends"

    def save(self, problem: Problem, theta: Floats, path: Any) -> None:
        super().save(problem, theta, path)
        Path(path).with_suffix(".part").touch()
