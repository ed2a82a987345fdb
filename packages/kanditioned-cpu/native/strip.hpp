// A few vectors of edges of one feature, which are swept along the knots together, and the marks
// of their control points (see `shapes.hpp`).
#pragma once

#include <type_traits>

#include "grid.hpp"
#include "vector.hpp"

namespace kan::KAN_ISA {
namespace {

template <class T>
struct Masks;
template <>
struct Masks<float> {
    typedef int32_t Type __attribute__((vector_size(VECTOR_BYTES)));
    typedef uint8_t Bytes __attribute__((vector_size(VECTOR_BYTES / 4)));
};
template <>
struct Masks<double> {
    typedef int64_t Type __attribute__((vector_size(VECTOR_BYTES)));
    typedef uint8_t Bytes __attribute__((vector_size(VECTOR_BYTES / 8)));
};
template <class T>
using Mask = typename Masks<T>::Type;  // all bits of a lane or none, as comparisons give
template <class T>
using Bytes = typename Masks<T>::Bytes;

// As __builtin_convertvector, which GCC 12 takes byte by byte.
template <class T>
inline Mask<T> widened(Bytes<T> bytes) {
    return __builtin_convertvector(bytes, Mask<T>);
}
#if defined(__AVX512F__)
template <>
inline Mask<float> widened<float>(Bytes<float> bytes) {
    return reinterpret_cast<Mask<float>>(_mm512_cvtepu8_epi32(reinterpret_cast<__m128i>(bytes)));
}
template <>
inline Mask<double> widened<double>(Bytes<double> bytes) {
    const auto eight = reinterpret_cast<long long>(bytes);
    return reinterpret_cast<Mask<double>>(_mm512_cvtepu8_epi64(_mm_cvtsi64_si128(eight)));
}
#elif defined(__AVX2__)
template <>
inline Mask<float> widened<float>(Bytes<float> bytes) {
    const auto eight = reinterpret_cast<long long>(bytes);
    return reinterpret_cast<Mask<float>>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(eight)));
}
template <>
inline Mask<double> widened<double>(Bytes<double> bytes) {
    const auto four = reinterpret_cast<int>(bytes);
    return reinterpret_cast<Mask<double>>(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four)));
}
#endif

template <class T>
inline bool any(Mask<T> mask) {
    int64_t words[VECTOR_BYTES / 8], found = 0;
    __builtin_memcpy(words, &mask, sizeof mask);
    for (const int64_t word : words) found |= word;
    return found != 0;
}

template <class T>
inline Vector<T> magnitude(Vector<T> v) {
    return v < T(0) ? -v : v;
}

template <class T>
inline Vector<T> rounded(Vector<T> v) {
    T numbers[LANES<T>];
    store(numbers, v);
    for (T& number : numbers) number = static_cast<T>(__builtin_rint(number));
    return load(numbers);
}

// The power of two below or at each positive number.
template <class T>
inline Vector<T> power_of_two(Vector<T> v) {
    constexpr auto exponent = sizeof(T) == 4 ? int64_t(0x7f800000) : int64_t(0x7ff0000000000000);
    using Lane = std::remove_reference_t<decltype(Mask<T>{}[0])>;
    return reinterpret_cast<Vector<T>>(reinterpret_cast<Mask<T>>(v) & static_cast<Lane>(exponent));
}

// A few columns of one feature. What a sweep leaves behind for the next is in `scratch`.
template <class T, int C, bool PARTIAL>
struct Strip {
    const ShapeCall<T>& call;
    const Columns<T, C, PARTIAL> columns;
    const ptrdiff_t knots, stride;
    const T* in;
    T* out;
    uint8_t* marks;
    Vector<T>* scratch;  // arrays of [knots, C]

    inline Vector<T>& at(int array, ptrdiff_t k, int c) const {
        return scratch[(array * knots + k) * C + c];
    }
    inline Vector<T> load(ptrdiff_t k, int c) const { return columns.load(in + k * stride, c); }
    inline void store(ptrdiff_t k, int c, Vector<T> v) const {
        columns.store(out + k * stride, c, v);
    }
    inline ptrdiff_t lanes(int c) const {
        return PARTIAL && c == C - 1 ? columns.lanes : LANES<T>;
    }
    inline void mark(ptrdiff_t k, int c, Mask<T> bits) const {
        const Bytes<T> bytes = __builtin_convertvector(bits, Bytes<T>);
        uint8_t* there = marks + k * stride + c * LANES<T>;
        if (PARTIAL && c == C - 1)
            for (ptrdiff_t lane = 0; lane < columns.lanes; ++lane) there[lane] = bytes[lane];
        else
            __builtin_memcpy(there, &bytes, sizeof bytes);
    }
    inline Mask<T> marked(ptrdiff_t k, int c) const {
        Bytes<T> bytes{};
        const uint8_t* there = marks + k * stride + c * LANES<T>;
        if (PARTIAL && c == C - 1)
            for (ptrdiff_t lane = 0; lane < columns.lanes; ++lane) bytes[lane] = there[lane];
        else
            __builtin_memcpy(&bytes, there, sizeof bytes);
        return widened<T>(bytes);
    }
};

}  // namespace
}  // namespace kan::KAN_ISA
