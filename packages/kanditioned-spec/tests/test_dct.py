"""The two evaluation paths of `dct`, and the transform itself."""

from __future__ import annotations

import numpy as np
import pytest

from kanditioned_spec import numerics, parameterization
from kanditioned_spec.parameterizations.dct import MATMUL_UP_TO, dct_matrix

EPS = numerics.FORMATS["float64"].eps
COUNTS = (2, 3, 4, 5, 8, 31, 32, 64, 257, 1024)


@pytest.mark.parametrize("count", COUNTS)
def test_matrix_is_orthonormal_and_diagonalises_the_reflecting_second_difference(
    count: int,
) -> None:
    q = dct_matrix(count)
    bound = numerics.CONSTANT * EPS * count
    np.testing.assert_allclose(q @ q.T, np.eye(count), rtol=0, atol=bound)
    reflecting = np.diag(np.full(count, -2.0)) + np.eye(count, k=1) + np.eye(count, k=-1)
    reflecting[0, 0] = reflecting[-1, -1] = -1.0
    eigenvalues = 2 - 2 * np.cos(np.pi * np.arange(count) / count)
    np.testing.assert_allclose(q @ reflecting @ q.T, np.diag(-eigenvalues), rtol=0, atol=4 * bound)


@pytest.mark.parametrize("count", COUNTS)
def test_fft_and_matrix_product_agree(count: int) -> None:
    fft, matmul = (parameterization("dct", count, transform=t) for t in ("fft", "matmul"))
    t = matmul.matrix()
    condition = np.linalg.cond(t)
    values = np.random.default_rng(count).normal(size=(3, count, 2))
    bound = numerics.CONSTANT * EPS * count
    for name, size in (
        ("control_points", np.abs(t).sum(axis=1).max()),
        ("transpose", np.abs(t).sum(axis=0).max()),
        ("parameters_from", condition),
    ):
        got, want = (getattr(p, name)(values) for p in (fft, matmul))
        assert np.abs(got - want).max() <= bound * size * np.abs(values).max(), name


def test_auto_chooses_by_the_number_of_control_points() -> None:
    assert not parameterization("dct", MATMUL_UP_TO).uses_fft
    assert parameterization("dct", MATMUL_UP_TO + 1).uses_fft
    assert parameterization("dct", 4, transform="fft").uses_fft
    assert not parameterization("dct", 1024, transform="matmul").uses_fft


@pytest.mark.parametrize("count", [4, 32, 257])
def test_smooth_functions_need_low_frequencies_only(count: int) -> None:
    """A half cosine over the domain is one coefficient of the plain transform."""
    wave = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    coefficients = dct_matrix(count) @ wave
    coefficients[1] -= np.sqrt(count / 2)
    assert np.abs(coefficients).max() <= numerics.CONSTANT * EPS * count
