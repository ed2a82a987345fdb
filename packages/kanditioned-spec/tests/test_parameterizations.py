"""The laws of `parameterizations.base`, for every parameterization, option and K.

Rounding is bounded by `slack`: so many ε of the largest number that the linear map adds up. Where
an inverse is involved its condition number comes in as a factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kanditioned_spec import PARAMETERIZATIONS, Parameterization, numerics, parameterization
from kanditioned_spec.grid import Array, Grid
from kanditioned_spec.parameterizations import BSpline, option_names
from kanditioned_spec.penalty import second_difference_matrix, second_differences

EPS = numerics.FORMATS["float64"].eps


def slack(matrix: Array, values: Array, condition: float = 1.0) -> float:
    """Bound the rounding of `matrix @ values`, done in any order by any algorithm."""
    largest = float((np.abs(matrix) @ np.abs(values)).max(initial=0.0))
    return numerics.CONSTANT * EPS * matrix.shape[1] * largest * condition


def condition_number(matrix: Array) -> float:
    """Return the ratio of the extreme singular values that are not zero."""
    singular_values = np.linalg.svd(matrix, compute_uv=False)
    kept = singular_values[singular_values > 1e-12 * singular_values[0]]
    return float(kept[0] / kept[-1])


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape)


def test_control_points_are_the_matrix_times_theta(p: Parameterization) -> None:
    theta = draw(3, p.num_parameters, 2)
    difference = p.control_points(theta) - p.matrix() @ theta
    assert np.abs(difference).max() <= slack(p.matrix(), theta)


def test_transpose_is_the_transposed_matrix(p: Parameterization) -> None:
    g = draw(3, p.num_control_points, 2)
    difference = p.transpose(g) - p.matrix().T @ g
    assert np.abs(difference).max() <= slack(p.matrix().T, g)


def test_parameters_from_is_the_least_squares_solution_of_smallest_norm(
    p: Parameterization,
) -> None:
    c = draw(3, p.num_control_points, 2)
    inverse = np.linalg.pinv(p.matrix())
    difference = p.parameters_from(c) - inverse @ c
    assert np.abs(difference).max() <= slack(inverse, c, condition_number(p.matrix()))


def test_control_points_survive_the_way_through_parameters(p: Parameterization) -> None:
    c = draw(3, p.num_control_points, 2)
    if p.num_parameters < p.num_control_points:  # a truncated basis: only what it can represent
        c = p.control_points(draw(3, p.num_parameters, 2))
    theta = p.parameters_from(c)
    bound = slack(p.matrix(), theta, condition_number(p.matrix()))
    assert np.abs(p.control_points(theta) - c).max() <= bound


def test_squared_curvature_is_the_penalty(p: Parameterization) -> None:
    theta = draw(3, p.num_parameters, 2)
    bent = second_differences(p.control_points(theta))
    norms = np.linalg.norm(p.curvature(theta)), np.linalg.norm(bent)
    assert abs(norms[0] - norms[1]) <= 4 * slack(p.matrix(), theta) * np.sqrt(bent.size)
    assert p.penalty(theta) == (p.curvature(theta) ** 2).sum()


def test_matrix_has_the_norm_of_the_identity(p: Parameterization) -> None:
    if p.name == "parallel_scan":
        assert p.scale == 1.0
    else:
        norm = np.linalg.norm(p.matrix())
        np.testing.assert_allclose(norm, np.sqrt(p.num_control_points), rtol=8 * EPS)


def test_affine_coordinates_span_the_affine_functions_without_penalty(p: Parameterization) -> None:
    if p.affine is None:
        assert p.curvature_coordinates is None
        return
    k = p.num_control_points
    affine = p.matrix()[:, p.affine]
    straight = np.stack([np.ones(k), Grid(k, 2.0).knots()], axis=1)
    both = np.concatenate([affine / np.linalg.norm(affine, axis=0), straight], axis=1)
    assert np.linalg.matrix_rank(affine, tol=1e-9) == 2
    assert np.linalg.matrix_rank(both, tol=1e-9) == 2
    alone = np.zeros(p.num_parameters)
    alone[p.affine] = 1.0
    assert p.penalty(alone) <= (4 * slack(p.matrix(), alone)) ** 2 * k


def test_affine_and_curvature_coordinates_share_out_theta(p: Parameterization) -> None:
    if p.affine is None or p.curvature_coordinates is None:
        return
    owners = np.zeros(p.num_parameters)
    owners[p.affine] += 1
    owners[p.curvature_coordinates] += 1
    assert owners.tolist() == [1.0] * p.num_parameters


def test_a_vector_is_one_edge(p: Parameterization) -> None:
    theta, c = draw(p.num_parameters), draw(p.num_control_points)
    for linear_map, vector in (
        (p.control_points, theta),
        (p.curvature, theta),
        (p.transpose, c),
        (p.parameters_from, c),
    ):
        np.testing.assert_array_equal(linear_map(vector), linear_map(vector[:, None])[:, 0])


def test_repr_and_options_rebuild_it(p: Parameterization) -> None:
    again = eval(repr(p), {"parameterization": parameterization})
    assert (type(again), again.options) == (type(p), p.options)
    np.testing.assert_array_equal(again.matrix(), p.matrix())
    assert tuple(p.options) == option_names(p.name)


def test_a_wrong_knot_axis_is_refused(p: Parameterization) -> None:
    with pytest.raises(ValueError, match=rf"length {p.num_parameters}, got shape \(2, 999, 1\)"):
        p.control_points(np.zeros((2, 999, 1)))
    with pytest.raises(ValueError, match=rf"length {p.num_control_points}, got shape \(\)"):
        p.transpose(0.0)


def test_truncated_polynomials_are_the_closest() -> None:
    """What is left over is orthogonal to every polynomial of the kept degrees."""
    p = parameterization("legendre", 12, degree=3)
    c = draw(12)
    left_over = c - p.control_points(p.parameters_from(c))
    powers = np.vander(Grid(12, 2.0).knots(), 4)
    assert np.abs(powers.T @ left_over).max() <= slack(powers.T, c)


def test_polynomials_of_high_degree_are_orthonormal() -> None:
    basis = parameterization("legendre", 257).matrix()  # ‖T‖_F = √K already
    np.testing.assert_allclose(basis.T @ basis, np.eye(257), atol=4 * 257 * EPS)


def test_parallel_scan_is_a_sum_of_ramps() -> None:
    k, r, q = 5, draw(5), draw(5)[::-1]
    c = parameterization("parallel_scan", k).control_points(np.concatenate([r, q]))
    for u in range(k):
        ramps = [r[j] * max(u - j, 0) + q[j] * max(j - u, 0) for j in range(k)]
        np.testing.assert_allclose(c[u], sum(ramps), rtol=8 * EPS)


BAD_ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    (("spline", 4), {}, ValueError, r'`parameterization\(name=\.\.\.\)` must be one of "bspline"'),
    (("dct", 1), {}, ValueError, r"num_control_points=\.\.\.\)` must be an integer >= 2, got 1"),
    (("dct", 4.0), {}, TypeError, r"must be an integer >= 2, got 4\.0"),
    (("dct", 4), {"transform": "dft"}, ValueError, r'"auto", "fft", "matmul", got \'dft\''),
    (("dct", 4), {"degree": 2}, TypeError, r"must be one of transform, got degree="),
    (("bspline", 4), {"degree": 2}, TypeError, r"it has no options, got degree=\. Remove it"),
    (("legendre", 4), {"degree": 0}, ValueError, r"`Legendre\(degree=\.\.\.\)` .* >= 1, got 0"),
    (("legendre", 4), {"degree": 4}, ValueError, r"must be <= 3, got 4\. Degrees 1 to 3"),
    (("legendre", 4), {"degree": "2"}, TypeError, r"must be an integer >= 1, got '2'"),
    (("demmler_reinsch", 4), {"smoothing": -1.0}, ValueError, r"a finite number >= 0, got -1"),
    (("demmler_reinsch", 4), {"smoothing": np.nan}, ValueError, r"smoothing=.*got nan"),
    (("demmler_reinsch", 4), {"smoothing": "1"}, TypeError, r"smoothing=.*got '1'"),
    (("demmler_reinsch", 4), {"density": "gauss"}, ValueError, r'"uniform", "normal", got'),
    (("demmler_reinsch", 4), {"spline_width": 0}, ValueError, r"spline_width=.*> 0, got 0"),
]


@pytest.mark.parametrize(("arguments", "options", "error", "pattern"), BAD_ARGUMENTS)
def test_bad_arguments_are_refused(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], pattern: str
) -> None:
    with pytest.raises(error, match=pattern):
        parameterization(*arguments, **options)


def test_the_message_for_an_unknown_name_lists_every_name() -> None:
    with pytest.raises(ValueError, match="must be one of") as caught:
        parameterization("", 4)
    assert all(f'"{name}"' in str(caught.value) for name in PARAMETERIZATIONS)


def test_a_law_broken_is_noticed() -> None:
    """The checks of this module fail on an adjoint with one wrong entry."""

    class Wrong(BSpline):
        def _adjoint(self, grad: Array) -> Array:
            return grad * np.where(np.arange(grad.shape[-2]) == 3, 1 + 1e-12, 1)[:, None]

    with pytest.raises(AssertionError):
        test_transpose_is_the_transposed_matrix(Wrong(8))


def test_second_difference_matrix_is_what_the_name_says() -> None:
    assert second_difference_matrix(4).tolist() == [[1, -2, 1, 0], [0, 1, -2, 1]]
    assert second_difference_matrix(2).shape == (0, 2)
