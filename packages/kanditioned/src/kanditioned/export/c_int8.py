"""The functions of an int8 layer in C, bit for bit as `kanditioned_spec.quantize` says."""

from __future__ import annotations

from dataclasses import dataclass

from kanditioned_spec.quantize import STEPS, QuantizedLayer

from .c_text import array, integers, number

SHARED = """\
#if defined(__AVX2__)
#include <immintrin.h>
#endif

/* The interval of x among evenly spaced control points, and the way along it in 255ths, in
   `fraction`: 0 to 255 inside the domain. `rate` is 255 knots per unit. Inputs are clipped `beyond`
   255ths outside; NaN gets the left end. No two operations here may be fused into one. */
static int locate_255(float x, int control_points, float half_width, float rate, int32_t beyond,
                      int32_t *fraction)
{
    const int32_t last = 255 * (control_points - 1);
    float v = (x + half_width) * rate;
    int32_t place, interval;
    v = v > (float)-beyond ? v : (float)-beyond;
    v = v < (float)(last + beyond) ? v : (float)(last + beyond);
    place = (int32_t)(v + ((float)beyond + 0.5f)) - beyond;
    interval = place > 0 ? place / 255 : 0;
    if (interval > control_points - 2)
        interval = control_points - 2;
    *fraction = place - 255 * interval;
    return (int)interval;
}

/* sum[o] += factor[o] ((255 - f) low[o] + f high[o]); with `factor` null it is 1. */
static void add_edges(const int8_t *restrict low, const int8_t *restrict high,
                      const int8_t *restrict factor, int32_t f, int32_t *restrict sum, int count)
{
    int o = 0;
    if (f >= 0 && f <= 255) { /* 16 bits are enough then */
        const int16_t left = (int16_t)(255 - f), right = (int16_t)f;
#if defined(__AVX2__)
        const __m128i weights = _mm_set1_epi16((int16_t)((left | (right << 8)) & 0xffff));
        for (; o + 16 <= count; o += 16) {
            const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(low + o));
            const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(high + o));
            __m256i first = _mm256_cvtepi16_epi32(
                _mm_maddubs_epi16(weights, _mm_unpacklo_epi8(a, b)));
            __m256i second = _mm256_cvtepi16_epi32(
                _mm_maddubs_epi16(weights, _mm_unpackhi_epi8(a, b)));
            __m256i *to = (__m256i *)(void *)(sum + o);
            if (factor) {
                const __m128i m = _mm_loadu_si128((const __m128i *)(const void *)(factor + o));
                first = _mm256_madd_epi16(first, _mm256_cvtepi8_epi32(m));
                second = _mm256_madd_epi16(second, _mm256_cvtepi8_epi32(_mm_srli_si128(m, 8)));
            }
            _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), first));
            _mm256_storeu_si256(to + 1, _mm256_add_epi32(_mm256_loadu_si256(to + 1), second));
        }
#endif
        for (; o < count; ++o) {
            const int16_t value = (int16_t)(left * low[o] + right * high[o]);
            sum[o] += factor ? factor[o] * value : value;
        }
        return;
    }
    for (; o < count; ++o) {
        const int32_t value = (255 - f) * low[o] + f * high[o];
        sum[o] += factor ? factor[o] * value : value;
    }
}
"""


@dataclass(frozen=True, eq=False)
class Integers:
    """Tables of int8 [input][knot][output], and with a scale per edge their factors."""

    layer: QuantizedLayer
    locates: bool = False

    @property
    def bytes(self) -> int:
        return self.layer.nbytes

    def tables(self, n: int, storage: str) -> str:
        layer = self.layer
        factors = integers(f"factor_{n}", layer.factors, storage, "int8_t")
        return (
            integers(f"points_{n}", layer.tables, storage, "int8_t")
            + (factors if layer.has_factors else "")
            + integers(f"bias_{n}", layer.biases, storage, "int32_t")
            + array(f"scale_of_{n}", layer.scales, storage)
        )

    def function(self, n: int) -> str:
        inputs, count, outputs = self.layer.tables.shape
        grid = self.layer.grid
        factor = f"factor_{n}[i]" if self.layer.has_factors else "(const int8_t *)0"
        place = (
            f"locate_255(x[i], {count}, {number(grid.spline_width / 2)}, "
            f"{number(STEPS * grid.knots_per_unit)}, {self.layer.beyond}, &f)"
        )
        return f"""\
/* y[o] = scale[o] sum[o], and sum[o] = bias[o] + the edges in integers. */
static void layer_{n}(const float *restrict x, float *restrict y)
{{
    int32_t sum[{outputs}], f;
    int i, o, is_nan = 0;
    for (o = 0; o < {outputs}; ++o)
        sum[o] = bias_{n}[o];
    for (i = 0; i < {inputs}; ++i) {{
        const int l = {place};
        is_nan |= x[i] != x[i];
        add_edges(points_{n}[i][l], points_{n}[i][l + 1], {factor}, f, sum, {outputs});
    }}
    for (o = 0; o < {outputs}; ++o)
        y[o] = is_nan ? NAN : scale_of_{n}[o] * (float)sum[o];
}}
"""
