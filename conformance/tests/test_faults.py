"""Each planted fault is noticed where it should be; what is right, however written, passes."""

from __future__ import annotations

import pytest
from hypothesis import Phase

from kanditioned_conformance import BackendUnderTest
from kanditioned_conformance.faults import EQUIVALENTS, FAULTS, Fault, Plain
from kanditioned_conformance.faults.__main__ import CHAPTERS_OF_MAPS
from kanditioned_conformance.faults.in_process import PROFILE, chapter_tests, seeded_tests
from kanditioned_conformance.faults.plain import DTYPES

TESTS = chapter_tests()
EXPLICIT = chapter_tests(PROFILE, (Phase.explicit,))
OF_LAYER = [name for name in TESTS if name.partition("::")[0] not in CHAPTERS_OF_MAPS]
SEEDED = seeded_tests()
TRIES = sorted({(fault.caught_by, fault.dtype) for fault in FAULTS})
"""What the faults are caught by; examples are the same in every run."""
ONE_EACH = [(backend, number % len(SEEDED)) for number, backend in enumerate(EQUIVALENTS)]
"""`python -m kanditioned_conformance.faults` tries them all under every seed, at night."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_is_caught(fault: type[Fault]) -> None:
    with pytest.raises(fault.raises):
        TESTS[fault.caught_by].run(BackendUnderTest(fault.__name__, fault(), fault.dtype))


@pytest.mark.parametrize(("name", "dtype"), TRIES)
def test_plain_passes_what_catches(name: str, dtype: str) -> None:
    TESTS[name].run(BackendUnderTest("plain", Plain(), dtype))


def test_names_are_unique_and_more_than_thirty() -> None:
    assert len({fault.__name__ for fault in FAULTS}) == len(FAULTS) > 30


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TESTS)
def test_plain_passes_every_chapter(name: str, dtype: str) -> None:
    EXPLICIT[name].run(BackendUnderTest("plain", Plain(), dtype))


@pytest.mark.parametrize(("backend", "seed"), [*((Plain, n) for n in SEEDED), *ONE_EACH])
def test_what_is_right_passes_under_a_seed(backend: type[Plain], seed: int) -> None:
    for name, test in SEEDED[seed].items():
        if backend is Plain or name in OF_LAYER:
            test.run(BackendUnderTest(backend.__name__, backend(), DTYPES[seed % len(DTYPES)]))


@pytest.mark.parametrize(("backend", "seed"), ONE_EACH)
def test_equivalents_pass_what_does_not_draw(backend: type[Plain], seed: int) -> None:
    for name in OF_LAYER:
        dtype = DTYPES[seed % len(DTYPES)]
        EXPLICIT[name].run(BackendUnderTest(backend.__name__, backend(), dtype))


def test_equivalents_say_why() -> None:
    assert all(equivalent.because for equivalent in EQUIVALENTS)
