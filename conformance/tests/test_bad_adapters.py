"""Adapters that hang, crash, evade or are not there: a line for each, and the rest goes on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kanditioned_conformance import cli
from kanditioned_conformance.report import Report, counts

ADAPTERS = """
import ctypes, dataclasses, os, signal, time, unittest
import numpy as np
import pytest
from kanditioned_spec import Problem
from kanditioned_spec.backend import ReferenceBackend

class ForwardOnly:
    info = dataclasses.replace(ReferenceBackend.info, dtypes=("float32",))
    supports, forward = ReferenceBackend.supports, ReferenceBackend.forward

class AtManyKnots(ForwardOnly):
    def __init__(self, act):
        self.act = act
    def forward(self, problem, x, c):
        if problem.num_control_points == 256:
            self.act()
        return ReferenceBackend.forward(self, problem, x, c)

def sleep():
    time.sleep(60)

def hold():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(60)

def skip():
    pytest.skip("no kernel")

def xfail():
    pytest.xfail("known")

def skip_as_unittest():
    raise unittest.SkipTest("no kernel")

def reject():
    import hypothesis
    hypothesis.reject()

class OneGradient(ForwardOnly):
    info = dataclasses.replace(ForwardOnly.info, gradients=("x",))
    def vjp(self, *arguments):
        return ReferenceBackend.vjp(self, *arguments)[0], None

class MissingGradient(OneGradient):
    info = ForwardOnly.info

class Wide:
    info, supports = ForwardOnly.info, ForwardOnly.supports
    def forward(self, problem, x, c):
        raise SystemExit(0)

class Fixed(ForwardOnly):
    info = dataclasses.replace(
        ForwardOnly.info, fixed_problems=(Problem(0, 3, 2, 6, 2.0), Problem(4, 2, 2, 5))
    )
    def forward(self, problem, x, c):
        sizes = (problem.in_features, problem.num_control_points, problem.spline_width)
        assert sizes in ((3, 6, 2.0), (2, 5, 4.0)), problem
        assert sizes[0] == 3 or problem.batch == 4
        return ReferenceBackend.forward(self, problem, x, c)

class ConstantAtEnds(ForwardOnly):
    info = dataclasses.replace(ForwardOnly.info, extrapolation="constant", gradients=("x",))
    def forward(self, problem, x, c):
        end = problem.spline_width / 2
        return ReferenceBackend.forward(self, problem, x.clip(-end, end), c)
    def vjp(self, problem, x, c, gy):
        end = problem.spline_width / 2
        gx, _ = ReferenceBackend.vjp(self, problem, x, c, gy)
        return gx * ~(abs(x) > end), None

class ZeroOutside(ForwardOnly):
    info = dataclasses.replace(ForwardOnly.info, extrapolation="zero")
    def forward(self, problem, x, c):
        inside = ~(abs(x) > problem.spline_width / 2)
        y = 0
        for i in range(c.shape[0]):
            here, one = inside[..., i, None], slice(i, i + 1)
            value = ReferenceBackend.forward(self, problem, np.where(here, x[..., one], 0), c[one])
            y = y + np.where(here, value, 0)
        return y

class Inside(ForwardOnly):
    info = dataclasses.replace(ForwardOnly.info, extrapolation=None)
    def forward(self, problem, x, c):
        assert not (abs(x) > problem.spline_width / 2).any()
        return ReferenceBackend.forward(self, problem, x, c)

forward_only, one_gradient, missing_gradient = ForwardOnly(), OneGradient(), MissingGradient()
hangs, holds = AtManyKnots(sleep), AtManyKnots(hold)
crashes, aborts = AtManyKnots(lambda: ctypes.string_at(0)), AtManyKnots(os.abort)
exits = AtManyKnots(lambda: os._exit(0))
skips, xfails = AtManyKnots(skip), AtManyKnots(xfail)
skips_as_unittest, rejects, leaves = AtManyKnots(skip_as_unittest), AtManyKnots(reject), Wide()
fixed, constant, zero, inside = Fixed(), ConstantAtEnds(), ZeroOutside(), Inside()
"""
MODULE = ("-m", "kanditioned_conformance", "-p", "no:cacheprovider")
FORWARD_ONLY = 24


class Run:
    """One run: exit code, output and the report's outcomes."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        (folder / "adapters.py").write_text(ADAPTERS)
        (folder / "pytest.ini").write_text("[pytest]\n")  # else that of a folder above is taken
        command = [sys.executable, *MODULE, "--report", "out.json", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        self.code, self.output = done.returncode, done.stdout + done.stderr
        path = folder / "out.json"
        self.results = Report.read(path).results if path.exists() else ()
        self.counts = counts(self.results)


def test_a_bare_name_is_refused_with_the_option_that_takes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["torch"])
    assert end.value.code == 2
    assert "Name a backend with --backend torch." in capsys.readouterr().err


def test_a_backend_without_gradients_is_green_on_what_it_does(tmp_path: Path) -> None:
    run = Run(tmp_path, "--backend", "adapters:forward_only")
    assert run.code == 0, run.output
    assert set(run.counts) == {"passed", "skipped"}
    assert run.counts["passed"] >= FORWARD_ONLY
    passed = {result.test for result in run.results if result.outcome == "passed"}
    assert not [name for name in passed if "gradient" in name or "Maps" in name]


