"""The command and the plugin, as a maintainer meets them: in a process of their own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kanditioned_conformance.chapters.test_errors import ACCEPTED, OPTIONS, REFUSED, SHAPES
from kanditioned_conformance.report import Report

MODULE = ("-W", "error", "-m", "kanditioned_conformance")

BACKENDS = """
import dataclasses
from kanditioned_spec.backend import ReferenceBackend

class Wrong(ReferenceBackend):
    def forward(self, problem, x, control_points):
        return 1.01 * ReferenceBackend.forward(self, problem, x, control_points)

class Crashes(ReferenceBackend):
    def forward(self, problem, x, control_points):
        raise RuntimeError("no such kernel")

class Minimal:
    info, supports = ReferenceBackend.info, ReferenceBackend.supports
    forward, vjp = ReferenceBackend.forward, ReferenceBackend.vjp

class WrongInALongBatch(Minimal):
    def forward(self, problem, x, control_points):
        y = ReferenceBackend.forward(self, problem, x, control_points)
        return 1.01 * y if problem.batch == 3001 else y

class FewKnots(ReferenceBackend):
    def supports(self, problem):
        return problem.num_control_points <= 5 or "more than 5 control points"

class ThreeKnots(ReferenceBackend):
    def supports(self, problem):
        return problem.num_control_points <= 3 or "more than 3 control points"

class Nothing(ReferenceBackend):
    def supports(self, problem):
        return "it is Monday"

class BSplineOnly(ReferenceBackend):
    info = dataclasses.replace(ReferenceBackend.info, parameterizations=("bspline",))

