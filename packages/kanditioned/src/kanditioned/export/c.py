"""A program in C99: one header and one source, without allocation or global state.

Every stage becomes one or two functions with its sizes as literals, so that a person can read them
beside the spec, and a compiler unroll them. Tables are `const`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import indent

import numpy as np

from kanditioned_spec.input_map import InputMap
from kanditioned_spec.network import EPSILON

from . import c_int8
from .c_layers import Layout, layer_of
from .c_text import array, doubles, number
from .program import Program, Single, Stage

LOCATE = """\
/* The interval of x among evenly spaced control points, and how far along it x is, in `fraction`:
   0 at the control point on its left, 1 at that on its right, and beyond at both ends. */
static int locate(float x, int control_points, float half_width, float knots_per_unit,
                  float *fraction)
{
    const float u = (x + half_width) * knots_per_unit;
    int interval = 0; /* for NaN too, which stays in the fraction */
    if (u >= (float)(control_points - 2))
        interval = control_points - 2;
    else if (u > 0.0f)
        interval = (int)u;
    *fraction = u - (float)interval;
    return interval;
}
"""


@dataclass(frozen=True)
class Options:
    """How the C is written.

    Attributes:
        prefix: What every public name begins with.
        align: Alignment of tables in bytes, a power of two, or 0 for the compiler's.
    """

    prefix: str = "model"
    align: int = 0


def render(program: Program, options: Options, version: str) -> tuple[str, str]:
    """Return the text of the header and of the source."""
    name = options.prefix
    layouts = [layer_of(stage) for stage in program.stages]
    sizes = program.widths[0], program.widths[-1]
    title = f"{' -> '.join(map(str, program.widths))} from {program.source}"
    parts = [
        *prologue(program.source, options, version),
        *functions(program, f"void {name}_forward(const float *x, float *y)", options),
        test(program.vectors(), options),
    ]
    notes = _notes(program, layouts, name)
    return header(title, notes, sizes, options, version), "\n".join(parts)


def _notes(program: Program, layouts: Sequence[Layout], name: str) -> str:
    clipped = ", up to twice the domain" if program.stages[0].integers else ""
    size, stack = sum(layout.bytes for layout in layouts), _stack(program)
    return f"""\
   {size} bytes of tables. {name}_forward needs {stack} bytes on the stack and no other memory,
   keeps nothing from call to call, and may be called from several threads at once. NaN in an
   input gives NaN in every output. Beyond its first and last control point a function goes on in
   a straight line{clipped}."""


def header(title: str, notes: str, sizes: tuple[int, int], options: Options, version: str) -> str:
    """Return the text of a header."""
    name, upper = options.prefix, options.prefix.upper()
    return f"""\
/* {title}: made by kanditioned {version}.

{notes} */
#ifndef {upper}_H
#define {upper}_H

#define {upper}_INPUTS {sizes[0]}
#define {upper}_OUTPUTS {sizes[1]}

#ifdef __cplusplus
extern "C" {{
#endif

/* Evaluate one sample: read {upper}_INPUTS numbers at x, write {upper}_OUTPUTS numbers at y,
   which must not overlap. */
void {name}_forward(const float *x, float *y);

#ifdef {upper}_TEST
/* The number of outputs, of all samples in the source, that are further from the reference than
   float32 rounding explains: 0 if all is well. */
int {name}_self_test(void);
#endif

#ifdef __cplusplus
}}
#endif

#endif
"""


def prologue(source: str, options: Options, version: str) -> list[str]:
    """Return the beginning of a source."""
    name = options.prefix
    parts = [
        f"/* Made by kanditioned {version} from {source}; see {name}.h.\n"
        f"   cc -std=c99 -O2 -c {name}.c        (-O3 of gcc joins loops, to its own loss)\n"
        f"   With -D{name.upper()}_TEST it is a program: it tests itself, then evaluates every\n"
        f"   row of numbers that it reads. */\n",
        f'#include "{name}.h"\n\n#include <math.h>\n#include <stdint.h>\n',
    ]
    return [*parts, _alignment(options.align)] if options.align else parts


def functions(program: Program, signature: str, options: Options) -> list[str]:
    """Return the tables and functions of a network, the last of which evaluates it."""
    layouts = [layer_of(stage) for stage in program.stages]
    parts = [LOCATE] if any(layout.locates for layout in layouts) else []
    if any(stage.integers for stage in program.stages):
        parts.append(c_int8.SHARED)
    if program.input_map is not None:
        parts.append(_map(program.input_map))
    for n, (stage, layout) in enumerate(zip(program.stages, layouts, strict=True)):
        parts += _stage(stage, layout, n, "TABLE" if options.align else "static const")
    return [*parts, _forward(program, signature)]


def _alignment(align: int) -> str:
    return f"""\
#if defined(__GNUC__)
#define TABLE __attribute__((aligned({align}))) static const
#else
#define TABLE static const
#endif
"""


def _stage(stage: Stage, layout: Layout, n: int, storage: str) -> Iterator[str]:
    if stage.norm == "layer":
        yield _layer_norm(stage, n)
    elif stage.mean is not None and stage.variance is not None:
        yield _batch_norm(stage.mean, stage.variance, n, storage)
    yield layout.tables(n, storage)
    yield layout.function(n)


def _map(input_map: InputMap) -> str:
    count, points = input_map.breakpoints.shape
    tables = (
        doubles("breakpoint", input_map.breakpoints)
        + array("image", input_map.images)
        + array("slope", input_map.slopes)
    )
    return f"""\
