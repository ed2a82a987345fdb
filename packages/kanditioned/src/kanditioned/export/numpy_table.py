"""A fitted estimator as one file of NumPy: columns, pairs, hidden layers, and the link."""

from __future__ import annotations

import numpy as np

from . import numpy
from .estimator import MOST_HOT, Column, Surface, Table, number_labels

HELPERS = '''\


def locate_number(x, knots):
    """Return the slots of numbers among increasing knots, and how far along them they are.

    0 at their own knot, 1 at the next one, beyond at both ends. The last slot is for NaN.
    """
    count = len(knots)
    slot = (np.searchsorted(knots, x, side="right") - 1).clip(0, max(count - 2, 0))
    if count == 1:
        t = np.zeros(len(x))
    else:
        t = (x - knots[slot]) / (knots[slot + 1] - knots[slot])
    return np.where(np.isnan(x), count - 1, slot), np.where(np.isnan(x), 1.0, t)


def locate_label(x, labels, missing):
    """Return the slots of the numbers of labels; `missing` is the number for NaN, or -1.

    A label that was not seen in training has the slot behind all others: `labels` - 1, and 1.
    """
    label = np.where(np.isnan(x), missing, x)
    known = (label >= 0) & (label < labels) & (label == np.floor(label))
    return np.where(known, label, labels - 1).astype(int), np.where(known, 0.0, 1.0)


def between(effects, slot, t):
    """Return what lies between two rows of effects."""
    return effects[slot] + t[:, None] * (effects[slot + 1] - effects[slot])


def surface(effects, i, s, j, t):
    """Return what lies between four rows of effects of a pair; it is constant beyond the ends."""
    s, t = s.clip(0, 1)[:, None], t.clip(0, 1)[:, None]
    low = (1 - t) * effects[i, j] + t * effects[i, j + 1]
    high = (1 - t) * effects[i + 1, j] + t * effects[i + 1, j + 1]
    return (1 - s) * low + s * high
'''

LINKS = {
    "identity": "    return eta",
    "logistic": "    return 1 / (1 + np.exp(np.hstack([eta, -eta])))",
    "softmax": """\
    odds = np.exp(eta - eta.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)""",
    "exponential": "    return np.exp(eta)",
}


def render(table: Table, version: str) -> str:
    """Return the text of the module."""
    head = numpy.HEAD.format(
        title=f"{len(table.columns)} columns -> {table.outputs} outputs",
        version=version,
        source=table.source,
        notes=_notes(table),
        inputs=len(table.columns),
        outputs=table.outputs,
    )
    parts = [head, HELPERS, _tables(table)]
    if table.network is not None:
        parts += [numpy.SPLINES, *numpy.function("network", table.network)]
    return "".join([*parts, _forward(table), numpy.FOOT])


def _notes(table: Table) -> str:
    lines = ["", "x has one number for each column; NaN is a missing value:", ""]
    for n, column in enumerate(table.columns):
        lines.append(f"    x[:, {n}] {_safe(column.note)}")
    if table.classes:
        lines += ["", f"y has the probability of each class: {_safe(number_labels(table.classes))}"]
    return "\n".join([*lines, ""])


def _safe(text: str) -> str:
    """Return what may stand in a docstring."""
    return text.replace("\\", "/").replace('"', "'")


def _tables(table: Table) -> str:
    lines = [numpy.table("INTERCEPT", table.intercept)]
    for n, (column, effects) in enumerate(zip(table.columns, table.effects, strict=True)):
        lines += [*_knots(column, f"KNOTS_{n}"), numpy.table(f"EFFECTS_{n}", effects)]
    for n, surface in enumerate(table.surfaces):
        for side, column in zip("AB", surface.columns, strict=True):
            lines += _knots(column, f"KNOTS_{n}{side}")
        lines.append(numpy.table(f"SURFACE_{n}", surface.effects))
    if table.network is not None:
        lines.append(numpy.table("SCALE", table.scale))
    return "\n\n" + "\n".join(lines) + "\n"


def _knots(column: Column, name: str) -> list[str]:
    return [] if column.knots is None else [numpy.table(name, column.knots)]


def _forward(table: Table) -> str:
    lines = ["x = np.asarray(x, np.float64)", "eta = np.tile(INTERCEPT, (len(x), 1))"]
    if table.network is not None:
        lines.append("z = []")
    for n, column in enumerate(table.columns):
        lines.append(f"slot, t = {_locate(column, n, f'KNOTS_{n}')}")
        lines.append(f"eta += between(EFFECTS_{n}, slot, t)")
        if table.network is not None:
            lines += _encode(column, table.effects[n], n)
    for n, surface in enumerate(table.surfaces):
        lines += _surface(surface, n)
    if table.network is not None:
        lines.append("eta += SCALE * network(np.hstack(z))")
    body = "".join(f"    {line}\n" for line in lines)
    return f"\n\ndef forward(x):\n{body}{LINKS[table.link]}\n"


def _locate(column: Column, n: int, knots: str) -> str:
    if column.knots is not None:
        return f"locate_number(x[:, {n}], {knots})"
    return f"locate_label(x[:, {n}], {len(column.labels)}, {column.missing})"


def _encode(column: Column, effects: np.ndarray, n: int) -> list[str]:
    """Return what adds the network's inputs that come from a column."""
    if column.knots is not None:
        last = max(len(column.knots) - 1, 1)
        return [
            f"middle = 6 * (((slot + t) / {last}).clip(-0.5, 1.5) - 0.5)",
            f"missing = np.isnan(x[:, {n}])",
            "z.append(np.stack([np.where(missing, 0, middle), missing], 1))",
        ]
    if len(column.labels) > MOST_HOT:
        size = max(float(np.abs(effects).max()), float(np.finfo(np.float64).tiny))
        return [f"z.append(between(EFFECTS_{n}, slot, t) / {size!r})"]
    return [f"z.append((slot[:, None] == np.arange({len(column.labels)})) * (1 - t)[:, None])"]


def _surface(surface: Surface, n: int) -> list[str]:
    (a, b), (first, second) = surface.pair, surface.columns
    return [
        f"i, s = {_locate(first, a, f'KNOTS_{n}A')}",
        f"j, t = {_locate(second, b, f'KNOTS_{n}B')}",
        f"eta += surface(SURFACE_{n}, i, s, j, t)",
    ]
