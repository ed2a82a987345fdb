"""What is being tested: a backend at one dtype on one device, and what has been seen of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import hypothesis
import pytest

from kanditioned_spec import Backend, Problem

from .cases import Case
from .tolerance import ConformanceError, Ratios

Check = Callable[[Backend, Case], Ratios]
"""Computes with the backend; raises `ConformanceError` or returns how near the bound it came."""

PATIENCE = 50
"""After so many refusals, and no problem taken, a test is given up."""


class Seen(NamedTuple):
    """The largest |got - want| / bound of one comparison."""

    ratio: float
    dtype: str


@dataclass
class Ledger:
    """What the whole run saw of one backend.

    Attributes:
        largest: By what was compared.
        refused: How many problems the backend did not take, by its reason.
    """

    largest: dict[str, Seen] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def record(self, label: str, ratio: float, dtype: str) -> None:
        """Keep the larger of this ratio and what was seen before."""
        if label not in self.largest or ratio > self.largest[label].ratio:
            self.largest[label] = Seen(ratio, dtype)


@dataclass(eq=False, repr=False)
class Subject:
    """A backend at one dtype on one device.

    Attributes:
        name: What the backend was asked for as.
        backend: The backend.
        dtype: Storage dtype of every problem.
        device: Device of every problem.
        ledger: Shared by all subjects of the backend.
        ran: How many problems were checked since `begin`.
        reasons: Why problems were refused since `begin`.
    """

    name: str
    backend: Backend
    dtype: str = "float32"
    device: str = "cpu"
    ledger: Ledger = field(default_factory=Ledger)
    ran: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def __repr__(self) -> str:
        return f"Subject({self.name!r}, {self.dtype!r}, {self.device!r})"

    def begin(self) -> None:
        """Start counting for another test."""
        self.ran = 0
        self.reasons = Counter()

    def run(self, check: Check, case: Case) -> None:
        """Run a check on a case at this dtype and device.

        A problem that the backend refuses makes Hypothesis go on to the next one; a test that has
        no other, or has met `PATIENCE` refusals and nothing else, is skipped.

        Raises:
            ConformanceError: The backend is wrong.
        """
        case = case.on(self.dtype, self.device)
        if not self._takes(case.problem):
            hypothesis.reject()
        self.ran += 1
        try:
            ratios = check(self.backend, case)
        except ConformanceError as error:
            self.ledger.record(error.label, error.ratio, self.dtype)
            raise
        for label, ratio in ratios.items():
            self.ledger.record(label, ratio, self.dtype)
            if hypothesis.currently_in_test_context():
                hypothesis.target(ratio, label=label)

    def _takes(self, problem: Problem) -> bool:
        """Ask the backend whether it takes a problem; skip the test if there is none it takes."""
        info, never = self.backend.info, ""
        if problem.dtype not in info.dtypes:
            never = f"it does not declare dtype {problem.dtype}"
        elif problem.parameterization not in info.parameterizations:
            never = f"it does not declare parameterization {problem.parameterization}"
        answer = never or self.backend.supports(problem)
        if answer is True:
            return True
        self.reasons[str(answer)] += 1
        self.ledger.refused[str(answer)] += 1
        out_of_patience = not self.ran and self.reasons.total() >= PATIENCE
        if never or out_of_patience or not hypothesis.currently_in_test_context():
            pytest.skip(f"{self.name}: {'; '.join(self.reasons)}")
        return False
