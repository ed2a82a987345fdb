r"""Monotone and convex edges: a map from free control points to the nearest feasible ones.

A linear spline, its straight ends included, is increasing exactly if its control points are, and
convex exactly if their increments c_{k+1} - c_k increase. So a shape is a property of control
points, and holds everywhere once it holds for them. A layer applies `Shapes.feasible` to T θ; what
it evaluates, saves as plain control points or draws is feasible.

**Increasing.** Mean of the running maximum from the left and the running minimum from the right:

    c'_k = (max_{j <= k} c_j + min_{j >= k} c_j) / 2.

Both rise, so does c', in floating point too. No increasing sequence is nearer to c in the largest
distance over k (V. Ubhaya, J. Approximation Theory 12, 1974).

**Convex.** The greatest convex minorant m, whose graph is the lower hull of the points (k, c_k),
lifted by the mean of c - m. Its increments are the isotonic regression of those of c (R. Barlow
et al., Statistical Inference under Order Restrictions, 1972): of all rising increments they are
nearest in the sum of squares. Convex and increasing: the hull is cut off at its lowest vertex, left
of which m is constant. Decreasing and concave are the same for reversed signs.

Every c'_k is a weighted mean of two control points, (1 - r) c_left + r c_right (and the lift). The
indices and r are constant almost everywhere, so the derivative is in closed form: a gather, and its
transpose a scatter. A point that equals its neighbour is its own maximum, and a point on a straight
piece of the hull (to 8 eps) is a vertex: on feasible points the map and its derivative are the
identity.

**Training.** Points that are not records of their edge have no gradient of their own. Gradient
descent on c alone then stops early: from a line, Adam (400 steps, rate .1, K = 32, 500 noisy
samples of eight increasing functions) ends 16e-4 above the exact constrained minimum of the
objective. With `infeasibility`, |c - c'|² / 2, added to the loss it ends 0.00e-4 above, and 0.6e-4
for convex ones. The term is 0 on feasible points, so the best function is the same at any weight.
Others were worse: mean isotonic regression (109e-4 without, 0.00e-4 with the term, and not parallel
over k), increments cut off at 0 (20e-4), for convex ones the first rule on increments (38e-4
without, 57e-4 with the term). Two cores, 2026-11-28.

**Floating point.** A hull rounds, and rounded increments may fall. So increments are rounded to
multiples of a power of two at which sums are exact, and then never fall: 2^-51 of the largest
|c'| in float64, 2^-22 in float32. That is left out where they do not fall anyway.

The stored function has its shape exactly. What an implementation returns of it is rounded. One that
forms c_l + t (c_{l+1} - c_l) edge by edge keeps a flat piece flat, out to 1e30: of a million pairs
in float32 and as many in float64 not one fell, near knots and in neighbouring numbers too. So do
this package, `kanditioned_cpu`, PyTorch's `embedding`, `strided`, `presorted` and `cpu`, and
`lookup` of JAX. One that adds (1 - t) c_l and t c_{l+1} as terms of one long sum (`dense`, the bag,
`sorted`, `interleaved`, `sparse_csr`) is off by eps |t c|: there one pair in six falls, at most by
.21 of what `numerics` allows the two. `python -m benchmarks.studies.violations` counts them. Sums
of rising terms would not fall: those of clip(u - k, 0, 1) (c_{k+1} - c_k). But an error of theirs
is one of Σ |c_{k+1} - c_k| over all knots, and exceeds the bound where c goes up and down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import validate
from .blends import Blend, apply_blend, hull, in_exact_order, records, usable_edges
from .grid import Array

Signs = Mapping[int, int] | Sequence[int] | npt.NDArray[np.integer[Any]] | None
"""+1, 0 or -1 for each feature: all of them in order, or those that are not 0 by index."""


class Shapes(NamedTuple):
    """The shape of all edges that leave each input feature.

    Attributes:
        monotone: +1 increasing, -1 decreasing, 0 free, for each feature.
        convex: +1 convex, -1 concave, 0 free, for each feature.

    Example:
        >>> shapes = Shapes.from_arguments("KANLayer", 2, monotone={0: 1}, convex=None)
        >>> c = np.array([[[0.0], [3.0], [1.0], [4.0]], [[0.0], [3.0], [1.0], [4.0]]])
        >>> shapes.feasible(c)[..., 0].tolist()
        [[0.0, 2.0, 2.0, 4.0], [0.0, 3.0, 1.0, 4.0]]
    """

    monotone: tuple[int, ...]
    convex: tuple[int, ...]

    @classmethod
    def from_arguments(cls, where: str, in_features: int, monotone: Signs, convex: Signs) -> Shapes:
        """Build the shapes from arguments of the callable `where`, which errors name.

        Raises:
            ValueError: A sign is not +1, 0 or -1, or a feature does not exist.
            TypeError: An argument is no mapping or sequence of integers.
        """
        return cls(
            check_signs(where, "monotone", in_features, monotone),
            check_signs(where, "convex", in_features, convex),
        )

    @classmethod
    def of(cls, problem: Any) -> Shapes:
        """Return the shapes that a problem of the protocol, or something like one, asks for."""
        return cls.from_arguments("Problem", problem.in_features, problem.monotone, problem.convex)

    def __bool__(self) -> bool:
        """Whether any feature has a shape."""
        return any(self.monotone) or any(self.convex)

    @property
    def features(self) -> tuple[int, ...]:
        """The features that have a shape, in order."""
        pairs = enumerate(zip(self.monotone, self.convex, strict=True))
        return tuple(i for i, (monotone, convex) in pairs if monotone or convex)

    def select(self, features: Iterable[int]) -> Shapes:
        """Return the shapes of some features, in their order."""
        chosen = list(features)
        return Shapes(*(tuple(signs[i] for i in chosen) for signs in self))

    def feasible(self, control_points: npt.ArrayLike) -> Array:
        """Return feasible control points, of the shape (I, K, O) of the free ones.

        An edge that is not finite stays as it is.
        """
        c = self._check(control_points)
        result = c.copy()
        for i in self.features:
            usable, free = usable_edges(c[i])
            points = apply_blend(self.blend(i, free), free)
            if self.convex[i]:
                points = in_exact_order(points, self.monotone[i], self.convex[i])
            result[i] = np.where(usable, points, c[i])
        return result

    def vjp(self, control_points: npt.ArrayLike, grad: npt.ArrayLike) -> Array:
        """Return the gradient by the free control points from that by the feasible ones.

            g_free[left_k] += (1 - r_k) g_k,    g_free[right_k] += r_k g_k,

        and for lifted edges the same with g - mean(g) instead of g, plus mean(g) everywhere.
        """
        c = self._check(control_points)
        result = np.array(grad, dtype=np.float64)
        for i in self.features:
            usable, free = usable_edges(c[i])
            blend, g = self.blend(i, free), result[i]
            mean = g.mean(0) if blend.lifted else 0.0
            moved = np.zeros_like(g) + mean
            columns = np.broadcast_to(np.arange(g.shape[1]), g.shape)
            np.add.at(moved, (blend.left, columns), (1 - blend.ratio) * (g - mean))
            np.add.at(moved, (blend.right, columns), blend.ratio * (g - mean))
            result[i] = np.where(usable, moved, g)
        return result

    def infeasibility(self, control_points: npt.ArrayLike) -> float:
        """Return Σ |c - c'|² / 2, which pulls free control points to feasible ones."""
        c = self._check(control_points)
        return float(((c - self.feasible(c)) ** 2).sum() / 2)

    def violations(self, control_points: npt.ArrayLike) -> int:
        """Return how many increments (or changes of them) have the wrong sign, in any dtype.

        Differences are taken in the dtype of the control points, as a layer takes them.
        """
        c = np.asarray(control_points)
        increments = np.diff(c, axis=1)
        found = 0
        for i in self.features:
            found += int((self.monotone[i] * increments[i] < 0).sum())
            rising = increments[i, 1:] >= increments[i, :-1]
            falling = increments[i, 1:] <= increments[i, :-1]
            if self.convex[i]:
                found += int((~(rising if self.convex[i] > 0 else falling)).sum())
        return found

    def blend(self, feature: int, c: Array) -> Blend:
        """Return how the feasible points of one feature come from its free ones (K, O)."""
        monotone, convex = self.monotone[feature], self.convex[feature]
        if convex:
            return hull(convex * c, monotone * convex)
        left, right = records(monotone * c)
        return Blend(left, right, np.full(c.shape, 0.5), lifted=False)

    def _check(self, control_points: npt.ArrayLike) -> Array:
        c = np.asarray(control_points, dtype=np.float64)
        validate.control_points("Shapes", c.shape)
        return c


def check_signs(where: str, argument: str, in_features: int, signs: Signs) -> tuple[int, ...]:
    """Return +1, 0 or -1 for each feature."""
    constraint = f"+1, 0 or -1 for each of {in_features} features, or a mapping from index to sign"
    remedy = "For example {0: +1, 3: -1}."
    try:
        given = dict(signs.items() if isinstance(signs, Mapping) else enumerate(_or_none(signs)))
        pairs = {
            int(i): int(sign) for i, sign in given.items() if i == int(i) and sign == int(sign)
        }
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            validate.message(where, argument, constraint, repr(signs), remedy)
        ) from None
    whole = isinstance(signs, Mapping) or len(given) in (0, in_features)
    known = all(i in range(in_features) and sign in (-1, 0, 1) for i, sign in pairs.items())
    if not (whole and known and len(pairs) == len(given)):
        raise ValueError(validate.message(where, argument, constraint, repr(signs), remedy))
    return tuple(pairs.get(i, 0) for i in range(in_features))


def _or_none(signs: Any) -> Any:
    return () if signs is None else signs
