"""Each planted fault is noticed where it should be; what is right, however written, passes."""

from __future__ import annotations

import pytest
from hypothesis import Phase

from kanditioned_conformance import BackendUnderTest, profiles
from kanditioned_conformance.faults import EQUIVALENTS, FAULTS, Fault, Plain
from kanditioned_conformance.faults.__main__ import CHAPTERS_OF_MAPS, missed
from kanditioned_conformance.faults.in_process import PROFILE, chapter_tests
from kanditioned_conformance.faults.plain import DTYPES

TESTS = chapter_tests()
EXPLICIT = chapter_tests(PROFILE, (Phase.explicit,))
OF_LAYER = [name for name in TESTS if name.partition("::")[0] not in CHAPTERS_OF_MAPS]
SEEDS = range(5)
SEEDED = {
    seed: chapter_tests(profiles.Profile("seeded", 3), (Phase.generate,), seed) for seed in SEEDS
}
RIGHT = (Plain, *EQUIVALENTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_is_caught(fault: type[Fault]) -> None:
    assert not missed(fault, TESTS[fault.caught_by])


def test_names_are_unique_and_more_than_thirty() -> None:
    assert len({fault.__name__ for fault in FAULTS}) == len(FAULTS) > 30


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TESTS)
def test_plain_passes_every_chapter(name: str, dtype: str) -> None:
    EXPLICIT[name].run(BackendUnderTest("plain", Plain(), dtype))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("backend", RIGHT, ids=lambda backend: backend.__name__)
def test_what_is_right_passes_under_any_seed(backend: type[Plain], seed: int) -> None:
    backend_under_test = BackendUnderTest(backend.__name__, backend(), DTYPES[seed % len(DTYPES)])
    for name in TESTS if backend is Plain else OF_LAYER:
        SEEDED[seed][name].run(backend_under_test)


def test_equivalents_say_why() -> None:
    assert all(equivalent.because for equivalent in EQUIVALENTS)
