// Both gradients in one sweep over the rows of gy, bucketed by interval for each feature.
//
//     gx[b, i] = Σ_o gy Δ_l / h         gc[i, l] += Σ_b (1 - w) gy        gc[i, l + 1] += Σ_b w gy
//
// The rows of a tile are counted and sorted by interval. A bucket keeps Δ_l, Σ gy and Σ w gy in
// registers, reads each of its rows of gy once, and then adds to two rows of gc: no atomics, and
// each sum has one order. A tile of gy is sized for the second-level cache.
#pragma once

#include "grid.hpp"
#include "vector.hpp"

namespace kan::KAN_ISA {
namespace {

constexpr int SWEEP_VECTORS = 4;  // of outputs, in registers at once

template <class T>
struct Sweep {
    ptrdiff_t intervals, out_features;
    const int32_t* order;     // samples by interval, and in order of the batch within one
    const int32_t* end;       // of each interval in `order`
    const T* weight;          // by sample
    const T* control_points;  // [K, O], at the first column
    const T* grad_y;          // [rows, O], at the first column
    T* product;               // Σ_o gy Δ_l by sample
    T* grad;                  // [K, O], at the first column
    ptrdiff_t partial;        // lanes of the last vector, or 0 for all
    bool affine;              // whether c_l has weight 1 - w, else -w
    bool first;               // whether `product` has no sum yet
};

template <class T, bool OF_X, bool OF_C, int C, bool PARTIAL>
struct Bucket {
    const Sweep<T>& s;
    const Columns<T, C, PARTIAL> columns;
    Vector<T> difference[C], sum[C], weighted[C];

    inline void begin(ptrdiff_t interval) {
        const T* left = s.control_points + interval * s.out_features;
        for (int c = 0; c < C; ++c) {
            if (OF_X)
                difference[c] = columns.load(left + s.out_features, c) - columns.load(left, c);
            sum[c] = weighted[c] = Vector<T>{};
        }
    }

    // Any number will do as a sample: `order` is read a little beyond its end.
    inline void prefetch(int32_t sample) {
        for (int c = 0; c < C; ++c)
            __builtin_prefetch(s.grad_y + sample * s.out_features + c * LANES<T>);
    }

    // Adds a sample and returns the lanes of its product.
    inline Vector<T> add(int32_t sample) {
        const T* row = s.grad_y + sample * s.out_features;
        const T w = s.weight[sample];
        Vector<T> product{};
        for (int c = 0; c < C; ++c) {
            Vector<T> gy = columns.load(row, c);
            hold(gy);
            if (OF_C) {
                sum[c] += gy;
                weighted[c] += w * gy;
            }
            if (OF_X) product += gy * difference[c];
        }
        return product;
    }

    inline void put(int32_t sample, T product) {
        s.product[sample] = s.first ? product : s.product[sample] + product;
    }

    inline void finish(ptrdiff_t interval) {
        T* left = s.grad + interval * s.out_features;
        T* right = left + s.out_features;
        for (int c = 0; c < C; ++c) {
            const Vector<T> own = s.affine ? sum[c] - weighted[c] : -weighted[c];
            columns.store(left, c, columns.load(left, c) + own);
            columns.store(right, c, columns.load(right, c) + weighted[c]);
        }
    }
};

template <class T, bool OF_X, bool OF_C, int C, bool PARTIAL>
void sweep(const Sweep<T>& s) {
    Bucket<T, OF_X, OF_C, C, PARTIAL> bucket{s, {s.partial}, {}, {}, {}};
    const int32_t* sample = s.order;
    for (ptrdiff_t l = 0; l < s.intervals; ++l) {
        const int32_t* end = s.order + s.end[l];
        if (sample == end) continue;
        bucket.begin(l);
        if (OF_X) {
            for (; end - sample >= 4; sample += 4) {
                for (int n = 4; n < 8; ++n) bucket.prefetch(sample[n]);
                Vector<T> lanes[4];
                for (int n = 0; n < 4; ++n) lanes[n] = bucket.add(sample[n]);
                T products[4];
                lane_sums(lanes, products);
                for (int n = 0; n < 4; ++n) bucket.put(sample[n], products[n]);
            }
            for (; sample < end; ++sample) bucket.put(*sample, lane_sum<T>(bucket.add(*sample)));
        } else {
            for (; sample < end; ++sample) bucket.add(*sample);
        }
        if (OF_C) bucket.finish(l);
    }
}

template <class T, bool OF_X, bool OF_C, int C = SWEEP_VECTORS>
void sweep_chunk(const Sweep<T>& s, ptrdiff_t vectors) {
    if constexpr (C > 1)
        if (vectors < C) return sweep_chunk<T, OF_X, OF_C, C - 1>(s, vectors);
    if (s.partial)
        sweep<T, OF_X, OF_C, C, true>(s);
    else
        sweep<T, OF_X, OF_C, C, false>(s);
}

// Samples 0 .. count - 1 in a stable order by interval; `end` [intervals + 1] gets the bounds.
inline void sort_by_interval(const int32_t* interval, ptrdiff_t count, ptrdiff_t intervals,
                             int32_t* order, int32_t* end) {
    for (ptrdiff_t l = 0; l <= intervals; ++l) end[l] = 0;
    for (ptrdiff_t b = 0; b < count; ++b) ++end[interval[b] + 1];
    for (ptrdiff_t l = 0; l < intervals; ++l) end[l + 1] += end[l];
    for (ptrdiff_t b = 0; b < count; ++b) order[end[interval[b]]++] = static_cast<int32_t>(b);
}

// One tile's scratch, feature by feature, each padded; then the order of one feature's samples.
template <class T>
struct Tile {
    ptrdiff_t stride;
    T* x;  // as `product`, before it is needed
    T* product;
    T* direction;
    T* weight;
    int32_t* interval;
    int32_t* order;
    int32_t* end;