wrong, crashes, minimal = Wrong(), Crashes(), Minimal()
few_knots, three_knots = FewKnots(), ThreeKnots()
nothing, bspline_only = Nothing(), BSplineOnly()
wrong_in_a_long_batch = WrongInALongBatch()
"""


class Run:
    """One run of the kit: exit code, output and outcome counts."""

    def __init__(self, folder: Path, *arguments: str, python: tuple[str, ...] = MODULE) -> None:
        (folder / "adopter.py").write_text(BACKENDS)
        command = [sys.executable, *python, "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        self.code = done.returncode
        self.output = done.stdout + done.stderr

    def count(self, outcome: str) -> int:
        found = re.search(rf"(\d+) {outcome}", self.output.splitlines()[-1])
        return int(found[1]) if found else 0


def test_header_and_summary(tmp_path: Path) -> None:
    run = Run(tmp_path, "--dtype", "float32", "--dtype", "float64", "-k", "TestValue")
    assert run.code == 0, run.output
    assert run.count("passed") == 4
    assert re.search(r"profile dev \(\d+ examples\), seed \d+", run.output)
    assert "backend reference: reference on numpy" in run.output
    assert "cpu, float32, float64" in run.output
    assert re.search(r"^value +0\.0\d+ +0$", run.output, re.MULTILINE)  # float32 is rounded to
    assert "warning" not in run.output


def test_the_plugin_alone_knows_the_same_options(tmp_path: Path) -> None:
    pytest_alone = ("-m", "pytest", "--pyargs", "kanditioned_conformance.chapters")
    run = Run(
        tmp_path, "--kan-backend", "adopter:wrong", "--kan-dtype", "float32", "-k", "TestValue",
        python=pytest_alone,
    )  # fmt: skip
    assert (run.code, run.count("failed")) == (1, 2)


def test_a_wrong_backend_fails_beside_a_right_one(tmp_path: Path) -> None:
    run = Run(
        tmp_path, "--backend", "reference", "--backend", "adopter:wrong", "--dtype", "float32",
        "-k", "TestValue and anywhere",
    )  # fmt: skip
    assert run.code == 1
    assert (run.count("passed"), run.count("failed")) == (1, 1)
    assert "OUT OF BOUNDS" in run.output
    assert "FAILED values::TestValue::test_anywhere[float32]" in run.output
    assert "Traceback" not in run.output
    line = re.search(r"reproduce: (python -c .*)", run.output)
    assert line
    again = subprocess.run(
        shlex.split(line[1].replace("python", sys.executable, 1)),
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 1
    assert "ConformanceError: value: at [0, 0]" in again.stderr


def test_tests_that_share_what_they_compile_share_a_process(tmp_path: Path) -> None:
    run = Run(
        tmp_path, "-v", "-n", "2", "--dtype", "float32", "--dtype", "float64",
        "-k", "TestValue or TestOwnership",
    )  # fmt: skip
    assert run.code == 0, run.output
    processes: dict[str, set[str]] = {}
    for process, dtype in re.findall(r"\[(gw\d)\].*\[reference-(\w+)", run.output):
        processes.setdefault(dtype, set()).add(process)
    assert sorted(map(len, processes.values())) == [1, 1]


def test_three_dtypes_are_shared_by_two_processes(tmp_path: Path) -> None:
    dtypes = [f"--dtype={name}" for name in ("float16", "float32", "float64")]
    run = Run(tmp_path, "-v", "-n", "2", *dtypes, "-k", "TestValue or TestEnds")
    assert run.code == 0, run.output
    found = re.findall(r"\[(gw\d)\].*(test_\w+)\.py.*\[reference-(\w+)", run.output)
    processes: dict[tuple[str, str], set[str]] = {}
    for process, *unit in found:
        processes.setdefault((unit[0], unit[1]), set()).add(process)
    assert len(processes) == 6
    assert {len(each) for each in processes.values()} == {1}


def test_a_crash_keeps_its_traceback_and_says_on_what(tmp_path: Path) -> None:
    run = Run(tmp_path, "--backend", "adopter:crashes", "--dtype", "float32", "-k", "TestValue")
    assert run.count("failed") == 2
    assert "no such kernel" in run.output
    assert "reproduce: python -c" in run.output


@pytest.mark.parametrize("profile", ["dev", "ci"])
def test_refused_problems_are_reported(tmp_path: Path, profile: str) -> None:
    run = Run(
        tmp_path, "--backend", "adopter:few_knots", "--dtype", "float32", "--profile", profile,
        "-k", "TestValue or TestPositions",
    )  # fmt: skip
    assert run.code == 0, run.output
    assert run.count("passed") == 2
    assert run.count("skipped") == 20
    assert re.search(r"\d+ of \d+ problems refused: more than 5 control points", run.output)


def test_a_backend_that_refuses_everything_passes_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, "-rs", "--backend", "adopter:nothing", "--dtype", "float32")
    assert run.code == 1
    assert run.count("passed") == run.count("failed") == 0
    assert run.count("skipped") > 100
    assert "it is Monday" in run.output
    assert "NO SUCCESS: no test of adopter:nothing at float32 ran" in run.output


def test_a_backend_that_refuses_most_is_no_success_unless_it_says_so(tmp_path: Path) -> None:
    few = ("--backend", "adopter:three_knots", "--dtype", "float32")
    run = Run(tmp_path, *few)
    assert run.code == 1, run.output
    assert re.search(r"NO SUCCESS: adopter:three_knots at float32 has taken \d+ of", run.output)
    assert Run(tmp_path, *few, "--min-run", "0.2").code == 0


def test_skips_are_strict_in_both_directions(tmp_path: Path) -> None:
    minimal = ("--backend", "adopter:minimal", "--dtype", "float32", "--skips", "skips.txt")
    skips = tmp_path / "skips.txt"
    skips.write_text("values::TestValue::test_anywhere # no values\n")
    run = Run(tmp_path, *minimal)
    assert run.code == 1
    assert "expected to be skipped: values::TestValue::test_anywhere: values::" in run.output
    unlisted = set(re.findall(r"NO SUCCESS: (.+) is skipped, and the file", run.output))
    skips.write_text("".join(f"{address} # not offered\n" for address in unlisted))
    again = Run(tmp_path, *minimal)
    assert again.code == 0, again.output


def test_what_is_not_offered_is_skipped_and_shown(tmp_path: Path) -> None:
    run = Run(
        tmp_path, "-rs", "--backend", "adopter:minimal", "--dtype", "float32",
        "-k", "TestValue or TestMixed or TestMessages", "--html", "page.html",
    )  # fmt: skip
    assert run.code == 0, run.output
    calls = sum(map(len, (REFUSED, SHAPES, OPTIONS, ACCEPTED)))
    assert (run.count("passed"), run.count("skipped")) == (2, 3 + calls)
    assert "it does not offer vjp_of_vjp" in run.output
    assert "it does not offer layer" in (tmp_path / "page.html").read_text()


def test_undeclared_parameterizations_are_skipped(tmp_path: Path) -> None:
    run = Run(
        tmp_path, "--backend", "adopter:bspline_only", "--dtype", "float32", "-k", "TestPenalty"
    )
    assert (run.code, run.count("passed"), run.count("skipped")) == (0, 2, 18)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--backend", "no_such"), "must be one of"),
        (("--backend", "no_such_module:backend"), "there is no module"),
        (("--device", "abacus"), "has no device 'abacus'"),
        (("--dtype", "float8"), "has no dtype 'float8' here, only float64"),
        (("--spec", "1.0"), "`--spec` must be 2.0, the edition that this kit judges by"),
        (("--xfails", "no_such_file"), "No such file"),
        (("--skips", "no_such_file"), "No such file"),
    ],
)
def test_usage_errors(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    run = Run(tmp_path, *arguments)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert message in run.output


XFAILS = """
# what is known
values::TestValue::test_in_a_long_batch[float32]     # off by one per cent
values::TestValue::test_in_a_long_batch[bfloat16]    # not in this run
"""
STALE = {
    "gradients::TestInputs::test_off_knots # it passes": "[XPASS(strict)] it passes",
    "values::TestValue::test_no_more # gone": "values::TestValue::test_no_more: no test that ran",
    "errors::TestMessages::test_good_arguments # no layer": "is skipped: it does not offer layer",
}


def expected(folder: Path, text: str) -> Run:
    (folder / "xfails.txt").write_text(text)
    return Run(
        folder, "--backend", "adopter:wrong_in_a_long_batch", "--dtype", "float32",
        "--xfails", "xfails.txt", "--report", "report.json",
    )  # fmt: skip


def test_expected_failures(tmp_path: Path) -> None:
    run = expected(tmp_path, XFAILS)
    assert run.code == 0, run.output
    assert run.count("xfailed") == 1
    results = Report.read(tmp_path / "report.json").results
    (known,) = (result for result in results if result.outcome == "xfailed")
    assert known.reason == "off by one per cent"
    assert known.address == "values::TestValue::test_in_a_long_batch[float32]"


def test_stale_expected_failures_are_errors(tmp_path: Path) -> None:
    run = expected(tmp_path, "\n".join([XFAILS, *STALE]))
    assert run.code == 1
    assert run.count("failed") == 1
    assert all(message in run.output for message in STALE.values()), run.output


def test_an_expected_failure_without_a_reason_is_refused(tmp_path: Path) -> None:
    run = expected(tmp_path, "values::TestValue::test_anywhere")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "must be `chapter::Class::test[parameter,dtype]  # reason`" in run.output


def test_reports_of_several_runs_make_one_page(tmp_path: Path) -> None:
    for name in ("adopter:wrong", "adopter:minimal"):
        report = f"{name[8:]}.json"
        Run(
            tmp_path, "--backend", name, "--dtype", "float32", "-k", "TestValue", "--report", report
        )
    reports = ("wrong.json", "minimal.json")
    for name in ("page.html", "page.md"):
        command = (sys.executable, "-m", "kanditioned_conformance.html", name, *reports)
        subprocess.run(command, cwd=tmp_path, check=True)
        rows = re.findall(r"<tr><th rowspan=1>.*", (tmp_path / name).read_text())
        assert [row.split("<")[2].partition(">")[2] for row in rows] == [
            "adopter:wrong",
            "adopter:minimal",
        ]
        assert "<th>float32</th><td class=failed title='2 failed'>" in rows[0]
        assert "<th>float32</th><td class=passed title='2 passed'>" in rows[1]
        assert all(re.search(r"\d s of processor time", row) for row in rows)


def test_a_report_says_how_long_and_when(tmp_path: Path) -> None:
    Run(tmp_path, "--dtype", "float32", "-k", "TestValue", "--report", "report.json")
    report = Report.read(tmp_path / "report.json")
    assert all(0 < result.seconds < 60 for result in report.results)
    assert re.fullmatch(r"profile dev .*, \d{4}-\d\d-\d\d", report.header[1])
