"""The modes and the mass matrix behind `demmler_reinsch`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kanditioned_spec import numerics, parameterization
from kanditioned_spec.conditioning import joint_condition
from kanditioned_spec.grid import Array, Grid
from kanditioned_spec.parameterizations.demmler_reinsch import demmler_reinsch_modes, mass_matrix
from kanditioned_spec.penalty import second_difference_matrix

SETTINGS = [
    (count, density, width)
    for count in (2, 3, 4, 5, 8, 31, 32, 64, 257)
    for density, width in (("uniform", 1.0), ("normal", 4.0), ("normal", 8.0))
]
every_setting = pytest.mark.parametrize(("count", "density", "width"), SETTINGS)


def quadrature_of_hats(count: int, density: str, width: float) -> Array:
    """Integrate φ φᵀ over pieces of at most 1/2 with Gauss's rule, the tails to ±(w/2 + 12)."""
    x = Grid(count, width).knots()
    ends = [x[0] - 12, *x, x[-1] + 12] if density == "normal" else list(x)
    edges = [ends[0]]
    for left, right in pairwise(ends):
        edges += list(np.linspace(left, right, 1 + int(np.ceil(2 * (right - left))))[1:])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    mass = np.zeros((count, count))
    for left, right in pairwise(edges):
        z = (left + right) / 2 + nodes * (right - left) / 2
        u = (z - x[0]) / (x[1] - x[0])
        interval = min(max(int(np.floor(u.mean())), 0), count - 2)
        t = u - interval
        pdf = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) if density == "normal" else 1 / width
        hats = np.zeros((count, len(z)))
        hats[interval], hats[interval + 1] = 1 - t, t
        mass += (hats * (weights * (right - left) / 2 * pdf)) @ hats.T
    return mass


@every_setting
def test_mass_matrix_is_the_integral_of_hats(count: int, density: str, width: float) -> None:
    """Moments about a knot cancel: their terms are (z/h)² ≤ K² / 4 times larger.

    The quadrature adds rounding of its own, some hundred terms' worth.
    """
    mass = mass_matrix(Grid(count, width), density)
    want = quadrature_of_hats(count, density, width)
    bound = numerics.CONSTANT * numerics.FORMATS["float64"].eps * (count**2 + 100)
    np.testing.assert_allclose(mass, want, rtol=0, atol=bound * want.max())


@every_setting
def test_mass_matrix_has_total_mass_one(count: int, density: str, width: float) -> None:
    mass = mass_matrix(Grid(count, width), density)
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_array_equal(mass, mass.T)


def test_normal_mass_is_the_second_moment_of_affine_functions() -> None:
    """The hats reproduce x, also beyond the domain, so xᵀMx = E[z²] = 1 at any width."""
    for width in (0.5, 2.0, 4.0, 8.0, 16.0):
        x = Grid(33, width).knots()
        mass = mass_matrix(Grid(33, width), "normal")
        assert x @ mass @ x == pytest.approx(1, abs=1e-11)
        assert np.ones(33) @ mass @ x == pytest.approx(0, abs=1e-12)


@every_setting
def test_modes_solve_the_generalised_eigenproblem(count: int, density: str, width: float) -> None:
    modes = demmler_reinsch_modes(Grid(count, width), density)
    v, mu, mass = modes
    d = second_difference_matrix(count)
    np.testing.assert_allclose(v.T @ mass @ v, np.eye(count), rtol=0, atol=1e-10)
    # Scaled by the jointly normalising gain, so that the stiff modes do not set the error.
    gains = 1 / np.sqrt(1 + mu)
    bent = d @ v * gains
    np.testing.assert_allclose(bent.T @ bent, np.diag(mu * gains**2), rtol=0, atol=1e-10)


@every_setting
def test_modes_rise_from_the_two_affine_functions(count: int, density: str, width: float) -> None:
    v, mu, _ = demmler_reinsch_modes(Grid(count, width), density)
    assert mu[:2].tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(v[:, 0], np.ones(count))
    linear = v[:, 1] / v[-1, 1]
    np.testing.assert_allclose(linear, np.linspace(-1, 1, count), atol=1e-14)
    assert (mu[2:] > 0).all()
    # Pairs that live in the two tails agree in all digits, hence the slack.
    assert (np.diff(np.sqrt(mu)) >= -1e-12 * np.sqrt(mu[-1])).all()


@every_setting
def test_modes_are_unique_even_and_odd_in_turn_and_positive_at_the_right_end(
    count: int, density: str, width: float
) -> None:
    """Neither order nor sign may hang on rounding: a stored θ must mean one function."""
    v, _, _ = demmler_reinsch_modes(Grid(count, width), density)
    parity = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    np.testing.assert_allclose(v[::-1], v * parity, rtol=0, atol=1e-12 * np.abs(v).max())
    assert (v[-1] > 0).all()


def test_modes_cannot_be_changed_by_a_caller() -> None:
    for array in demmler_reinsch_modes(Grid(8, 1.0), "uniform"):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_width_matters_for_the_normal_density_only() -> None:
    def matrix(density: str, width: float) -> Array:
        p = parameterization("demmler_reinsch", 9, density=density, spline_width=width)
        return p.matrix()

    np.testing.assert_array_equal(matrix("uniform", 2.0), matrix("uniform", 8.0))
    assert np.abs(matrix("normal", 2.0) - matrix("normal", 8.0)).max() > 0.1


@pytest.mark.parametrize("width", [0.5, 12.0, 16.0])
@pytest.mark.parametrize("smoothing", [0.0, 1e8])
def test_the_objective_is_conditioned_at_every_width_that_is_taken(
    smoothing: float, width: float
) -> None:
    p = parameterization(
        "demmler_reinsch", 256, smoothing=smoothing, density="normal", spline_width=width
    )
    condition = joint_condition(p, smoothing, mass_matrix(Grid(256, width), "normal"))
    assert condition == pytest.approx(1, abs=1e-5)
    last = np.abs(p.matrix()[-1, 2:]) / np.abs(p.matrix()[:, 2:]).max(axis=0)
    assert last.min() > 1e-5  # the entry that fixes a mode's sign is far from rounding


@pytest.mark.parametrize("width", [20.0, 30.0, 60.0, 80.0, 1e3])
def test_a_domain_that_inputs_do_not_reach_is_refused(width: float) -> None:
    p = parameterization("demmler_reinsch", 256, density="normal", spline_width=width)
    with pytest.raises(ValueError, match=r"spline_width=.*reach every interval.*nearer"):
        p.matrix()


@pytest.mark.parametrize("width", [1e-300, 1e-160, 1e20, 1e160, 1e300])
@pytest.mark.parametrize("count", [2, 7])
def test_widths_whose_moments_are_no_numbers_are_refused(width: float, count: int) -> None:
    p = parameterization("demmler_reinsch", count, density="normal", spline_width=width)
    with pytest.raises(ValueError, match=r"spline_width=.*reach every interval"):
        p.matrix()


def test_without_smoothing_modes_are_orthonormal_under_the_density() -> None:
    p = parameterization("demmler_reinsch", 16, density="normal")
    t = p.matrix()
    gram = t.T @ mass_matrix(Grid(16, 4.0), "normal") @ t
    np.testing.assert_allclose(gram / gram[0, 0], np.eye(16), rtol=0, atol=1e-11)