    Tile(void* scratch, ptrdiff_t rows)
        : stride(padded_rows(rows)),
          x(static_cast<T*>(scratch)),
          product(x),
          direction(product + TILE_FEATURES * stride),
          weight(direction + TILE_FEATURES * stride),
          interval(reinterpret_cast<int32_t*>(weight + TILE_FEATURES * stride)),
          order(interval + TILE_FEATURES * stride),
          end(order + stride) {}
};

template <class T>
void transpose(const Matrix<T>& from, Range rows, Range features, T* to, ptrdiff_t stride) {
    const ptrdiff_t count = features.end - features.begin;
    for (ptrdiff_t b = 0; b < rows.end - rows.begin; ++b) {
        const T* row = from.data + (rows.begin + b) * from.row + features.begin * from.column;
        for (ptrdiff_t f = 0; f < count; ++f) to[f * stride + b] = row[f * from.column];
    }
}

template <class T>
void place_tile(const Layer<T>& layer, Range rows, Range features, const Tile<T>& tile) {
    const bool along = layer.direction.data != nullptr;
    transpose(layer.x, rows, features, tile.x, tile.stride);
    if (along) transpose(layer.direction, rows, features, tile.direction, tile.stride);
    for (ptrdiff_t f = 0; f < features.end - features.begin; ++f) {
        const ptrdiff_t at = f * tile.stride, count = rows.end - rows.begin;
        const Inputs<T> inputs{tile.x + at, tile.direction + at, 1, 1};
        if (along)
            locate<T, true>(layer, inputs, count, tile.interval + at, tile.weight + at);
        else
            locate<T, false>(layer, inputs, count, tile.interval + at, tile.weight + at);
    }
}

template <class T>
void sweep_feature(const Layer<T>& layer, const Gradients<T>& g, Range rows, Range columns,
                   ptrdiff_t i, const Tile<T>& tile, ptrdiff_t f) {
    constexpr ptrdiff_t CHUNK = SWEEP_VECTORS * LANES<T>;
    const ptrdiff_t intervals = layer.num_control_points - 1;
    sort_by_interval(tile.interval + f * tile.stride, rows.end - rows.begin, intervals, tile.order,
                     tile.end);
    for (ptrdiff_t o = columns.begin; o < columns.end; o += CHUNK) {
        const ptrdiff_t width = smaller(CHUNK, columns.end - o);
        const ptrdiff_t at = i * layer.num_control_points * layer.out_features + o;
        const Sweep<T> s{intervals,
                         layer.out_features,
                         tile.order,
                         tile.end,
                         tile.weight + f * tile.stride,
                         g.x ? g.control_points + at : nullptr,
                         g.grad_y + rows.begin * layer.out_features + o,
                         tile.product + f * tile.stride,
                         g.grad_control_points ? g.grad_control_points + at : nullptr,
                         width % LANES<T>,
                         layer.direction.data == nullptr,
                         o == columns.begin};
        const ptrdiff_t vectors = (width + LANES<T> - 1) / LANES<T>;
        if (g.x && g.grad_control_points)
            sweep_chunk<T, true, true>(s, vectors);
        else if (g.x)
            sweep_chunk<T, true, false>(s, vectors);
        else
            sweep_chunk<T, false, true>(s, vectors);
    }
}

template <class T>
void write_grad_x(const Layer<T>& layer, T* grad_x, Range rows, Range features,
                  const Tile<T>& tile) {
    const ptrdiff_t count = features.end - features.begin;
    for (ptrdiff_t f = 0; f < count; ++f) {
        T* product = tile.product + f * tile.stride;
        const T* weight = tile.weight + f * tile.stride;
        for (ptrdiff_t b = 0; b < rows.end - rows.begin; ++b)
            product[b] = weight[b] == weight[b] ? product[b] * layer.knots_per_unit : weight[b];
    }
    for (ptrdiff_t b = 0; b < rows.end - rows.begin; ++b) {
        T* out = grad_x + (rows.begin + b) * layer.in_features + features.begin;
        for (ptrdiff_t f = 0; f < count; ++f) out[f] = tile.product[f * tile.stride + b];
    }
}

template <class T>
void gradients(const Layer<T>& layer, const Gradients<T>& g, const Part& part, void* scratch) {
    const Tile<T> tile(scratch, part.tile_rows);
    const Range features = part.features, columns = part.columns;
    const ptrdiff_t knots = layer.num_control_points;
    if (g.grad_control_points)
        for (ptrdiff_t k = features.begin * knots; k < features.end * knots; ++k)
            for (ptrdiff_t o = columns.begin; o < columns.end; ++o)
                g.grad_control_points[k * layer.out_features + o] = T(0);
    for (ptrdiff_t b = part.rows.begin; b < part.rows.end; b += part.tile_rows) {
        const Range rows{b, smaller(b + part.tile_rows, part.rows.end)};
        place_tile(layer, rows, features, tile);
        for (ptrdiff_t i = features.begin; i < features.end; ++i)
            sweep_feature(layer, g, rows, columns, i, tile, i - features.begin);
        if (g.x) write_grad_x(layer, g.x, rows, features, tile);
    }
}

}  // namespace
}  // namespace kan::KAN_ISA
