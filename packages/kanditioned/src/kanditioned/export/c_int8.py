"""The functions of an int8 layer in C, bit for bit as `kanditioned_spec.int8` says."""

from __future__ import annotations

from dataclasses import dataclass

from kanditioned_spec.int8 import STEPS, QuantizedLayer

from .c_text import array, integers, number

SHARED = """\
#include <stddef.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

/* The interval of x among evenly spaced control points, and the way along it in 255ths, in
   `fraction`: 0 to 255 inside the domain. `rate` is 255 knots per unit. Inputs are clipped `beyond`
   255ths outside; NaN gets the left end. No two operations here may be fused into one. */
static inline int locate_255(float x, int control_points, float half_width, float rate,
                             int32_t beyond, int32_t *fraction)
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

enum { BLOCK = 64 }; /* inputs that are placed before their edges are added */

/* Of each input of a block: where the control points left of it begin, counted in its table
   [control point][output]; the way along in 255ths; and both weights, 255 - f and f, as a pair of
   bytes, 0 for an input outside the domain. One more has no weight. */
struct places {
    int32_t offset[BLOCK + 1], f[BLOCK + 1], weights[BLOCK + 1];
};

/* A table and its factors, or null where all are 1, at the first input of a block. */
struct tables {
    const int8_t *points, *factors;
    int control_points, outputs;
};

#if defined(__AVX2__)
/* As locate_255, for 8 inputs; returns whether one is NaN. */
static int place_8(const float *x, const struct tables *t, float half_width, float rate,
                   int32_t beyond, int n, struct places *at)
{
    const int32_t last = 255 * (t->control_points - 1);
    const __m256i zero = _mm256_setzero_si256(), all = _mm256_set1_epi32(255);
    const __m256i divisor = _mm256_set1_epi32((int32_t)0x80808081u); /* 2^39 / 255, rounded up */
    const __m256 given = _mm256_loadu_ps(x + n);
    const __m256 shifted = _mm256_add_ps(given, _mm256_set1_ps(half_width));
    __m256 v = _mm256_mul_ps(shifted, _mm256_set1_ps(rate));
    __m256i place, even, odd, interval, f, outside;
    v = _mm256_max_ps(v, _mm256_set1_ps((float)-beyond));
    v = _mm256_min_ps(v, _mm256_set1_ps((float)(last + beyond)));
    place = _mm256_cvttps_epi32(_mm256_add_ps(v, _mm256_set1_ps((float)beyond + 0.5f)));
    place = _mm256_sub_epi32(place, _mm256_set1_epi32(beyond));
    interval = _mm256_max_epi32(place, zero);
    even = _mm256_srli_epi64(_mm256_mul_epu32(interval, divisor), 39);
    odd = _mm256_srli_epi64(_mm256_mul_epu32(_mm256_srli_epi64(interval, 32), divisor), 39);
    interval = _mm256_or_si256(even, _mm256_slli_epi64(odd, 32));
    interval = _mm256_min_epi32(interval, _mm256_set1_epi32(t->control_points - 2));
    f = _mm256_sub_epi32(place, _mm256_mullo_epi32(interval, all));
    outside = _mm256_or_si256(_mm256_cmpgt_epi32(zero, f), _mm256_cmpgt_epi32(f, all));
    interval = _mm256_mullo_epi32(interval, _mm256_set1_epi32(t->outputs));
    _mm256_storeu_si256((__m256i *)(void *)(at->offset + n), interval);
    _mm256_storeu_si256((__m256i *)(void *)(at->f + n), f);
    f = _mm256_or_si256(_mm256_sub_epi32(all, f), _mm256_slli_epi32(f, 8));
    _mm256_storeu_si256((__m256i *)(void *)(at->weights + n), _mm256_andnot_si256(outside, f));
    return _mm256_movemask_ps(_mm256_cmp_ps(given, given, _CMP_UNORD_Q));
}
#endif

/* Place the inputs of a block; returns whether one is NaN. */
static int place_block(const float *x, int count, const struct tables *t, float half_width,
                       float rate, int32_t beyond, struct places *at)
{
    int begin = 0, n, is_nan = 0;
#if defined(__AVX2__)
    begin = count - count % 8;
    for (n = 0; n < begin; n += 8)
        is_nan |= place_8(x, t, half_width, rate, beyond, n, at);
#endif
    for (n = begin; n < count; ++n) {
        const int l = locate_255(x[n], t->control_points, half_width, rate, beyond, &at->f[n]);
        const int32_t f = at->f[n];
        at->offset[n] = l * t->outputs;
        at->weights[n] = f >= 0 && f <= 255 ? (255 - f) | (f << 8) : 0;
        is_nan |= x[n] != x[n];
    }
    at->offset[count] = at->weights[count] = 0;
    return is_nan;
}

#if defined(__AVX2__)
#define LOAD_32(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define LOAD_8(p) _mm_loadl_epi64((const __m128i *)(const void *)(p))

/* sum[0 ... 31], of outputs from `o` on, two inputs at a time. What is interleaved, bytes and then
   pairs of 16 bits, is so in each half of a vector: outputs 0 to 3 and 16 to 19 come first. */
static void add_32(const struct tables *t, const struct places *at, int inputs, int o, int32_t *sum)
{
    const int stride = t->control_points * t->outputs, outputs = t->outputs;
    const int8_t *points = t->points + o, *factors = t->factors ? t->factors + o : t->factors;
    const __m256i zero = _mm256_setzero_si256();
    __m256i s0 = zero, s1 = zero, s2 = zero, s3 = zero, *to = (__m256i *)(void *)sum;
    __m256i m0, m1, m2, m3;
    int n;
    m0 = m1 = m2 = m3 = _mm256_set1_epi16(1);
    for (n = 0; n < inputs; n += 2, points += 2 * (size_t)stride) {
        const int is_pair = n + 1 < inputs; /* else the second has no weight */
        const int8_t *p = points + at->offset[n];
        const int8_t *q = points + (is_pair ? stride : 0) + at->offset[n + 1];
        const __m256i v = _mm256_set1_epi16((int16_t)at->weights[n]);
        const __m256i w = _mm256_set1_epi16((int16_t)at->weights[n + 1]);
        const __m256i a = LOAD_32(p), b = LOAD_32(p + outputs);
        const __m256i c = LOAD_32(q), d = LOAD_32(q + outputs);
        const __m256i p0 = _mm256_maddubs_epi16(v, _mm256_unpacklo_epi8(a, b));
        const __m256i p1 = _mm256_maddubs_epi16(v, _mm256_unpackhi_epi8(a, b));
        const __m256i q0 = _mm256_maddubs_epi16(w, _mm256_unpacklo_epi8(c, d));
        const __m256i q1 = _mm256_maddubs_epi16(w, _mm256_unpackhi_epi8(c, d));
        if (factors) {
            const __m256i f = LOAD_32(factors), g = LOAD_32(factors + (is_pair ? outputs : 0));
            const __m256i low = _mm256_unpacklo_epi8(f, g), high = _mm256_unpackhi_epi8(f, g);
            m0 = _mm256_unpacklo_epi8(low, zero);
            m1 = _mm256_unpackhi_epi8(low, zero);
            m2 = _mm256_unpacklo_epi8(high, zero);
            m3 = _mm256_unpackhi_epi8(high, zero);
            factors += 2 * (size_t)outputs;
        }
        s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(_mm256_unpacklo_epi16(p0, q0), m0));
        s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(_mm256_unpackhi_epi16(p0, q0), m1));
        s2 = _mm256_add_epi32(s2, _mm256_madd_epi16(_mm256_unpacklo_epi16(p1, q1), m2));
        s3 = _mm256_add_epi32(s3, _mm256_madd_epi16(_mm256_unpackhi_epi16(p1, q1), m3));
    }
    m0 = _mm256_permute2x128_si256(s0, s1, 0x20);
    m1 = _mm256_permute2x128_si256(s2, s3, 0x20);
    m2 = _mm256_permute2x128_si256(s0, s1, 0x31);
    m3 = _mm256_permute2x128_si256(s2, s3, 0x31);
    _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), m0));
    _mm256_storeu_si256(to + 1, _mm256_add_epi32(_mm256_loadu_si256(to + 1), m1));
    _mm256_storeu_si256(to + 2, _mm256_add_epi32(_mm256_loadu_si256(to + 2), m2));
    _mm256_storeu_si256(to + 3, _mm256_add_epi32(_mm256_loadu_si256(to + 3), m3));
}

/* sum[0 ... 7], likewise. */
static void add_8(const struct tables *t, const struct places *at, int inputs, int o, int32_t *sum)
{
    const int stride = t->control_points * t->outputs, outputs = t->outputs;
    const int8_t *points = t->points + o, *factors = t->factors ? t->factors + o : t->factors;
    const __m128i zero = _mm_setzero_si128();
    __m128i s0 = zero, s1 = zero, m0, m1, *to = (__m128i *)(void *)sum;
    int n;
    m0 = m1 = _mm_set1_epi16(1);
    for (n = 0; n < inputs; n += 2, points += 2 * (size_t)stride) {
        const int is_pair = n + 1 < inputs;
        const int8_t *p = points + at->offset[n];
        const int8_t *q = points + (is_pair ? stride : 0) + at->offset[n + 1];
        const __m128i v = _mm_set1_epi16((int16_t)at->weights[n]);
        const __m128i w = _mm_set1_epi16((int16_t)at->weights[n + 1]);
        const __m128i left = _mm_unpacklo_epi8(LOAD_8(p), LOAD_8(p + outputs));
        const __m128i right = _mm_unpacklo_epi8(LOAD_8(q), LOAD_8(q + outputs));
        const __m128i p0 = _mm_maddubs_epi16(v, left), q0 = _mm_maddubs_epi16(w, right);
        if (factors) {
            const __m128i f = LOAD_8(factors), g = LOAD_8(factors + (is_pair ? outputs : 0));
            const __m128i pairs = _mm_unpacklo_epi8(f, g);
            m0 = _mm_unpacklo_epi8(pairs, zero);
            m1 = _mm_unpackhi_epi8(pairs, zero);
            factors += 2 * (size_t)outputs;
        }
        s0 = _mm_add_epi32(s0, _mm_madd_epi16(_mm_unpacklo_epi16(p0, q0), m0));
        s1 = _mm_add_epi32(s1, _mm_madd_epi16(_mm_unpackhi_epi16(p0, q0), m1));
    }
    _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), s0));
    _mm_storeu_si128(to + 1, _mm_add_epi32(_mm_loadu_si128(to + 1), s1));
}
#endif

/* sum[o] += factor[o] ((255 - f) low[o] + f high[o]) of one input, from output `o` on. */
static void add_edges(const int8_t *restrict low, const int8_t *restrict high,
                      const int8_t *restrict factor, int32_t f, int o, int outputs,
                      int32_t *restrict sum)
{
    if (f >= 0 && f <= 255) { /* 16 bits are enough then */
        const int16_t left = (int16_t)(255 - f), right = (int16_t)f;
        for (; o < outputs; ++o) {
            const int16_t value = (int16_t)(left * low[o] + right * high[o]);
            sum[o] += factor ? factor[o] * value : value;
        }
        return;
    }
    for (; o < outputs; ++o) {
        const int32_t value = (255 - f) * low[o] + f * high[o];
        sum[o] += factor ? factor[o] * value : value;
    }
}

/* Add the edges of the inputs of a block to the sums of all outputs. */
static void add_block(const struct tables *t, const struct places *at, int inputs, int32_t *sum)
{
    const int8_t *points = t->points, *factors = t->factors;
    int done = 0, n;
#if defined(__AVX2__)
    for (; done + 32 <= t->outputs; done += 32)
        add_32(t, at, inputs, done, sum + done);
    for (; done + 8 <= t->outputs; done += 8)
        add_8(t, at, inputs, done, sum + done);
#endif
    for (n = 0; n < inputs; ++n, points += t->control_points * t->outputs) {
        const int8_t *low = points + at->offset[n];
        const int32_t f = at->f[n];
        add_edges(low, low + t->outputs, factors, f, f >= 0 && f <= 255 ? done : 0, t->outputs,
                  sum);
        factors = factors ? factors + t->outputs : factors;
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

    @property
    def stack(self) -> int:
        """Bytes of `places` and of the sums."""
        return 4 * (3 * 65 + int(self.layer.tables.shape[2]))

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
        half, rate = number(grid.spline_width / 2), number(STEPS * grid.knots_per_unit)
        return f"""\
/* y[o] = scale[o] sum[o], and sum[o] = bias[o] + the edges in integers. */
static void layer_{n}(const float *restrict x, float *restrict y)
{{
    struct places at;
    int32_t sum[{outputs}];
    int i, o, is_nan = 0;
    for (o = 0; o < {outputs}; ++o)
        sum[o] = bias_{n}[o];
    for (i = 0; i < {inputs}; i += BLOCK) {{
        const int count = {inputs} - i < BLOCK ? {inputs} - i : BLOCK;
        const struct tables t = {{points_{n}[i][0], {factor}, {count}, {outputs}}};
        is_nan |= place_block(x + i, count, &t, {half}, {rate}, {self.layer.beyond}, &at);
        add_block(&t, &at, count, sum);
    }}
    for (o = 0; o < {outputs}; ++o)
        y[o] = is_nan ? NAN : scale_of_{n}[o] * (float)sum[o];
}}
"""
