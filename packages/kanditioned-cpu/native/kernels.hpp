// The layer's contractions on one part of the problem, as every instruction set offers them.
//
// With interval l and weight w of x[b, i] and Δ_l = c_{l+1} - c_l, the layer is Σ_i c_l + w Δ_l for
// w = t, the fraction; its derivative along a direction v is Σ_i w Δ_l for w = v/h.
//
// Only plain data and functions of internal linkage stand here: this header is compiled once per
// instruction set, and the linker would merge other functions into one of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kan {

using std::ptrdiff_t;

// Rows of x that `interpolate` takes at once, and features whose places are computed together.
constexpr ptrdiff_t TILE_ROWS = 512;
constexpr ptrdiff_t TILE_FEATURES = 16;

struct Range {
    ptrdiff_t begin, end;
};

template <class T>
struct Matrix {
    const T* data;
    ptrdiff_t row, column;  // strides in elements
};

template <class T>
struct Layer {
    Matrix<T> x;          // [B, I]
    Matrix<T> direction;  // [B, I], or no data
    ptrdiff_t batch, in_features, num_control_points, out_features;
    T half_width;      // w/2
    T knots_per_unit;  // 1/h
};

// What is null is not wanted. Matrices other than the inputs are contiguous.
template <class T>
struct Gradients {
    const T* control_points;  // [I, K, O], read for `x`
    const T* grad_y;          // [B, O]
    T* x;                     // [B, I]
    T* grad_control_points;   // [I, K, O]
};

// A part of the work. Sums over rows are taken tile by tile, `tile_rows` each, from `rows.begin`.
struct Part {
    Range rows, features, columns;
    ptrdiff_t tile_rows;
};

// A stride with a cache line to spare: at a power of two all features would share a few cache sets,
// which cost two fifths of the backward pass of (8192, 16, 16, 64) (Zen 4, 2026-11).
static constexpr ptrdiff_t padded_rows(ptrdiff_t rows) { return (rows + 15) / 16 * 16 + 16; }

template <class T>
static constexpr size_t interpolate_scratch() {
    return TILE_ROWS * TILE_FEATURES * (sizeof(T) + sizeof(int32_t));
}

template <class T>
static constexpr size_t gradients_scratch(ptrdiff_t tile_rows, ptrdiff_t num_control_points) {
    const size_t each = 3 * sizeof(T) + sizeof(int32_t);
    return padded_rows(tile_rows) * (TILE_FEATURES * each + sizeof(int32_t)) +
           (num_control_points + 1) * sizeof(int32_t);
}

enum Wanted { POINTS = 0, TANGENT = 1, GRADIENT = 2 };

// See shapes.hpp; arrays are contiguous.
template <class T>
struct ShapeCall {
    Wanted wanted;
    ptrdiff_t knots, out;
    const int8_t* monotone;  // [features], and the others too
    const int8_t* convex;
    const int64_t* place;  // of the marks of a feature among those that have some, or -1
    const T* free;         // [features, knots, out]
    T* points;             // the same
    uint8_t* marks;        // [features with a shape, knots, out]
};

// Four arrays of two vectors of 64 bytes for each knot, and room to align them.
static constexpr size_t shape_scratch(ptrdiff_t knots) { return 4 * 2 * 64 * knots + 64; }

template <class T>
struct Kernels {
    ptrdiff_t columns;  // that are kept in registers at once
    // Writes y [B, O] at the rows and columns of a part of at most TILE_ROWS rows.
    void (*interpolate)(const Layer<T>&, const T* control_points, T* y, Range rows, Range columns,
                        void* scratch);
    // Writes the gradients at the rows, features and columns of a part of at most TILE_FEATURES
    // features. For the gradient of x it must have all columns, for that of c all rows.
    void (*gradients)(const Layer<T>&, const Gradients<T>&, const Part&, void* scratch);
    // Writes some columns of one feature that has a shape.
    void (*shape)(const ShapeCall<T>&, ptrdiff_t feature, Range columns, void* scratch);
};

// Where one hat function or two neighbouring levels have their entries in every row, see gram.hpp;
// as Python passes it.
struct Hat {
    int64_t start;         // first column of its block
    const int64_t* index;  // [rows], in the block
    const double* fraction;
    const double* scale;  // or null for 1
};

// As Python passes it.
struct Gram {
    int64_t rows, blocks, outputs, stride;
    const Hat* hats;
    const int64_t* first;   // of every block in `hats`, and the end
    const double* weight;   // [rows]
    const double* targets;  // [rows, outputs]
    double* products;       // [columns, stride]
    double* with_targets;   // [columns, outputs]
};

struct PlacedHat {
    int64_t column;
    double entries[2];
};

constexpr ptrdiff_t GRAM_ROWS = 1024;  // that are placed at once

struct GramKernels {
    void (*products)(const Gram&, Range lefts, Range rights, void* scratch);
    void (*with_targets)(const Gram&, ptrdiff_t block);
};

struct InstructionSet {
    const char* name;
    Kernels<float> single;
    Kernels<double> wide;
    GramKernels gram;
};

}  // namespace kan
