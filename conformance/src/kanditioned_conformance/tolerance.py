"""The only place that knows how far a result may be from the reference.

The bound is that of `kanditioned_spec.numerics`: one constant times eps times a condition, which is
the sum of the magnitudes of everything that is added up. This module adds the conditions that the
spec has not named yet: of the parameterizations and of the penalty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Parameterization, Problem, numerics
from kanditioned_spec.grid import Array
from kanditioned_spec.penalty import second_difference_matrix

Ratios = dict[str, float]
"""The largest |got - want| / bound by what was compared."""

Explain = Callable[[tuple[int, ...]], str]
"""Given an index, returns the numbers that the entry is made of."""

Traits = Mapping[str, npt.NDArray[np.bool_]]
"""What may be common to all entries that are wrong, and which entries have it."""

DIFFERENCED = ("bspline", "legendre")
"""Parameterizations whose second differences the spec takes from the control points."""


class ConformanceError(AssertionError):
    """A result is not what the spec says.

    Attributes:
        label: What was compared.
        ratio: The largest |got - want| / bound, infinite where no bound applies.
    """

    def __init__(self, label: str, ratio: float, message: str) -> None:
        super().__init__(f"{label}: {message}")
        self.label = label
        self.ratio = ratio


def compare(
    label: str,
    problem: Problem,
    got: npt.ArrayLike,
    want: npt.ArrayLike,
    condition: npt.ArrayLike,
    explain: Explain | None = None,
    operands: str | None = None,
    traits: Traits | None = None,
) -> Ratios:
    """Compare a result with the reference's, entry by entry, within `numerics.tolerance`.

    Args:
        label: What is compared.
        problem: For the dtype, and for the message.
        got: The backend's result.
        want: The reference's.
        condition: Of the shape of `want`.
        explain: Given the index of the first bad entry, returns the numbers that it is made of.
        operands: Format that the backend rounds factors to, if it declares one.
        traits: Of entries; one that all bad entries share is named.

    Returns:
        `label` with the largest |got - want| / bound.

    Raises:
        ConformanceError: Another shape, or an entry that differs.
    """
    bound = numerics.tolerance(condition, want, problem.dtype, operands)
    return judge(label, problem, got, want, bound, explain, traits)


def judge(
    label: str,
    problem: Problem,
    got: npt.ArrayLike,
    want: npt.ArrayLike,
    bound: Array,
    explain: Explain | None = None,
    traits: Traits | None = None,
) -> Ratios:
    """Compare a result with what it must be, as `compare` does, within a bound of its own.

    NaN and infinities must be in the same places with the same signs; every other number must be
    within `bound`.
    """
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    if got.shape != want.shape:
        message = f"got shape {got.shape}, want {want.shape}\n{describe(problem)}"
        raise ConformanceError(label, np.inf, message)
    bound = np.broadcast_to(bound, want.shape)
    ratio = error_ratio(got, want, bound)
    worst = float(ratio.max(initial=0.0))
    if worst <= 1:
        return {label: worst}
    first = tuple(int(i) for i in np.argwhere(ratio > 1)[0])
    lines = [
        f"at {list(first)} got {got[first]!s}, want {want[first]!s}: |got - want| is "
        f"{ratio[first]:.3g} times the bound {bound[first]:.3g}",
        f"  {int((ratio > 1).sum())} of {ratio.size} entries differ, by up to {worst:.3g} times",
        *(f"  all of them are {name}" for name in _shared_traits(ratio > 1, traits or {})),
        describe(problem),
        *([explain(first)] if explain else []),
    ]
    raise ConformanceError(label, worst, "\n".join(lines))


def _shared_traits(bad: npt.NDArray[np.bool_], traits: Traits) -> list[str]:
    """Return the traits that all bad entries have, and not all entries."""
    masks = {name: np.broadcast_to(mask, bad.shape) for name, mask in traits.items()}
    return [name for name, mask in masks.items() if not mask.all() and mask[bad].all()]


def describe(problem: Problem) -> str:
    """Return the line of a message that says which problem it is about."""
    p = problem
    return (
        f"  B={p.batch} I={p.in_features} O={p.out_features} K={p.num_control_points} "
        f"w={p.spline_width} {p.dtype} on {p.device}, {p.parameterization} {dict(p.options) or ''}"
    ).rstrip()


def error_ratio(got: Array, want: Array, bound: Array) -> Array:
    """Return |got - want| / bound; where either is not finite, 0 if they agree and else inf."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.abs(got - want) / bound
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    finite = np.isfinite(got) & np.isfinite(want)
    return np.where(same, 0.0, np.where(finite, ratio, np.inf))


