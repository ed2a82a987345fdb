"""A right backend passes every chapter; each planted fault is noticed where it should be."""

from __future__ import annotations

import pytest

from kanditioned_conformance import ConformanceError, Subject

from .chapters_in_process import chapter_tests
from .faults import FAULTS, Fault
from .plain import DTYPES, Plain

THOROUGH = chapter_tests(max_examples=30)
SEEDED = {number: chapter_tests(max_examples=8, seed_number=number) for number in (1, 2, 3)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDED)
@pytest.mark.parametrize("name", THOROUGH)
def test_plain_passes(name: str, dtype: str, seed: int) -> None:
    SEEDED[seed][name].run(Subject("plain", Plain(), dtype))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault_is_caught(fault: type[Fault]) -> None:
    expected = ValueError if fault.__name__ == "RefusesAnEmptyBatch" else ConformanceError
    with pytest.raises(expected):
        THOROUGH[fault.caught_by].run(Subject(fault.__name__, fault(), fault.dtype))
