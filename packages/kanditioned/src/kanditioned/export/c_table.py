"""A fitted estimator in C: columns, pairs, hidden layers, and the link."""

from __future__ import annotations

from textwrap import indent

import numpy as np

from . import c
from .c_text import array, doubles, number
from .estimator import MOST_HOT, Column, Surface, Table, number_labels

HELPERS = {
    "locate_number": """\
/* The slot of a number among increasing knots, and how far along it x is, in `fraction`: 0 at its
   own knot, 1 at the next one, beyond at both ends. The last slot, `count`, is for NaN. */
static int locate_number(float x, int count, const double *knots, float *fraction)
{
    int low = 0, high = count - 1;
    *fraction = 1.0f;
    if (x != x)
        return count - 1;
    *fraction = 0.0f;
    if (count == 1)
        return 0;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if ((double)x < knots[middle])
            high = middle;
        else
            low = middle;
    }
    *fraction = (float)(((double)x - knots[low]) / (knots[low + 1] - knots[low]));
    return low;
}
""",
    "locate_label": """\
/* The slot of the number of a label; `missing` is the number for NaN, or -1. A label that was not
   seen in training has the slot behind all others: `labels` - 1 and a fraction of 1. */
static int locate_label(float x, int labels, int missing, float *fraction)
{
    const float label = x != x ? (float)missing : x;
    *fraction = 0.0f;
    if (label >= 0.0f && label < (float)labels && label == (float)(int)label)
        return (int)label;
    *fraction = 1.0f;
    return labels - 1;
}
""",
    "add": """\
/* Add what lies between two rows of effects. */
static void add(const float *low, const float *high, float t, float *sum, int outputs)
{
    int o;
    for (o = 0; o < outputs; ++o)
        sum[o] += low[o] + t * (high[o] - low[o]);
}
""",
    "clamp": """\
static float clamp(float t, float low, float high)
{
    return t < low ? low : t > high ? high : t;
}
""",
}
"""Functions by their names; those that are called are written."""
LINKS = {
    "identity": "",
    "logistic": """
    y[1] = 1.0f / (1.0f + expf(-eta[0]));
    y[0] = 1.0f / (1.0f + expf(eta[0]));
""",
    "softmax": """
    {
        float most = eta[0], total = 0.0f;
        for (o = 1; o < OUTPUTS; ++o)
            most = eta[o] > most ? eta[o] : most;
        for (o = 0; o < OUTPUTS; ++o)
            total += y[o] = expf(eta[o] - most);
        for (o = 0; o < OUTPUTS; ++o)
            y[o] /= total;
    }
""",
    "exponential": """
    for (o = 0; o < OUTPUTS; ++o)
        y[o] = expf(eta[o]);
""",
}


def render(table: Table, options: c.Options, version: str) -> tuple[str, str]:
    """Return the text of the header and of the source."""
    signature = "static void network(const float *x, float *y)"
    forward = _forward(table, options)
    parts = c.prologue(table.source, options, version)
    parts += [text for name, text in HELPERS.items() if f"{name}(" in forward]
    if table.network is not None:
        parts += c.functions(table.network, signature, options)
    parts += [_tables(table), forward, c.test(table.vectors(), options)]
    sizes = len(table.columns), table.outputs
    title = f"{len(table.columns)} columns -> {table.outputs} outputs from {table.source}"
    return c.header(title, _notes(table), sizes, options, version), "\n".join(parts)


def _notes(table: Table) -> str:
    lines = ["   x has one number for each column; NaN is a missing value:"]
    for n, column in enumerate(table.columns):
        lines.append(f"     x[{n}] {_safe(column.note)}")
    if table.classes:
        lines += [
            "   y has the probability of each class:",
            f"     {_safe(number_labels(table.classes))}",
        ]
    return "\n".join(lines)


def _safe(text: str) -> str:
    """Return what may stand in a comment."""
    return text.replace("*/", "* /").replace("/*", "/ *")


