// Monotone and convex edges: feasible control points of free ones (see `kanditioned_spec.shapes`),
// and the linear map that this is almost everywhere, with its transpose.
//
// Marks tell that map, a byte for each control point. Of a monotone edge bit 0 marks the records of
// the running maximum from the left and bit 1 those of the minimum from the right; of a convex one
// bit 0 marks the vertices of the hull that are not cut off. Edges lie along the lanes; a few
// vectors of them are swept along the knots together, back and forth.
#pragma once

#include <type_traits>

#include "grid.hpp"
#include "vector.hpp"

namespace kan::KAN_ISA {
namespace {

constexpr int SHAPE_VECTORS = 2;  // of edges, swept at once

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

// Monotone: the mean of the running maximum from the left and the minimum from the right.

template <class T, int C, bool PARTIAL>
void monotone_points(const Strip<T, C, PARTIAL>& s, T sign) {
    const T infinity = static_cast<T>(__builtin_inf());
    Vector<T> highest[C], lowest[C], zero[C];  // NaN where an edge is not finite
    for (int c = 0; c < C; ++c) {
        highest[c] = Vector<T>{} - infinity, lowest[c] = Vector<T>{} + infinity;
        zero[c] = Vector<T>{};
    }
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c) {
            const Vector<T> v = sign * s.load(k, c);
            highest[c] = v >= highest[c] ? v : highest[c];
            zero[c] += v * T(0);
            s.at(0, k, c) = highest[c];
        }
    for (ptrdiff_t k = s.knots - 1; k >= 0; --k)
        for (int c = 0; c < C; ++c) {
            const Vector<T> free = s.load(k, c), v = sign * free, high = s.at(0, k, c);
            lowest[c] = v <= lowest[c] ? v : lowest[c];
            const Mask<T> usable = zero[c] == T(0);
            s.store(k, c, usable ? (high + lowest[c]) * (sign / 2) : free);
            s.mark(k, c, (((v >= high) | ~usable) & 1) | (((v <= lowest[c]) | ~usable) & 2));
        }
}

template <class T, int C, bool PARTIAL>
void monotone_tangent(const Strip<T, C, PARTIAL>& s) {
    Vector<T> record[C] = {};
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c) {
            record[c] = (s.marked(k, c) & 1) != 0 ? s.load(k, c) : record[c];
            s.at(0, k, c) = record[c];
        }
    for (ptrdiff_t k = s.knots - 1; k >= 0; --k)
        for (int c = 0; c < C; ++c) {
            record[c] = (s.marked(k, c) & 2) != 0 ? s.load(k, c) : record[c];
            s.store(k, c, (s.at(0, k, c) + record[c]) / 2);
        }
}

template <class T, int C, bool PARTIAL>
void monotone_gradient(const Strip<T, C, PARTIAL>& s) {
    Vector<T> sum[C] = {};
    for (ptrdiff_t k = s.knots - 1; k >= 0; --k)
        for (int c = 0; c < C; ++c) {
            const Mask<T> record = (s.marked(k, c) & 1) != 0;
            sum[c] += s.load(k, c) / 2;
            s.at(0, k, c) = record ? sum[c] : Vector<T>{};
            sum[c] = record ? Vector<T>{} : sum[c];
        }
    for (int c = 0; c < C; ++c) sum[c] = Vector<T>{};
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c) {
            const Mask<T> record = (s.marked(k, c) & 2) != 0;
            sum[c] += s.load(k, c) / 2;
            s.store(k, c, s.at(0, k, c) + (record ? sum[c] : Vector<T>{}));
            sum[c] = record ? Vector<T>{} : sum[c];
        }
}

// Arrays in `scratch`.
enum { FREE = 0, VERTEX = 1, VALUE = 2, INDEX = 3 };

