"""Runs the tests of the chapters in this process, on any backend, with settings of its own.

The chapters are imported once more under another name, because Hypothesis binds settings when a
test is defined and those of the surrounding pytest run are not to be touched.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings

from kanditioned_conformance import Subject, chapters


@dataclass(frozen=True)
class ChapterTest:
    """One test of a chapter, with all values it is parametrized with."""

    name: str
    owner: type
    method: str
    arguments: tuple[dict[str, Any], ...]

    def run(self, subject: Subject) -> None:
        """Run it, as pytest would."""
        for arguments in self.arguments:
            subject.begin()
            getattr(self.owner(), self.method)(subject=subject, **arguments)
            assert subject.ran, f"{self.name} checked nothing"


def chapter_tests(max_examples: int, seed_number: int | None = None) -> dict[str, ChapterTest]:
    """Return the tests of all chapters by name, at `max_examples`, derandomized unless seeded."""
    settings.register_profile(
        "in-process",
        max_examples=max_examples,
        database=None,
        deadline=None,
        derandomize=seed_number is None,
        phases=[Phase.explicit, Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    surrounding = settings.get_current_profile_name()
    settings.load_profile("in-process")
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
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tests(module: Any) -> Iterator[ChapterTest]:
    file = Path(module.__file__).name
    for owner in vars(module).values():
        if not isinstance(owner, type) or not owner.__name__.startswith("Test"):
            continue
        for method, function in vars(owner).items():
            if method.startswith("test_"):
                name = f"{file}::{owner.__name__}::{method}"
                yield ChapterTest(name, owner, method, tuple(_arguments(owner, function)))


def _arguments(owner: Any, function: Any) -> Iterator[dict[str, Any]]:
    marks = [*getattr(owner, "pytestmark", []), *getattr(function, "pytestmark", [])]
    tables = []
    for mark in marks:
        name, values = mark.args
        tables.append([{name: _plain_value(value)} for value in values])
    for row in itertools.product(*tables):
        yield {name: value for entry in row for name, value in entry.items()}


def _plain_value(value: Any) -> Any:
    return value.values[0] if isinstance(value, type(pytest.param())) else value
