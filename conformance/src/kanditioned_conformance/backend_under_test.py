"""A backend at one dtype on one device, and what the current test has seen of it."""

from __future__ import annotations

import unittest
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis
import pytest
from hypothesis.errors import UnsatisfiedAssumption

from kanditioned_spec import Backend, Problem

from .cases import Case
from .checks import NEEDS, Check
from .checks.base import Needs
from .reproduce import command
from .shapes import PARTICULAR
from .tolerance import ConformanceError, Ratios

PATIENCE = 50
"""After so many refusals, and no problem taken, a test is given up."""

EVASIONS = (
    pytest.skip.Exception,
    pytest.xfail.Exception,
    pytest.exit.Exception,
    unittest.SkipTest,
    UnsatisfiedAssumption,
    SystemExit,
)
"""What an adapter may raise that a test runner takes for something else than a failure."""


@dataclass
class Record:
    """What one test has seen of a backend.

    Attributes:
        ran: How many problems were checked.
        ratios: The largest |got - want| / bound, by what was compared.
        refused: How many problems the backend did not take, by its reason.
        lacks: What the backend does not offer or declare, if that keeps the test from running.
    """

    ran: int = 0
    ratios: Ratios = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    lacks: str = ""

    def keep(self, ratios: Ratios) -> None:
        """Keep the larger of these ratios and what was seen before."""
        for label, ratio in ratios.items():
            self.ratios[label] = max(ratio, self.ratios.get(label, 0.0))


@dataclass(eq=False, repr=False)
class BackendUnderTest:
    """A backend at one dtype on one device.

    Attributes:
        name: What the backend was asked for as.
        backend: The backend.
        dtype: Storage dtype of every problem.
        device: Device of every problem.
        record: Of the current test.
    """

    name: str
    backend: Backend
    dtype: str = "float32"
    device: str = "cpu"
    record: Record = field(default_factory=Record)

    def __repr__(self) -> str:
        return f"BackendUnderTest({self.name!r}, {self.dtype!r}, {self.device!r})"

    @property
    def id(self) -> str:
        """How tests of it are named."""
        return f"{self.name}-{self.dtype}"

    def begin(self) -> Record:
        """Start the record of another test."""
        self.record = Record()
        return self.record

    def run(self, check: Check, case: Case, **arguments: Any) -> None:
        """Run a check on a case at this dtype and device.

        A problem that the backend refuses makes Hypothesis go on to the next one; a test that has
        no other, or has met `PATIENCE` refusals and nothing else, is skipped.

        Args:
            check: One of `checks`.
            case: What to run it on.
            **arguments: Further arguments of the check.

        Raises:
            ConformanceError: The backend is wrong; a note says how to reproduce it.
        """
        info = self.backend.info
        case = case.on(self.dtype, self.device).under(info.extrapolation)
        if info.fixed_problems and not _is_about_its_size(case):
            drawn = hypothesis.currently_in_test_context()
            case = case.fit_to(info.fixed_problems, keep_batch=not drawn)
        if not self._takes(check, case):
            hypothesis.reject()
        self.record.ran += 1
        try:
            ratios = check(self.backend, case, **arguments)
        except EVASIONS as evasion:
            raise ConformanceError("adapter", float("inf"), _describe_evasion(evasion)) from None
        except Exception as error:
            if isinstance(error, ConformanceError):
                self.record.keep({error.label: error.ratio})
            error.add_note(f"  reproduce: {command(self.name, check, case, arguments)}")
            raise
        self.record.keep(ratios)
        if hypothesis.currently_in_test_context():
            for label, ratio in ratios.items():
                hypothesis.target(ratio, label=label)

    def _takes(self, check: Check, case: Case) -> bool:
        """Ask the backend whether it takes a problem; skip the test if there is none it takes."""
        if lacks := self._lacks(check, case):
            self.record.lacks = lacks
            pytest.skip(lacks)
        reason = self._refusal(case.problem)
        if not reason:
            return True
        refused = self.record.refused
        refused[reason] += 1
        out_of_patience = not self.record.ran and refused.total() >= PATIENCE
        if out_of_patience or not hypothesis.currently_in_test_context():
            pytest.skip("; ".join(refused))
        return False

    def _refusal(self, problem: Problem) -> str:
        """Return the reason why the backend does not take a problem, or nothing."""
        fixed = self.backend.info.fixed_problems
        if fixed and not any(_same_sizes(problem, each) for each in fixed):
            return "it has other sizes, which are fixed"
        try:
            answer = self.backend.supports(problem)
        except EVASIONS as evasion:
            raise ConformanceError("supports", float("inf"), _describe_evasion(evasion)) from None
        if answer is True:
            return ""
        if not isinstance(answer, str) or not answer:
            message = f"it must return True or a reason, got {answer!r}"
            raise ConformanceError("supports", float("inf"), message)
        return answer

    def _lacks(self, check: Check, case: Case) -> str:
        """Return why the backend takes no problem of this kind, if so."""
        info, problem = self.backend.info, case.problem
        if unmet := NEEDS.get(check.__name__, Needs()).lacks(self.backend):
            return unmet
        if problem.parameterization not in info.parameterizations:
            return f"it does not declare parameterization {problem.parameterization}"
        if info.extrapolation is None and case.goes_outside:
            return "it does not declare an extrapolation"
        return ""


def _is_about_its_size(case: Case) -> bool:
    """Whether another problem would not do: more features or knots than any row of the table."""
    return replace(case.problem, dtype="float32", device="cpu") in PARTICULAR


def _same_sizes(one: Problem, other: Problem) -> bool:
    sizes = ("in_features", "out_features", "num_control_points", "spline_width")
    same = all(getattr(one, name) == getattr(other, name) for name in sizes)
    return same and other.batch in (0, one.batch)


def _describe_evasion(evasion: BaseException) -> str:
    name = type(evasion).__name__
    return (
        f"it has raised {name} ({evasion}) in place of a result. What it does not take, "
        "`supports` must refuse with a reason; what it does not do, it must not declare."
    )
