"""The plugin, as a maintainer meets it: pytest in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BACKENDS = """
import dataclasses
from kanditioned_spec.backend import ReferenceBackend

class Wrong(ReferenceBackend):
    def forward(self, problem, x, control_points):
        return 1.01 * super().forward(problem, x, control_points)

class FewKnots(ReferenceBackend):
    def supports(self, problem):
        return problem.num_control_points <= 5 or "more than 5 control points"

class Nothing(ReferenceBackend):
    def supports(self, problem):
        return "it is Monday"

class BSplineOnly(ReferenceBackend):
    info = dataclasses.replace(ReferenceBackend.info, parameterizations=("bspline",))

wrong, few_knots, nothing, bspline_only = Wrong(), FewKnots(), Nothing(), BSplineOnly()
"""


class Run:
    """One run of the kit: exit code, output and outcome counts."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        (folder / "adopter.py").write_text(BACKENDS)
        command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "kanditioned_conformance.plugin", *arguments]
        command += ["--pyargs", "kanditioned_conformance.chapters"]
        path = os.pathsep.join([str(folder), *filter(None, sys.path)])
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        self.code = done.returncode
        self.output = done.stdout + done.stderr

    def count(self, outcome: str) -> int:
        found = re.search(rf"(\d+) {outcome}", self.output.splitlines()[-1])
        return int(found[1]) if found else 0


def test_header_and_summary(tmp_path: Path) -> None:
    run = Run(tmp_path, "-v", "--dtype", "float32", "--dtype", "float64", "-k", "TestValue")
    assert run.code == 0, run.output
    assert run.count("passed") == 2
    assert "profile dev (25 examples)" in run.output
    assert "backend reference: reference on numpy" in run.output
    assert "cpu, float32, float64" in run.output
    assert re.search(r"^value +0 ", run.output, re.MULTILINE)


def test_a_wrong_backend_fails_beside_a_right_one(tmp_path: Path) -> None:
    run = Run(
        tmp_path, "--backend", "reference", "--backend", "adopter:wrong", "--dtype", "float32",
        "-k", "TestValue",
    )  # fmt: skip
    assert run.code == 1
    assert (run.count("passed"), run.count("failed")) == (1, 1)
    assert "OUT OF BOUNDS" in run.output
    assert "case=Case(problem=Problem(" in run.output


@pytest.mark.parametrize("profile", ["dev", "ci"])
def test_refused_problems_are_reported(tmp_path: Path, profile: str) -> None:
    run = Run(
        tmp_path, "--backend", "adopter:few_knots", "--dtype", "float32", "--profile", profile,
        "-k", "TestValue or TestPositions",
    )  # fmt: skip
    assert run.code == 0, run.output
    assert run.count("passed") == 1
    assert run.count("skipped") == 12
    assert re.search(r"\d+ problems refused: more than 5 control points", run.output)


def test_a_backend_that_refuses_everything_passes_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, "-rs", "--backend", "adopter:nothing", "--dtype", "float32")
    assert run.count("passed") == run.count("failed") == 0
    assert run.count("skipped") > 50
    assert "it is Monday" in run.output


def test_undeclared_parameterizations_and_dtypes_are_skipped(tmp_path: Path) -> None:
    run = Run(
        tmp_path, "--backend", "adopter:bspline_only", "--dtype", "float32", "--dtype", "float8",
        "-k", "TestPenalty",
    )  # fmt: skip
    assert (run.count("passed"), run.count("failed")) == (1, 0)
    assert run.count("skipped") == 19


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--backend", "no_such"), "must be one of"),
        (("--backend", "no_such_module:backend"), "cannot be imported"),
        (("--device", "abacus"), "has no device 'abacus'"),
    ],
)
def test_usage_errors(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    run = Run(tmp_path, *arguments)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert message in run.output
