"""The shapes that the profiles `dev` and `ci` keep to: compilers are paid once per shape.

Each row is there for a reason; the simplest come first, because the first row that fails is the one
that is reported, and because Hypothesis shrinks towards the front.
"""

from __future__ import annotations

from kanditioned_spec import Problem

SEVERAL = Problem(9, 4, 5, 17)
"""Several of everything, and a few."""

LAYERS = (
    Problem(1, 1, 1, 2),
    Problem(2, 1, 1, 5),
    Problem(3, 1, 2, 3, 1.0),
    Problem(2, 2, 1, 4, 6.5),
    Problem(5, 2, 2, 9, 2.0),
    Problem(4, 3, 2, 6),
    Problem(7, 1, 3, 8, 20.0),
    SEVERAL,
    Problem(16, 2, 4, 12, 6.5),
    Problem(33, 2, 2, 5, 1.0),
    Problem(20, 6, 1, 33, 2.0),
    Problem(17, 3, 6, 70, 20.0),
    Problem(40, 2, 3, 65),
    Problem(131, 5, 37, 10, 6.5),
    Problem(0, 1, 1, 2),
    Problem(0, 3, 2, 7),
)
"""Layers: K = 2, single features, empty batches, dyadic grids and others, K on both sides of 64,
sizes that are no multiples of anything, and one (131, 5, 37) with tails beyond every tile."""

OF_PARAMETERS = tuple(p for p in LAYERS if p.batch in (4, 16))
"""Those that layers of parameters are tried on, end to end."""

DYADIC = tuple(
    p for p in LAYERS if p.num_control_points in (2, 3, 5, 9, 17, 33, 65) and p.spline_width <= 4
)
"""Those of which the positions of knots are exact in any formula."""

MAPS = (
    Problem(0, 1, 1, 2),
    Problem(0, 3, 3, 3, 3.3),
    Problem(0, 1, 2, 5, 1.0),
    Problem(0, 2, 1, 12),
    Problem(0, 3, 4, 70, 6.5),
)
"""For what acts along the knot axis alone; in each, K is on another side of some threshold. In one
all sizes are the same, and the width is a number of no format."""
MANY_POINTS = Problem(0, 2, 3, 300, 6.5)
"""For the same: more control points than a tile or a byte counts."""

FEATURE_MAJOR = (
    Problem(1, 3, 1, 2),
    Problem(4, 3, 2, 6),
    Problem(4, 4, 3, 6),
    Problem(6, 6, 6, 5),
    SEVERAL,
    Problem(17, 3, 6, 70, 20.0),
    Problem(131, 5, 37, 10, 6.5),
    Problem(300, 1, 4, 5),
)
"""For what transposes and is a layer otherwise: B, I and O differ, or are the same; each is 1 in
some; K = 2 and on both sides of 64."""
MANY_TURNED = Problem(40, 130, 135, 3)
"""For the same, once: more than 128 features on both sides."""

COMBINED = (
    Problem(1, 3, 1, 2),
    Problem(1, 3, 4, 5),
    Problem(6, 8, 16, 2),
    Problem(70, 1, 1, 9),
    Problem(128, 16, 32, 5),
    Problem(1, 9, 10, 70),
    Problem(4608, 1, 2, 3),
    Problem(65_601, 1, 1, 2),
    Problem(3, 3, 3, 3, 3.3),
)
"""What is smallest on one axis and not on another, where a fault of both together shows: a row, an
input or K = 2 beside several of the rest; one edge beside many rows; much of K beside many
features, for a single row; more rows than 4096; more than 16 bits count, all of them in one
interval. In some, rows and features fill whole vectors and tiles, and nothing is left over.
And one of which all sizes are the same, and the width is a number of no format."""

LONG_BATCH = Problem(3001, 2, 3, 5)
MANY_INPUTS = Problem(2, 1030, 2, 5)
MANY_OUTPUTS = Problem(2, 3, 1030, 5)
LARGE = (MANY_INPUTS, MANY_OUTPUTS, Problem(5, 260, 270, 4, 6.5))
"""More than 1024 features on one side, more than 256 on both, more than 65536 control points."""
MANY_KNOTS = (
    Problem(64, 2, 3, 64),
    Problem(64, 2, 3, 256),
    Problem(64, 2, 3, 256, 6.5),
    Problem(64, 2, 3, 1000, 20.0),
    Problem(64, 2, 3, 4097, 20.0),
)
PARTICULAR = frozenset((*LARGE, *MANY_KNOTS))
"""What no other problem can stand for: a test of them is about their size."""
