// Monotone edges: the mean of the running maximum from the left and the minimum from the right.
//
// Bit 0 of a mark tells a record of the maximum, bit 1 one of the minimum.
#pragma once

#include "strip.hpp"

namespace kan::KAN_ISA {
namespace {

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

}  // namespace
}  // namespace kan::KAN_ISA
