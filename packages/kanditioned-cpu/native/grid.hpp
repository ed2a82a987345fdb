// Where inputs fall on the grid (see `kanditioned_spec.grid`).
#pragma once

#include "kernels.hpp"

namespace kan::KAN_ISA {
namespace {

inline ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
inline ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

template <class T>
struct Inputs {
    const T* x;
    const T* direction;
    ptrdiff_t x_stride, direction_stride;
};

template <class T, bool ALONG>
inline void locate(const Layer<T>& layer, const Inputs<T>& inputs, ptrdiff_t count,
                  int32_t* interval, T* weight) {
    const T last = static_cast<T>(layer.num_control_points - 2);
    const int32_t last_interval = static_cast<int32_t>(layer.num_control_points - 2);
    for (ptrdiff_t n = 0; n < count; ++n) {
        const T x = inputs.x[n * inputs.x_stride];
        const T u = (x + layer.half_width) * layer.knots_per_unit;
        T lowest = u > T(0) ? u : T(0);  // and so 0 for NaN
        lowest = lowest < last ? lowest : last;
        int32_t l = static_cast<int32_t>(lowest);
        l = l < last_interval ? l : last_interval;  // K - 2 may have been rounded up
        const T fraction = u - static_cast<T>(l);
        interval[n] = l;
        if constexpr (ALONG) {
            const T v = inputs.direction[n * inputs.direction_stride] * layer.knots_per_unit;
            weight[n] = x == x ? v : x;
        } else {
            weight[n] = fraction;
        }
    }
}

// Specialised for unit strides and for a full tile, which the compiler then vectorises.
template <class T, bool ALONG>
inline void locate_row(const Layer<T>& layer, Inputs<T> inputs, ptrdiff_t count, int32_t* interval,
                      T* weight) {
    if (inputs.x_stride == 1 && (!ALONG || inputs.direction_stride == 1)) {
        inputs.x_stride = inputs.direction_stride = 1;
        if (count == TILE_FEATURES)
            locate<T, ALONG>(layer, inputs, TILE_FEATURES, interval, weight);
        else
            locate<T, ALONG>(layer, inputs, count, interval, weight);
    } else {
        locate<T, ALONG>(layer, inputs, count, interval, weight);
    }
}

// Interval and weight of some features of row b.
template <class T>
inline void locate_row(const Layer<T>& layer, ptrdiff_t b, Range features, int32_t* interval,
                      T* weight) {
    const auto at = [b, features](const Matrix<T>& m) {
        return m.data + b * m.row + features.begin * m.column;
    };
    Inputs<T> inputs{at(layer.x), nullptr, layer.x.column, layer.direction.column};
    const ptrdiff_t count = features.end - features.begin;
    if (layer.direction.data) {
        inputs.direction = at(layer.direction);
        locate_row<T, true>(layer, inputs, count, interval, weight);
    } else {
        locate_row<T, false>(layer, inputs, count, interval, weight);
    }
}

}  // namespace
}  // namespace kan::KAN_ISA