/* z = image + slope (x - breakpoint), with the breakpoint on the left of x: a piecewise straight
   line for each input, whose end pieces go on. Breakpoints are double, for large offsets. */
{tables}
static void map_inputs(const float *restrict x, float *restrict z)
{{
    int i, j;
    for (i = 0; i < {count}; ++i) {{
        for (j = 0; j < {points - 2}; ++j)
            if ((double)x[i] < breakpoint[i][j + 1])
                break;
        z[i] = image[i][j] + slope[i][j] * (float)((double)x[i] - breakpoint[i][j]);
        if (j < {points - 2} && z[i] > image[i][j + 1])
            z[i] = image[i][j + 1];
    }}
}}
"""


def _layer_norm(stage: Stage, n: int) -> str:
    count = stage.in_features
    return f"""\
/* z = (x - mean) / sqrt(variance + epsilon), over the {count} features of the sample. */
static void normalise_{n}(const float *restrict x, float *restrict z)
{{
    float mean = 0.0f, variance = 0.0f, scale;
    int i;
    for (i = 0; i < {count}; ++i)
        mean += x[i];
    mean /= {number(count)};
    for (i = 0; i < {count}; ++i) {{
        z[i] = x[i] - mean;
        variance += z[i] * z[i];
    }}
    scale = 1.0f / sqrtf(variance / {number(count)} + {number(EPSILON)});
    for (i = 0; i < {count}; ++i)
        z[i] *= scale;
}}
"""


def _batch_norm(mean: Single, variance: Single, n: int, storage: str) -> str:
    scale = 1 / np.sqrt(variance.astype(np.float64) + EPSILON)
    return f"""\
/* z = (x - mean) * scale, with scale = 1 / sqrt(variance + epsilon) of the training. */
{array(f"mean_{n}", mean, storage)}{array(f"scale_{n}", scale, storage)}
static void normalise_{n}(const float *restrict x, float *restrict z)
{{
    int i;
    for (i = 0; i < {len(mean)}; ++i)
        z[i] = (x[i] - mean_{n}[i]) * scale_{n}[i];
}}
"""


def _stack(program: Program) -> int:
    """Return the bytes of the arrays that `forward` and one layer at a time declare."""
    integers = [stage.integers for stage in program.stages if stage.integers is not None]
    deepest = max((c_int8.Integers(layer).stack for layer in integers), default=0)
    return 4 * sum(size for _, size in _variables(program)) + deepest


def _variables(program: Program) -> list[tuple[str, int]]:
    """Return the arrays of intermediate features: z before a layer, h behind it."""
    found = [] if program.input_map is None else [("mapped", program.widths[0])]
    for n, stage in enumerate(program.stages):
        if stage.norm != "none":
            found.append((f"z{n}", stage.in_features))
        if n < len(program.stages) - 1:
            found.append((f"h{n}", stage.out_features))
    return found


def _forward(program: Program, signature: str) -> str:
    lines = [f"float {name}[{size}];" for name, size in _variables(program)]
    given = "x"
    if program.input_map is not None:
        lines.append("map_inputs(x, mapped);")
        given = "mapped"
    for n, stage in enumerate(program.stages):
        if stage.norm != "none":
            lines.append(f"normalise_{n}({given}, z{n});")
            given = f"z{n}"
        result = "y" if n == len(program.stages) - 1 else f"h{n}"
        lines.append(f"layer_{n}({given}, {result});")
        given = result
    body = indent("\n".join(lines), "    ")
    return f"{signature}\n{{\n{body}\n}}\n"


def test(vectors: tuple[Single, Single, Single], options: Options) -> str:
    """Return a test with vectors in it, and a program that makes it."""
    name, upper = options.prefix, options.prefix.upper()
    x, y, bound = vectors
    (count, inputs), outputs = x.shape, y.shape[1]
    return f"""\
#ifdef {upper}_TEST
#include <stdio.h>

/* Inputs, their outputs in float64 arithmetic, and how far off float32 rounding may be. */
{array("test_x", x)}{array("test_y", y)}{array("test_bound", bound)}
int {name}_self_test(void)
{{
    int wrong = 0, n, o;
    for (n = 0; n < {count}; ++n) {{
        float y[{outputs}];
        {name}_forward(test_x[n], y);
        for (o = 0; o < {outputs}; ++o)
            if (!(fabsf(y[o] - test_y[n][o]) <= test_bound[n][o]))
                ++wrong;
    }}
    return wrong;
}}

int main(void)
{{
    float x[{inputs}], y[{outputs}];
    int i = 0, o;
    if ({name}_self_test() != 0) {{
        fprintf(stderr, "the self-test failed\\n");
        return 1;
    }}
    while (scanf("%f", &x[i]) == 1) {{
        if (++i < {inputs})
            continue;
        i = 0;
        {name}_forward(x, y);
        for (o = 0; o < {outputs}; ++o)
            printf(o + 1 < {outputs} ? "%.9g " : "%.9g\\n", (double)y[o]);
    }}
    return 0;
}}
#endif
"""