// Drops what lies above the chord of the vertices around it, those behind as this sweep leaves
// them. VALUE and INDEX hold the vertex ahead of each point at first, and the one behind after.
template <class T, int C, bool PARTIAL>
bool sweep(const Strip<T, C, PARTIAL>& s, int step) {
    constexpr T ALLOWED = sizeof(T) == 4 ? T(0x8p-23) : T(0x8p-52);
    const ptrdiff_t begin = step > 0 ? 0 : s.knots - 1;
    T unit = 1;  // of steps along the knots: a power of two, so small that products stay finite
    while (unit * static_cast<T>(s.knots) > T(1)) unit /= 2;
    Vector<T> value[C], index[C];
    Mask<T> removed{};
    for (int c = 0; c < C; ++c) {
        value[c] = s.at(FREE, begin, c);
        index[c] = Vector<T>{} + static_cast<T>(begin);
    }
    for (ptrdiff_t k = begin + step; k > 0 && k < s.knots - 1; k += step)
        for (int c = 0; c < C; ++c) {
            const T place = static_cast<T>(k);
            const Vector<T> f = s.at(FREE, k, c), ahead = s.at(VALUE, k, c);
            const Vector<T> steps = (index[c] - s.at(INDEX, k, c)) * unit;
            const Vector<T> passed = (index[c] - place) * unit;
            const Vector<T> high = (f - value[c]) * steps - (ahead - value[c]) * passed;
            const Vector<T> size =
                magnitude<T>(value[c]) + magnitude<T>(ahead) + magnitude<T>(f);
            const Vector<T> room = ALLOWED * size * steps;
            Mask<T> vertex = reinterpret_cast<Mask<T>>(s.at(VERTEX, k, c));
            const Mask<T> above = vertex & (step > 0 ? -high > -room : high > room);
            removed |= above;
            vertex &= ~above;
            s.at(VERTEX, k, c) = reinterpret_cast<Vector<T>>(vertex);
            s.at(VALUE, k, c) = value[c];
            s.at(INDEX, k, c) = index[c];
            value[c] = vertex ? f : value[c];
            index[c] = vertex ? Vector<T>{} + place : index[c];
        }
    return any<T>(removed);
}

// Cuts the hull off at its lowest vertex; of equal ones at the one that leaves most of it.
template <class T, int C, bool PARTIAL>
void cut(const Strip<T, C, PARTIAL>& s, int direction) {
    for (int c = 0; c < C; ++c) {
        Vector<T> lowest = Vector<T>{} + static_cast<T>(__builtin_inf());
        Mask<T> kept{};
        for (ptrdiff_t n = 0; n < s.knots; ++n) {
            const ptrdiff_t k = direction > 0 ? n : s.knots - 1 - n;
            const Mask<T> vertex = reinterpret_cast<Mask<T>>(s.at(VERTEX, k, c));
            lowest = (vertex & (s.at(FREE, k, c) < lowest)) ? s.at(FREE, k, c) : lowest;
        }
        for (ptrdiff_t n = 0; n < s.knots; ++n) {
            const ptrdiff_t k = direction > 0 ? n : s.knots - 1 - n;
            const Mask<T> vertex = reinterpret_cast<Mask<T>>(s.at(VERTEX, k, c));
            kept |= vertex & (s.at(FREE, k, c) <= lowest);
            s.at(VERTEX, k, c) = reinterpret_cast<Vector<T>>(vertex & kept);
        }
    }
}

// The nearest vertex at or before every point: its FREE into VALUE, its place into INDEX, -1 where
// there is none.
template <class T, int C, bool PARTIAL>
void look_left(const Strip<T, C, PARTIAL>& s) {
    Vector<T> value[C] = {}, index[C];
    for (int c = 0; c < C; ++c) index[c] = Vector<T>{} - T(1);
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c) {
            const Mask<T> vertex = reinterpret_cast<Mask<T>>(s.at(VERTEX, k, c));
            value[c] = vertex ? s.at(FREE, k, c) : value[c];
            index[c] = vertex ? Vector<T>{} + static_cast<T>(k) : index[c];
            s.at(VALUE, k, c) = value[c];
            s.at(INDEX, k, c) = index[c];
        }
}

// r of `kanditioned_spec.shapes`, for a point k between the vertices `left` and `right`.
template <class T>
inline Vector<T> ratio(T k, Vector<T> left, Vector<T> right) {
    const Vector<T> length = right - left;
    const Vector<T> between = (k - left) / (length > T(1) ? length : Vector<T>{} + T(1));
    return left < T(0) ? Vector<T>{} + T(1) : right < T(0) ? Vector<T>{} : between;
}

// Blends FREE at every point into VALUE, and returns what lifts it in `lift`.
template <class T, int C, bool PARTIAL>
void blend(const Strip<T, C, PARTIAL>& s, Vector<T> (&lift)[C]) {
    look_left(s);
    Vector<T> value[C] = {}, index[C];
    for (int c = 0; c < C; ++c) index[c] = Vector<T>{} - T(1), lift[c] = Vector<T>{};
    for (ptrdiff_t k = s.knots - 1; k >= 0; --k)
        for (int c = 0; c < C; ++c) {
            const Mask<T> vertex = reinterpret_cast<Mask<T>>(s.at(VERTEX, k, c));
            const Vector<T> free = s.at(FREE, k, c);
            value[c] = vertex ? free : value[c];
            index[c] = vertex ? Vector<T>{} + static_cast<T>(k) : index[c];
            const Vector<T> r = ratio<T>(static_cast<T>(k), s.at(INDEX, k, c), index[c]);
            const Vector<T> between = (T(1) - r) * s.at(VALUE, k, c) + r * value[c];
            const Vector<T> point = vertex ? free : between;
            s.at(VALUE, k, c) = point;
            lift[c] += free - point;
        }
    for (int c = 0; c < C; ++c) lift[c] /= static_cast<T>(s.knots);
}

