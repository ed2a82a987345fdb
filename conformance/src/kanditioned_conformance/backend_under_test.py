"""What is being tested: a backend at one dtype on one device, and what a test has seen of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest

from kanditioned_spec import Backend, Problem
from kanditioned_spec.protocol import offers

from .cases import Case
from .checks import NEEDS, Check
from .reproduce import command
from .tolerance import ConformanceError, Ratios

PATIENCE = 50
"""After so many refusals, and no problem taken, a test is given up."""


@dataclass
class Record:
    """What one test has seen of a backend.

    Attributes:
        ran: How many problems were checked.
        ratios: The largest |got - want| / bound, by what was compared.
        refused: How many problems the backend did not take, by its reason.
    """

    ran: int = 0
    ratios: Ratios = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

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
        case = case.on(self.dtype, self.device)
        if not self._takes(check, case.problem):
            hypothesis.reject()
        self.record.ran += 1
        try:
            ratios = check(self.backend, case, **arguments)
        except Exception as error:
            if isinstance(error, ConformanceError):
                self.record.keep({error.label: error.ratio})
            error.add_note(f"  reproduce: {command(self.name, check, case, arguments)}")
            raise
        self.record.keep(ratios)
        if hypothesis.currently_in_test_context():
            for label, ratio in ratios.items():
                hypothesis.target(ratio, label=label)

    def _takes(self, check: Check, problem: Problem) -> bool:
        """Ask the backend whether it takes a problem; skip the test if there is none it takes."""
        never = self._never(check, problem)
        answer = never or self.backend.supports(problem)
        if answer is True:
            return True
        if not isinstance(answer, str) or not answer:
            raise ConformanceError(
                "supports", float("inf"), f"it must return True or a reason, got {answer!r}"
            )
        refused = self.record.refused
        refused[answer] += 1
        out_of_patience = not self.record.ran and refused.total() >= PATIENCE
        if never or out_of_patience or not hypothesis.currently_in_test_context():
            pytest.skip("; ".join(refused))
        return False

    def _never(self, check: Check, problem: Problem) -> str:
        """Return why the backend takes no problem of this kind, if so."""
        info = self.backend.info
        for capability in NEEDS.get(check.__name__, ()):
            if not offers(self.backend, capability):
                return f"it does not offer {capability}"
        if problem.dtype not in info.dtypes:
            return f"it does not declare dtype {problem.dtype}"
        if problem.parameterization not in info.parameterizations:
            return f"it does not declare parameterization {problem.parameterization}"
        return ""
