"""The strict backend passes the kit: the kit itself relies on nothing that the spec leaves open."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import Phase

from kanditioned_conformance import BackendUnderTest
from kanditioned_conformance.faults.in_process import PROFILE, chapter_tests
from kanditioned_spec.strict import UnpromisedWarning, backend

EXPLICIT = chapter_tests(PROFILE, (Phase.explicit,))


@pytest.mark.parametrize("name", EXPLICIT)
def test_passes(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnpromisedWarning)
        EXPLICIT[name].run(BackendUnderTest("strict", backend, "bfloat16"))