// Puts increments of VALUE in order exactly, as `blends.in_exact_order` does.
template <class T, int C, bool PARTIAL>
void put_in_order(const Strip<T, C, PARTIAL>& s, int direction, int c) {
    constexpr T TINY = sizeof(T) == 4 ? T(0x1p-126) : T(0x1p-1022);
    constexpr T FINEST = sizeof(T) == 4 ? T(0x1p-21) : T(0x1p-50);  // 4 eps of the power below
    Vector<T> largest = magnitude<T>(s.at(VALUE, 0, c)), before{}, sum{};
    Mask<T> wrong{};
    for (ptrdiff_t k = 1; k < s.knots; ++k) {
        const Vector<T> v = s.at(VALUE, k, c), size = magnitude<T>(v);
        const Vector<T> increment = v - s.at(VALUE, k - 1, c);
        if (k > 1) wrong |= ~(increment >= before);
        wrong |= ~(static_cast<T>(direction) * increment >= T(0));
        largest = size > largest ? size : largest;
        before = increment;
    }
    if (!any<T>(wrong)) return;
    largest = largest > TINY ? largest : Vector<T>{} + TINY;
    Vector<T> g = power_of_two<T>(largest) * FINEST;
    g = g > TINY ? g : Vector<T>{} + TINY;
    Vector<T> step = Vector<T>{} - static_cast<T>(__builtin_inf()), middle{};
    const Vector<T> start = rounded<T>(s.at(VALUE, s.knots / 2, c) / g);
    s.at(INDEX, 0, c) = Vector<T>{};
    for (ptrdiff_t k = 1; k < s.knots; ++k) {
        const Vector<T> rise = rounded<T>((s.at(VALUE, k, c) - s.at(VALUE, k - 1, c)) / g);
        step = rise > step ? rise : step;
        Vector<T> taken = step;
        if (direction > 0) taken = step > T(0) ? step : Vector<T>{};
        if (direction < 0) taken = step < T(0) ? step : Vector<T>{};
        sum += taken;
        s.at(INDEX, k, c) = sum;
        if (k == s.knots / 2) middle = sum;
    }
    for (ptrdiff_t k = 0; k < s.knots; ++k) {
        const Vector<T> exact = g * (start + s.at(INDEX, k, c) - middle);
        s.at(VALUE, k, c) = wrong ? exact : s.at(VALUE, k, c);
    }
}

template <class T, int C, bool PARTIAL>
void convex_points(const Strip<T, C, PARTIAL>& s, T sign, int direction) {
    Vector<T> zero[C] = {}, lift[C];
    Mask<T> unusable[C], some{};
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c) {
            const Vector<T> f = sign * s.load(k, c);
            zero[c] += f * T(0);
            s.at(FREE, k, c) = s.at(VALUE, larger(k - 1, 0), c) = f;
            s.at(INDEX, k, c) = Vector<T>{} + static_cast<T>(k + 1);
            s.at(VERTEX, k, c) = reinterpret_cast<Vector<T>>(~Mask<T>{});
        }
    for (int c = 0; c < C; ++c) some |= unusable[c] = ~(zero[c] == T(0));
    if (any<T>(some))
        for (ptrdiff_t k = 0; k < s.knots; ++k)
            for (int c = 0; c < C; ++c) {
                s.at(FREE, k, c) = unusable[c] ? Vector<T>{} : s.at(FREE, k, c);
                s.at(VALUE, k, c) = unusable[c] ? Vector<T>{} : s.at(VALUE, k, c);
            }
    for (int step = 1; sweep(s, step); step = -step) {
    }
    if (direction != 0) cut(s, direction);
    blend(s, lift);
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c) s.at(VALUE, k, c) += lift[c];
    for (int c = 0; c < C; ++c) put_in_order(s, direction, c);
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c) {
            const Vector<T> point = sign * s.at(VALUE, k, c);
            s.store(k, c, unusable[c] ? s.load(k, c) : point);
            const Mask<T> vertex = reinterpret_cast<Mask<T>>(s.at(VERTEX, k, c));
            s.mark(k, c, (vertex | unusable[c]) & 1);
        }
}

// Reads which points are vertices, and returns whether all of an edge are: its map is the identity.
template <class T, int C, bool PARTIAL>
void read_vertices(const Strip<T, C, PARTIAL>& s, Mask<T> (&every)[C]) {
    for (int c = 0; c < C; ++c) every[c] = ~Mask<T>{};
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c) {
            const Mask<T> vertex = s.marked(k, c) != 0;
            every[c] &= vertex;
            s.at(VERTEX, k, c) = reinterpret_cast<Vector<T>>(vertex);
            s.at(FREE, k, c) = s.load(k, c);
        }
}