def _tables(table: Table) -> str:
    parts = [array("intercept", table.intercept)]
    for n, (column, effects) in enumerate(zip(table.columns, table.effects, strict=True)):
        if column.knots is not None:
            parts.append(doubles(f"knots_{n}", column.knots))
        parts.append(array(f"effects_{n}", effects))
    for n, surface in enumerate(table.surfaces):
        for side, column in zip("ab", surface.columns, strict=True):
            if column.knots is not None:
                parts.append(doubles(f"knots_{n}{side}", column.knots))
        parts.append(array(f"surface_{n}", surface.effects))
    if table.network is not None:
        parts.append(array("scale", table.scale))
    return "".join(parts)


def _forward(table: Table, options: c.Options) -> str:
    count = len(table.intercept)
    eta = "y" if table.link == "identity" else "eta"
    lines = [f"float {'' if eta == 'y' else f'eta[{count}], '}t;", "int o, slot;"]
    if table.network is not None:
        lines.append(f"float z[{table.network.widths[0]}], h[{count}];")
    lines += [f"for (o = 0; o < {count}; ++o)", f"    {eta}[o] = intercept[o];"]
    place = 0
    for n, column in enumerate(table.columns):
        lines += [
            f"slot = {_locate(column, f'x[{n}]', f'knots_{n}', 't')};",
            f"add(effects_{n}[slot], effects_{n}[slot + 1], t, {eta}, {count});",
        ]
        if table.network is not None:
            found = _encode(column, table.effects[n], n, place)
            place += found[1]
            lines += found[0]
    for n, surface in enumerate(table.surfaces):
        lines += _surface(surface, n, eta, count)
    if table.network is not None:
        lines += ["network(z, h);", f"for (o = 0; o < {count}; ++o)"]
        lines.append(f"    {eta}[o] += scale[o] * h[o];")
    link = LINKS[table.link].replace("OUTPUTS", str(count))
    body = indent("\n".join(lines), "    ")
    return f"void {options.prefix}_forward(const float *x, float *y)\n{{\n{body}\n{link}}}\n"


def _locate(column: Column, x: str, knots: str, fraction: str) -> str:
    if column.knots is not None:
        return f"locate_number({x}, {len(column.knots)}, {knots}, &{fraction})"
    return f"locate_label({x}, {len(column.labels)}, {column.missing}, &{fraction})"


def _encode(column: Column, effects: np.ndarray, n: int, place: int) -> tuple[list[str], int]:
    """Return what fills the network's inputs from `place` on, and how many there are."""
    if column.knots is not None:
        last = len(column.knots) - 1
        middle = f"6.0f * (clamp(((float)slot + t) / {number(max(last, 1))}, -0.5f, 1.5f) - 0.5f)"
        lines = [f"z[{place}] = x[{n}] != x[{n}] ? 0.0f : {middle};"]
        return [*lines, f"z[{place + 1}] = x[{n}] != x[{n}] ? 1.0f : 0.0f;"], 2
    if len(column.labels) > MOST_HOT:
        size = max(float(np.abs(effects).max()), float(np.finfo(np.float64).tiny))
        count = effects.shape[1]
        first, second = f"effects_{n}[slot][o]", f"effects_{n}[slot + 1][o]"
        value = f"({first} + t * ({second} - {first})) / {number(size)}"
        return [f"for (o = 0; o < {count}; ++o)", f"    z[{place} + o] = {value};"], count
    labels = len(column.labels)
    lines = [
        f"for (o = 0; o < {labels}; ++o)",
        f"    z[{place} + o] = slot == o ? 1.0f - t : 0.0f;",
    ]
    return lines, labels


def _surface(surface: Surface, n: int, eta: str, count: int) -> list[str]:
    a, b = surface.pair
    first, second = surface.columns
    return [
        "{",
        "    float s;",
        f"    const int i = {_locate(first, f'x[{a}]', f'knots_{n}a', 's')};",
        f"    const int j = {_locate(second, f'x[{b}]', f'knots_{n}b', 't')};",
        "    s = clamp(s, 0.0f, 1.0f);",
        "    t = clamp(t, 0.0f, 1.0f);",
        f"    for (o = 0; o < {count}; ++o)",
        f"        {eta}[o] += (1.0f - s) * ((1.0f - t) * surface_{n}[i][j][o]",
        f"                                  + t * surface_{n}[i][j + 1][o])",
        f"                    + s * ((1.0f - t) * surface_{n}[i + 1][j][o]",
        f"                           + t * surface_{n}[i + 1][j + 1][o]);",
        "}",
    ]
