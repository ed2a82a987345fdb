"""Position and value."""

from __future__ import annotations

from hypothesis import example, given

from kanditioned_spec import Problem

from ..cases import Case
from ..checks import check_forward
from ..strategies import cases
from ..subject import Subject


class TestValue:
    """Value. s(x) = c_l + t·(c_{l+1} − c_l); y[b, o] = Σ_i s_{i,o}(x[b, i])."""

    @given(case=cases())
    @example(case=Case(Problem(1, 1, 1, 2)))
    @example(case=Case(Problem(9, 1, 2, 9, 6.5), 1))
    @example(case=Case(Problem(7, 3, 1, 4, 1.0), 2))
    @example(case=Case(Problem(40, 1, 6, 70, 20.0), 3))
    def test_anywhere(self, subject: Subject, case: Case) -> None:
        subject.run(check_forward, case)


class TestPosition:
    """Position. u = x·(K−1)/w + (K−1)/2; a knot belongs to the interval on its right."""

    @given(case=cases("on_knots"))
    @example(case=Case(Problem(3, 1, 1, 2), 0, "on_knots"))
    @example(case=Case(Problem(20, 2, 2, 9, 2.0), 1, "on_knots"))
    def test_a_knot_has_its_control_point(self, subject: Subject, case: Case) -> None:
        subject.run(check_forward, case)

    @given(case=cases())
    @example(case=Case(Problem(2, 1, 1, 5), 0, special=((0, -2.0), (1, 2.0))))
    @example(case=Case(Problem(2, 1, 1, 6, 6.5), 0, special=((0, -3.25), (1, 3.25))))
    @example(case=Case(Problem(2, 1, 2, 5), 0, special=((0, -0.0), (1, 0.0))))
    def test_ends_and_zeros(self, subject: Subject, case: Case) -> None:
        subject.run(check_forward, case)


class TestExtrapolation:
    """Outside [−w/2, w/2] the first and last piece extrapolate linearly."""

    @given(case=cases("outside"))
    @example(case=Case(Problem(8, 1, 2, 2), 0, "outside"))
    @example(case=Case(Problem(8, 2, 2, 33, 1.0), 1, "outside"))
    @example(case=Case(Problem(2, 1, 1, 8), 0, special=((0, -1e3), (1, 1e3))))
    @example(case=Case(Problem(2, 1, 1, 8), 0, special=((0, -1e30), (1, 1e30))))
    def test_end_pieces_go_on(self, subject: Subject, case: Case) -> None:
        subject.run(check_forward, case)
