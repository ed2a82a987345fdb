// Convex edges: a blend of the hull's vertices, lifted to the mean of the free points.
//
// Bit 0 of a mark tells a vertex of the hull that is not cut off.
#pragma once

#include "strip.hpp"

namespace kan::KAN_ISA {
namespace {

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

}  // namespace
}  // namespace kan::KAN_ISA
