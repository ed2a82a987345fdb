// y = Σ_i c_l + w Δ_l: for each row, gather two rows of control points per feature.
//
// Outputs lie along the lanes, and a chunk of them stays in registers over a group of features. The
// group's control points of that chunk are sized for the first-level cache and are reused by
// `BLOCK_ROWS` rows, whose sums are there too; the features of a tile are in the second level.
#pragma once

#include "grid.hpp"
#include "vector.hpp"

namespace kan::KAN_ISA {
namespace {

constexpr int VECTORS = 4;  // of outputs, in registers at once
constexpr ptrdiff_t BLOCK_ROWS = 64;
constexpr ptrdiff_t GROUP_BYTES = 40960;  // fastest of 10 to 160 KiB on Zen 4, 2026-11

template <class T>
struct Gather {
    ptrdiff_t rows, features, num_control_points, out_features;
    const T* control_points;  // of the first feature, at the first column
    const int32_t* interval;  // [rows, TILE_FEATURES], at the first feature
    const T* weight;
    T* y;               // [rows, O], at the first column
    ptrdiff_t partial;  // lanes of the last vector, or 0 for all
    bool first;         // whether y has no sum yet
};

template <class T, bool ALONG, int C, bool PARTIAL>
void gather(const Gather<T>& g) {
    const Columns<T, C, PARTIAL> columns{g.partial};
    const ptrdiff_t feature_stride = g.num_control_points * g.out_features;
    for (ptrdiff_t b = 0; b < g.rows; ++b) {
        T* y = g.y + b * g.out_features;
        const int32_t* interval = g.interval + b * TILE_FEATURES;
        const T* weight = g.weight + b * TILE_FEATURES;
        Vector<T> sum[C];
        for (int c = 0; c < C; ++c) sum[c] = g.first ? Vector<T>{} : columns.load(y, c);
        const T* feature = g.control_points;
        for (ptrdiff_t f = 0; f < g.features; ++f, feature += feature_stride) {
            const T* left = feature + interval[f] * g.out_features;
            const T w = weight[f];
            for (int c = 0; c < C; ++c) {
                Vector<T> low = columns.load(left, c);
                hold(low);
                const Vector<T> difference = columns.load(left + g.out_features, c) - low;
                if (!ALONG) sum[c] += low;
                sum[c] += w * difference;
            }
        }
        for (int c = 0; c < C; ++c) columns.store(y, c, sum[c]);
    }
}

template <class T, bool ALONG, int C = VECTORS>
void gather_chunk(const Gather<T>& g, ptrdiff_t vectors) {
    if constexpr (C > 1)
        if (vectors < C) return gather_chunk<T, ALONG, C - 1>(g, vectors);
    if (g.partial)
        gather<T, ALONG, C, true>(g);
    else
        gather<T, ALONG, C, false>(g);
}

template <class T>
void interpolate(const Layer<T>& layer, const T* control_points, T* y, Range rows, Range columns,
                 void* scratch) {
    constexpr ptrdiff_t CHUNK = VECTORS * LANES<T>;
    T* weight = static_cast<T*>(scratch);
    int32_t* interval = reinterpret_cast<int32_t*>(weight + TILE_ROWS * TILE_FEATURES);
    const ptrdiff_t count = rows.end - rows.begin;
    const ptrdiff_t feature_stride = layer.num_control_points * layer.out_features;
    T* first_row = y + rows.begin * layer.out_features;
    for (ptrdiff_t i = 0; i < layer.in_features; i += TILE_FEATURES) {
        const ptrdiff_t features = smaller(TILE_FEATURES, layer.in_features - i);
        for (ptrdiff_t b = 0; b < count; ++b)
            locate_row(layer, rows.begin + b, Range{i, i + features}, interval + b * TILE_FEATURES,
                      weight + b * TILE_FEATURES);
        for (ptrdiff_t o = columns.begin; o < columns.end; o += CHUNK) {
            const ptrdiff_t width = smaller(CHUNK, columns.end - o);
            const ptrdiff_t bytes =
                layer.num_control_points * width * static_cast<ptrdiff_t>(sizeof(T));
            const ptrdiff_t group = larger(1, smaller(TILE_FEATURES, GROUP_BYTES / bytes));
            for (ptrdiff_t b = 0; b < count; b += BLOCK_ROWS)
                for (ptrdiff_t f = 0; f < features; f += group) {
                    const Gather<T> g{smaller(BLOCK_ROWS, count - b),
                                      smaller(group, features - f),
                                      layer.num_control_points,
                                      layer.out_features,
                                      control_points + (i + f) * feature_stride + o,
                                      interval + b * TILE_FEATURES + f,
                                      weight + b * TILE_FEATURES + f,
                                      first_row + b * layer.out_features + o,
                                      width % LANES<T>,
                                      i + f == 0};
                    const ptrdiff_t vectors = (width + LANES<T> - 1) / LANES<T>;
                    if (layer.direction.data)
                        gather_chunk<T, true>(g, vectors);
                    else
                        gather_chunk<T, false>(g, vectors);
                }
        }
    }
}

}  // namespace
}  // namespace kan::KAN_ISA