def test_one_of_two_gradients_may_be_declared(tmp_path: Path) -> None:
    run = Run(tmp_path, "--backend", "adapters:one_gradient", "-k", "TestInputs or TestControl")
    assert run.code == 0, run.output
    assert run.counts["passed"] > 2
    skipped = {result.reason for result in run.results if result.outcome == "skipped"}
    assert skipped == {"it does not declare the gradient by control_points"}


def test_a_declared_gradient_that_is_none_fails(tmp_path: Path) -> None:
    run = Run(tmp_path, "--backend", "adapters:missing_gradient", "-k", "TestControlPoints")
    assert run.code == 1
    assert "it is None, but `info.gradients` names 'control_points'" in run.output


@pytest.mark.parametrize("name", ["constant", "zero", "inside"])
def test_another_extrapolation_is_judged_by_what_is_declared(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path, "--backend", f"adapters:{name}")
    assert run.code == 0, run.output
    assert "extrapolation" in run.output.partition("\n=")[0] or name == "inside"
    outside = [r for r in run.results if r.chapter == "extrapolation" and r.outcome == "passed"]
    assert bool(outside) == (name != "inside")


def test_sizes_may_be_fixed(tmp_path: Path) -> None:
    run = Run(tmp_path, "--backend", "adapters:fixed", "--profile", "ci")
    assert run.code == 0, run.output
    assert "2 fixed sizes" in run.output
    assert "problems refused: it has other sizes, which are fixed" in run.output


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize(
    ("name", "outcome"),
    [("hangs", "timed out"), ("holds", "timed out"), ("crashes", "crashed"), ("aborts", "crashed"),
     ("exits", "crashed")],
)  # fmt: skip
def test_a_hang_or_a_crash_is_a_result(
    tmp_path: Path, name: str, outcome: str, workers: str
) -> None:
    # What does not hang takes milliseconds: a busy machine has seconds to spare for it.
    run = Run(
        tmp_path, "--backend", "reference", "--backend", f"adapters:{name}", "--dtype", "float32",
        "--timeout", "5", "-n", workers,
        "-k", "TestPositions and (test_value or test_gradient_of_inputs)",
    )  # fmt: skip
    assert run.code == 1, run.output
    mine = [result for result in run.results if result.backend == f"adapters:{name}"]
    assert counts(mine) == {"passed": 3, outcome: 2, "skipped": 5}
    assert counts(result for result in run.results if result not in mine)["passed"] == 10
    assert f"{outcome.upper()} dtypes::TestPositions::test_value[K=256_0,float32]" in run.output


def test_a_crash_may_be_expected(tmp_path: Path) -> None:
    (tmp_path / "xfails.txt").write_text(
        "dtypes::TestPositions::test_value[K=256_0] # segfault\n"
        "dtypes::TestPositions::test_value[K=256_1] # segfault\n"
    )
    run = Run(tmp_path, "--backend", "adapters:crashes", "--xfails", "xfails.txt")
    assert run.code == 0, run.output
    assert run.counts["xfailed"] == 2


def test_too_many_crashes_end_the_run_and_the_rest_is_counted(tmp_path: Path) -> None:
    (tmp_path / "always.py").write_text(
        "import os\nfrom adapters import ForwardOnly\n"
        "class Always(ForwardOnly):\n"
        "    def forward(self, *arguments):\n        os.abort()\n"
        "backend = Always()\n"
    )
    run = Run(tmp_path, "--backend", "always:backend")
    assert run.code == 1
    assert run.counts["crashed"] == 10
    assert run.counts["not run"] > 100
    assert re.search(r"NO SUCCESS: \d+ of \d+ tests were not run", run.output)


@pytest.mark.parametrize("name", ["skips", "xfails", "skips_as_unittest", "rejects", "leaves"])
def test_a_skip_inside_an_adapter_is_no_answer(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path, "--backend", f"adapters:{name}", "-k", "TestPositions")
    assert run.code == 1
    assert run.counts["failed"] >= 2
    assert "in place of a result" in run.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_thing", "raises ModuleNotFoundError: No module named 'no_such_thing'"),
        ("1 / 0", "raises ZeroDivisionError: division by zero"),
        ("", "has no attribute 'backend'"),
        ("backend = 3", "got int, which has no method `supports`"),
        ("class backend: pass", "got the class backend. Name an instance"),
        ("import os; os.abort()", "The process died before the first test: the process was killed"),
    ],
)
def test_an_adapter_that_is_not_there_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    run = Run(tmp_path, "--backend", "mine:backend")
    assert run.code not in (0, 1)
    assert said in run.output
    assert "INTERNALERROR" not in run.output
    if "abort" not in text:
        assert "Traceback" not in run.output
        assert "pip install" not in run.output


def test_a_module_that_is_not_on_the_path_is_one_line(tmp_path: Path) -> None:
    run = Run(tmp_path, "--backend", "no_such_module:backend")
    assert run.code not in (0, 1)
    assert f"there is no module 'no_such_module' in {tmp_path}" in run.output
