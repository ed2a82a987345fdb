// Vectors of the instruction set that this translation unit is compiled for.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace kan::KAN_ISA {
// Everything here is local to the unit: a function shared between units through the linker could
// be taken from the one whose instructions the machine lacks.
namespace {

#if defined(__AVX512F__)
constexpr std::ptrdiff_t VECTOR_BYTES = 64;
#elif defined(__AVX2__)
constexpr std::ptrdiff_t VECTOR_BYTES = 32;
#else
constexpr std::ptrdiff_t VECTOR_BYTES = 16;
#endif

template <class T>
struct Vectors;
template <>
struct Vectors<float> {
    typedef float Type __attribute__((vector_size(VECTOR_BYTES)));
    typedef float Anywhere __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
};
template <>
struct Vectors<double> {
    typedef double Type __attribute__((vector_size(VECTOR_BYTES)));
    typedef double Anywhere __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
};
template <class T>
using Vector = typename Vectors<T>::Type;
template <class T>
constexpr std::ptrdiff_t LANES = VECTOR_BYTES / static_cast<std::ptrdiff_t>(sizeof(T));

template <class T>
inline Vector<T> load(const T* p) {
    return *reinterpret_cast<const typename Vectors<T>::Anywhere*>(p);
}

template <class T>
inline void store(T* p, Vector<T> v) {
    *reinterpret_cast<typename Vectors<T>::Anywhere*>(p) = v;
}

// Keep a loaded vector in its register: the compiler would rather load it again for each use.
template <class V>
inline void hold([[maybe_unused]] V& v) {
#if defined(__AVX512F__)
    asm("" : "+v"(v));
#elif defined(__x86_64__)
    asm("" : "+x"(v));
#endif
}

// The first `count` lanes, 0 in the others; memory beyond them is not touched.
template <class T>
inline Vector<T> load_first(const T* p, std::ptrdiff_t count) {
    Vector<T> v{};
    for (std::ptrdiff_t lane = 0; lane < count; ++lane) v[lane] = p[lane];
    return v;
}

template <class T>
inline void store_first(T* p, Vector<T> v, std::ptrdiff_t count) {
    for (std::ptrdiff_t lane = 0; lane < count; ++lane) p[lane] = v[lane];
}

#if defined(__AVX512F__)
inline __mmask16 first_lanes(std::ptrdiff_t count) {
    return static_cast<__mmask16>((1u << count) - 1u);
}
template <>
inline Vector<float> load_first(const float* p, std::ptrdiff_t count) {
    return _mm512_maskz_loadu_ps(first_lanes(count), p);
}
template <>
inline Vector<double> load_first(const double* p, std::ptrdiff_t count) {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>(first_lanes(count)), p);
}
template <>
inline void store_first(float* p, Vector<float> v, std::ptrdiff_t count) {
    _mm512_mask_storeu_ps(p, first_lanes(count), v);
}
template <>
inline void store_first(double* p, Vector<double> v, std::ptrdiff_t count) {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(first_lanes(count)), v);
}
#elif defined(__AVX2__)
inline __m256i first_lanes_32(std::ptrdiff_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i first_lanes_64(std::ptrdiff_t count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}
template <>
inline Vector<float> load_first(const float* p, std::ptrdiff_t count) {
    return _mm256_maskload_ps(p, first_lanes_32(count));
}
template <>
inline Vector<double> load_first(const double* p, std::ptrdiff_t count) {
    return _mm256_maskload_pd(p, first_lanes_64(count));
}
template <>
inline void store_first(float* p, Vector<float> v, std::ptrdiff_t count) {
    _mm256_maskstore_ps(p, first_lanes_32(count), v);
}
template <>
inline void store_first(double* p, Vector<double> v, std::ptrdiff_t count) {
    _mm256_maskstore_pd(p, first_lanes_64(count), v);
}
#endif

// C vectors of neighbouring columns, the last of which may be partial.
template <class T, int C, bool PARTIAL>
struct Columns {
    std::ptrdiff_t lanes;  // of the last vector, if it is partial

    inline Vector<T> load(const T* row, int c) const {
        const T* p = row + c * LANES<T>;
        return PARTIAL && c == C - 1 ? load_first(p, lanes) : kan::KAN_ISA::load(p);
    }
    inline void store(T* row, int c, Vector<T> v) const {
        T* p = row + c * LANES<T>;
        if (PARTIAL && c == C - 1)
            store_first(p, v, lanes);
        else
            kan::KAN_ISA::store(p, v);
    }
};

// The sum of a vector's lanes, and of each of four vectors: in the same order, so that a sum does
// not depend on which of the two it went through.
template <class T>
inline T lane_sum(Vector<T> v) {
    for (std::ptrdiff_t half = LANES<T> / 2; half > 0; half /= 2)
        for (std::ptrdiff_t lane = 0; lane < half; ++lane) v[lane] += v[lane + half];
    return v[0];
}

template <class T>
inline void lane_sums(const Vector<T> (&v)[4], T (&sums)[4]) {
    for (int n = 0; n < 4; ++n) sums[n] = lane_sum<T>(v[n]);
}

#if defined(__AVX512F__)
template <>
inline float lane_sum<float>(Vector<float> v) {
    const __m512 pairs = _mm512_add_ps(v, _mm512_shuffle_ps(v, v, 0x4e));
    const __m512 fours = _mm512_add_ps(pairs, _mm512_shuffle_ps(pairs, pairs, 0xb1));
    const __m256 half =
        _mm256_add_ps(_mm512_castps512_ps256(fours), _mm512_extractf32x8_ps(fours, 1));
    return _mm_cvtss_f32(
        _mm_add_ss(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}

template <>
inline void lane_sums<float>(const Vector<float> (&v)[4], float (&sums)[4]) {
    const auto pairs = [](__m512 a, __m512 b) {
        return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    };
    const __m512 first = pairs(v[0], v[1]), second = pairs(v[2], v[3]);
    const __m512 fours = _mm512_add_ps(_mm512_shuffle_ps(first, second, 0x44),
                                       _mm512_shuffle_ps(first, second, 0xee));
    const __m256 half =
        _mm256_add_ps(_mm512_castps512_ps256(fours), _mm512_extractf32x8_ps(fours, 1));
    _mm_storeu_ps(sums,
                  _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}
#elif defined(__AVX2__)
template <>
inline float lane_sum<float>(Vector<float> v) {
    const __m256 pairs = _mm256_hadd_ps(v, v), fours = _mm256_hadd_ps(pairs, pairs);
    return _mm_cvtss_f32(
        _mm_add_ss(_mm256_castps256_ps128(fours), _mm256_extractf128_ps(fours, 1)));
}

template <>
inline void lane_sums<float>(const Vector<float> (&v)[4], float (&sums)[4]) {
    const __m256 fours = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    _mm_storeu_ps(sums,
                  _mm_add_ps(_mm256_castps256_ps128(fours), _mm256_extractf128_ps(fours, 1)));
}
#endif

}  // namespace
}  // namespace kan::KAN_ISA
