"""Run every planted fault and every equivalent; the exit code is 0 if all are told apart.

python -m kanditioned_conformance.faults
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from hypothesis import Phase

from ..backend_under_test import BackendUnderTest
from . import EQUIVALENTS, FAULTS, Equivalent, Fault, Plain
from .in_process import PROFILE, ChapterTest, chapter_tests, seeded_tests
from .plain import DTYPES

CHAPTERS_OF_MAPS = (
    "parameterizations",
    "penalty",
    "initializers",
    "refinement",
    "errors",
    "checkpoints",
    "input_maps",
    "monotone_and_convex",
)
"""Chapters that the equivalents, which are about the layer, cannot change."""


def why_missed(fault: type[Fault], test: ChapterTest) -> str:
    """Return why a fault does not count as killed, or nothing."""
    try:
        test.run(BackendUnderTest(fault.__name__, fault(), fault.dtype))
    except fault.raises:
        pass
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    else:
        return "the test passes"
    try:
        test.run(BackendUnderTest("plain", Plain(), fault.dtype))
    except Exception as error:
        return f"the backend that is right fails as well: {error}"
    return ""


def why_refused(equivalent: type[Equivalent], tests: Iterable[tuple[ChapterTest, str]]) -> str:
    """Return how an equivalent fails some test at its dtype, or nothing."""
    for test, dtype in tests:
        try:
            test.run(BackendUnderTest(equivalent.__name__, equivalent(), dtype))
        except Exception as error:
            return f"{test.name} at {dtype}: {error}"
    return ""


def main() -> int:
    """Run them all and print the verdicts."""
    tests = chapter_tests()
    alive = 0
    for fault in FAULTS:
        why = why_missed(fault, tests[fault.caught_by])
        alive += bool(why)
        print(f"{'MISSED' if why else 'killed'}   {fault.__name__:<44} {fault.caught_by} {why}")
    explicit = chapter_tests(PROFILE, (Phase.explicit,)).values()
    tries = [(test, dtype) for test in explicit for dtype in ("float32", "bfloat16")]
    for seed, tests in seeded_tests().items():
        tries += [(test, DTYPES[seed % len(DTYPES)]) for test in tests.values()]
    of_layer = [t for t in tries if t[0].name.partition("::")[0] not in CHAPTERS_OF_MAPS]
    wronged = 0
    for equivalent in EQUIVALENTS:
        why = why_refused(equivalent, of_layer)
        wronged += bool(why)
        verdict = "REFUSED" if why else "passed "
        print(f"{verdict}  {equivalent.__name__:<44} {equivalent.because} {why}")
    print(f"{len(FAULTS) - alive} of {len(FAULTS)} planted faults killed")
    print(f"{len(EQUIVALENTS) - wronged} of {len(EQUIVALENTS)} equivalents pass")
    return int(alive + wronged > 0)


if __name__ == "__main__":
    sys.exit(main())
