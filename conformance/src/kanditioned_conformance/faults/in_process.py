"""Runs the tests of the chapters in this process, on any backend, with settings of its own.

The chapters are imported once more under another name, because Hypothesis binds settings when a
test is defined and those of a surrounding pytest run are not to be touched.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, is_hypothesis_test, seed, settings

from .. import chapters, profiles
from ..backend_under_test import BackendUnderTest

PROFILE = profiles.Profile("in-process", 12, derandomize=True)
SEEDS = range(5)
SEEDED = profiles.Profile("seeded", 3)
EXPLICIT_AND_RANDOM = (Phase.explicit, Phase.generate)


@dataclass(frozen=True)
class ChapterTest:
    """One test of a chapter, with all values it is parametrized with."""

    name: str
    owner: type
    method: str
    arguments: tuple[dict[str, Any], ...]

    @property
    def draws(self) -> bool:
        """Whether it has random examples."""
        return is_hypothesis_test(getattr(self.owner, self.method))

    def run(self, backend_under_test: BackendUnderTest) -> None:
        """Run it, as pytest would; what a backend does not declare is skipped."""
        for arguments in self.arguments:
            record = backend_under_test.begin()
            test = getattr(self.owner(), self.method)
            try:
                test(backend_under_test=backend_under_test, **arguments)
            except pytest.skip.Exception:
                if not record.lacks:
                    raise
                continue
            if not record.ran:
                raise RuntimeError(f"{self.name} has checked nothing")


def chapter_tests(
    profile: profiles.Profile = PROFILE,
    phases: tuple[Phase, ...] = EXPLICIT_AND_RANDOM,
    seed_number: int | None = None,
) -> dict[str, ChapterTest]:
    """Return the tests of all chapters by name, `chapter::Class::test`.

    Args:
        profile: How much they try.
        phases: Of Hypothesis.
        seed_number: Of the random examples; the profile must not be derandomized.
    """
    surrounding = settings.get_current_profile_name()
    profiles.load(profile, phases)
    try:
        modules = [_import(path) for path in sorted(Path(chapters.__path__[0]).glob("test_*.py"))]
    finally:
        settings.load_profile(surrounding)
    found = {test.name: test for module in modules for test in _tests(module)}
    if seed_number is not None:
        for test in found.values():
            function = getattr(test.owner, test.method)
            if hasattr(function, "hypothesis"):
                seed(seed_number)(function)
    return found


def _import(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"{chapters.__name__}.again_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tests(module: Any) -> Iterator[ChapterTest]:
    chapter = Path(module.__file__).stem.removeprefix("test_")
    for owner in vars(module).values():
        if not isinstance(owner, type) or not owner.__name__.startswith("Test"):
            continue
        for method, function in vars(owner).items():
            if method.startswith("test_"):
                name = f"{chapter}::{owner.__name__}::{method}"
                yield ChapterTest(name, owner, method, tuple(_arguments(owner, function)))


def _arguments(owner: Any, function: Any) -> Iterator[dict[str, Any]]:
    """Yield what pytest would parametrize a test with."""
    marks = [*getattr(owner, "pytestmark", []), *getattr(function, "pytestmark", [])]
    for row in itertools.product(*(mark.args[1] for mark in marks)):
        arguments: dict[str, Any] = {}
        for mark, value in zip(marks, row, strict=True):
            names = mark.args[0]
            bare = not isinstance(value, type(pytest.param()))
            if isinstance(names, str):
                arguments[names] = value if bare else value.values[0]
            else:
                arguments |= zip(names, value if bare else value.values, strict=True)
        yield arguments


def seeded_tests() -> dict[int, dict[str, ChapterTest]]:
    """Return the tests that draw, with random examples alone, for every seed."""
    drawn = {number: chapter_tests(SEEDED, (Phase.generate,), number) for number in SEEDS}
    return {
        number: {name: test for name, test in tests.items() if test.draws}
        for number, tests in drawn.items()
    }