def map_condition(p: Parameterization, theta: npt.ArrayLike) -> Array:
    """Return |T| |θ|, the condition of `control_points`."""
    return np.asarray(np.abs(p.matrix()) @ np.abs(np.asarray(theta, dtype=np.float64)))


def transpose_condition(p: Parameterization, grad: npt.ArrayLike) -> Array:
    """Return |T|ᵀ |g|, the condition of `transpose`."""
    return np.asarray(np.abs(p.matrix()).T @ np.abs(np.asarray(grad, dtype=np.float64)))


def inverse_condition(p: Parameterization, control_points: npt.ArrayLike) -> Array:
    """Return |T⁺| |T| |T⁺| |c|, the condition of `parameters_from`: that of solving with T."""
    matrix = p.matrix()
    inverse = np.abs(p.parameters_from(np.eye(p.num_control_points)))
    c = np.abs(np.asarray(control_points, dtype=np.float64))
    return np.asarray(inverse @ np.abs(matrix) @ inverse @ c)


def penalty_condition(p: Parameterization, theta: npt.ArrayLike, dtype: str) -> float:
    """Return the condition of the penalty ‖r‖², r = G θ with ‖G θ‖ = ‖D T θ‖.

    Let s = |G| |θ|. An entry of r is computed to within δ = CONSTANT · eps · s, so its square is
    off by at most 2 |r| δ + δ², and the sum of squares adds a rounding of each r²:

        Σ 2 |r| s + CONSTANT · eps · s² + r².

    G is the spec's own `curvature` map where that has a closed form: the digits that differences of
    scan-built control points lose are not allowed for. Otherwise differences are all there is, and
    s = |D| |T| |θ|.
    """
    theta = np.asarray(theta, dtype=np.float64)
    r = p.curvature(theta)
    if p.name in DIFFERENCED:
        magnitudes = np.abs(second_difference_matrix(p.num_control_points)) @ np.abs(p.matrix())
    else:
        magnitudes = np.abs(p.curvature(np.eye(p.num_parameters)))
    s = magnitudes @ np.abs(theta)
    delta = numerics.CONSTANT * numerics.compute_eps(dtype) * s
    return float((2 * np.abs(r) * s + delta * s + r**2).sum())


def compare_products(
    label: str,
    problem: Problem,
    p: Parameterization,
    theta: Array,
    grad: Array,
    image: Array,
    preimage: Array,
) -> Ratios:
    """Check ⟨g, T θ⟩ = ⟨Tᵀ g, θ⟩, and that both are what the reference has.

    The bound is the sum of the bounds of the two maps' entries, weighed with |g| and |θ|. So it
    holds for an FFT too, which is accurate for the vector but not for every entry of it.

    Args:
        label: What is compared.
        problem: For the dtype, and for the message.
        p: The parameterization.
        theta: θ.
        grad: g.
        image: What the backend returned for T θ.
        preimage: What the backend returned for Tᵀ g.

    Raises:
        ConformanceError: The maps are not transposes of each other, or are not T and Tᵀ.
    """
    wanted = p.control_points(theta)
    forth = numerics.tolerance(map_condition(p, theta), wanted, problem.dtype)
    back = numerics.tolerance(transpose_condition(p, grad), p.transpose(grad), problem.dtype)
    bound = float((np.abs(grad) * forth).sum() + (np.abs(theta) * back).sum())
    products = [float(v.sum()) for v in (grad * image, theta * preimage, grad * wanted)]
    ratio = float(np.ptp(products)) / bound
    if not ratio <= 1:
        forward, transposed, want = products
        message = (
            f"<g, T theta> = {forward!r}, <T^T g, theta> = {transposed!r}, want {want!r}: "
            f"{ratio:.3g} times the bound {bound:.3g}"
        )
        raise ConformanceError(label, ratio, f"{message}\n{describe(problem)}")
    return {label: ratio}
