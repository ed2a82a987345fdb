"""Every instruction set, at sizes that leave vectors, chunks, blocks and tiles partly filled."""

import pytest

import kanditioned_cpu
from kanditioned_conformance.cases import Case
from kanditioned_conformance.checks.layer import (
    check_forward,
    check_grad_control_points,
    check_grad_x,
    check_second_derivatives,
)
from kanditioned_cpu.backend import backend
from kanditioned_spec import Problem

CHECKS = (check_forward, check_grad_x, check_grad_control_points, check_second_derivatives)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("check", CHECKS)
class TestSizes:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("out_features", [1, 2, 3, 4, 5, 8, 15, 16, 17, 33, 64, 65, 130])
    def test_columns(self, check, dtype, out_features):
        problem = Problem(19, 3, out_features, 5, dtype=dtype)
        check(backend, Case(problem, out_features, "off_knots"))

    @pytest.mark.parametrize("in_features", [1, 7, 8, 15, 16, 17, 40])
    def test_features(self, check, in_features):
        check(backend, Case(Problem(33, in_features, 6, 9), in_features, "off_knots"))

    @pytest.mark.parametrize("batch", [1, 63, 64, 65, 511, 1025, 5000])
    def test_rows(self, check, batch):
        check(backend, Case(Problem(batch, 2, 5, 7), batch, "off_knots"))

    @pytest.mark.parametrize("count", [2, 3, 700])
    def test_control_points(self, check, count):
        check(backend, Case(Problem(40, 18, 20, count), count, "off_knots"))


def test_the_widest_is_used():
    assert kanditioned_cpu.instruction_set() == kanditioned_cpu.instruction_sets()[0]


def test_every_machine_has_the_baseline():
    assert kanditioned_cpu.instruction_sets()[-1] == "baseline"


def test_an_unknown_one_is_refused():
    before = kanditioned_cpu.instruction_set()
    with pytest.raises(ValueError, match=r'use_instruction_set\(name=...\)` must be one of .*"b'):
        kanditioned_cpu.use_instruction_set("sse9")
    assert kanditioned_cpu.instruction_set() == before