template <class T, int C, bool PARTIAL>
void convex_tangent(const Strip<T, C, PARTIAL>& s) {
    Vector<T> lift[C];
    Mask<T> every[C];
    read_vertices(s, every);
    blend(s, lift);
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c)
            s.store(k, c, every[c] ? s.at(FREE, k, c) : s.at(VALUE, k, c) + lift[c]);
}

template <class T, int C, bool PARTIAL>
void convex_gradient(const Strip<T, C, PARTIAL>& s) {
    Vector<T> mean[C] = {}, sum[C] = {}, index[C];
    Mask<T> every[C];
    read_vertices(s, every);
    look_left(s);
    for (ptrdiff_t k = 0; k < s.knots; ++k)
        for (int c = 0; c < C; ++c) mean[c] += s.at(FREE, k, c);
    for (int c = 0; c < C; ++c) {
        mean[c] /= static_cast<T>(s.knots);
        index[c] = Vector<T>{} - T(1);
    }
    for (ptrdiff_t k = s.knots - 1; k >= 0; --k)  // onto the vertices on the left
        for (int c = 0; c < C; ++c) {
            const Mask<T> vertex = reinterpret_cast<Mask<T>>(s.at(VERTEX, k, c));
            index[c] = vertex ? Vector<T>{} + static_cast<T>(k) : index[c];
            const Vector<T> r = ratio<T>(static_cast<T>(k), s.at(INDEX, k, c), index[c]);
            sum[c] += (T(1) - r) * (s.at(FREE, k, c) - mean[c]);
            s.at(VALUE, k, c) = vertex ? sum[c] : Vector<T>{};
            s.at(INDEX, k, c) = r;
            sum[c] = vertex ? Vector<T>{} : sum[c];
        }
    for (int c = 0; c < C; ++c) sum[c] = Vector<T>{};
    for (ptrdiff_t k = 0; k < s.knots; ++k)  // and on the right
        for (int c = 0; c < C; ++c) {
            const Mask<T> vertex = reinterpret_cast<Mask<T>>(s.at(VERTEX, k, c));
            sum[c] += s.at(INDEX, k, c) * (s.at(FREE, k, c) - mean[c]);
            const Vector<T> moved = s.at(VALUE, k, c) + (vertex ? sum[c] : Vector<T>{}) + mean[c];
            s.store(k, c, every[c] ? s.at(FREE, k, c) : moved);
            sum[c] = vertex ? Vector<T>{} : sum[c];
        }
}

template <class T, int C, bool PARTIAL>
void shape_strip(const Strip<T, C, PARTIAL>& s, ptrdiff_t feature) {
    const int monotone = s.call.monotone[feature], convex = s.call.convex[feature];
    switch (s.call.wanted) {
        case POINTS:
            if (convex) return convex_points(s, static_cast<T>(convex), monotone * convex);
            return monotone_points(s, static_cast<T>(monotone));
        case TANGENT:
            return convex ? convex_tangent(s) : monotone_tangent(s);
        case GRADIENT:
            return convex ? convex_gradient(s) : monotone_gradient(s);
    }
}

template <class T, int C = SHAPE_VECTORS>
void shape_chunk(const ShapeCall<T>& call, ptrdiff_t feature, Range columns, void* scratch) {
    const ptrdiff_t width = columns.end - columns.begin;
    if constexpr (C > 1)
        if (width <= (C - 1) * LANES<T>)
            return shape_chunk<T, C - 1>(call, feature, columns, scratch);
    const ptrdiff_t row = feature * call.knots * call.out + columns.begin;
    uint8_t* marks = call.marks + call.place[feature] * call.knots * call.out + columns.begin;
    auto* aligned = reinterpret_cast<Vector<T>*>(
        (reinterpret_cast<uintptr_t>(scratch) + VECTOR_BYTES - 1) / VECTOR_BYTES * VECTOR_BYTES);
    const auto run = [&](auto partial) {
        const Strip<T, C, partial.value> strip{
            call,    {width % LANES<T>}, call.knots, call.out, call.free + row, call.points + row,
            marks,   aligned};
        shape_strip(strip, feature);
    };
    if (width % LANES<T>)
        run(std::true_type{});
    else
        run(std::false_type{});
}

template <class T>
void shape(const ShapeCall<T>& call, ptrdiff_t feature, Range columns, void* scratch) {
    constexpr ptrdiff_t CHUNK = SHAPE_VECTORS * LANES<T>;
    for (ptrdiff_t o = columns.begin; o < columns.end; o += CHUNK)
        shape_chunk(call, feature, {o, smaller(o + CHUNK, columns.end)}, scratch);
}

}  // namespace
}  // namespace kan::KAN_ISA
