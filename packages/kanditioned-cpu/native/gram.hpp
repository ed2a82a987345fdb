// Weighted sums of products of sparse rows, for normal equations.
//
// A hat gives row n the entries scale·(1 - fraction) at column start + index and scale·fraction at
// the next. Columns belong to blocks of one or more hats. For rows φ of all columns, weights w and
// targets y this adds up the upper blocks of Σ w φ φᵀ and Σ w φ yᵀ, in the order of the rows: four
// products for each two hats of a row, whatever the number of columns.
#pragma once

#include "kernels.hpp"

namespace kan::KAN_ISA {
namespace {

typedef double Entries __attribute__((vector_size(16)));
typedef double EntriesAnywhere __attribute__((vector_size(16), aligned(8), may_alias));

inline void add(double* cells, Entries values) {
    EntriesAnywhere* there = reinterpret_cast<EntriesAnywhere*>(cells);
    *there = *there + values;
}

// A tile of rows of one hat, its entries times the weights or not.
inline void place_tile(const Gram& gram, const Hat& hat, Range rows, bool weighted,
                       PlacedHat* placed) {
    for (ptrdiff_t n = rows.begin; n < rows.end; ++n, ++placed) {
        double size = hat.scale ? hat.scale[n] : 1.0;
        if (weighted) size *= gram.weight[n];
        const double fraction = hat.fraction[n];
        placed->column = hat.start + hat.index[n];
        placed->entries[0] = size * (1.0 - fraction);
        placed->entries[1] = size * fraction;
    }
}

inline void add_tile(const Gram& gram, const PlacedHat* left, const PlacedHat* right,
                     ptrdiff_t count) {
    const ptrdiff_t stride = gram.stride;
    for (ptrdiff_t n = 0; n < count; ++n) {
        double* cells = gram.products + left[n].column * stride + right[n].column;
        const Entries entries = *reinterpret_cast<const EntriesAnywhere*>(right[n].entries);
        add(cells, left[n].entries[0] * entries);
        add(cells + stride, left[n].entries[1] * entries);
    }
}

// The products of the blocks of one range with those of another that are not before them.
void products(const Gram& gram, Range lefts, Range rights, void* scratch) {
    auto* left = static_cast<PlacedHat*>(scratch);
    PlacedHat* right = left + GRAM_ROWS;
    const int64_t first = gram.first[rights.begin];
    for (ptrdiff_t row = 0; row < gram.rows; row += GRAM_ROWS) {
        const ptrdiff_t end = row + GRAM_ROWS < gram.rows ? row + GRAM_ROWS : gram.rows;
        for (int64_t hat = first; hat < gram.first[rights.end]; ++hat)
            place_tile(gram, gram.hats[hat], {row, end}, false, right + (hat - first) * GRAM_ROWS);
        for (ptrdiff_t block = lefts.begin; block < lefts.end; ++block) {
            const ptrdiff_t from = block > rights.begin ? block : rights.begin;
            for (int64_t hat = gram.first[block]; hat < gram.first[block + 1]; ++hat) {
                place_tile(gram, gram.hats[hat], {row, end}, true, left);
                for (int64_t other = gram.first[from]; other < gram.first[rights.end]; ++other)
                    add_tile(gram, left, right + (other - first) * GRAM_ROWS, end - row);
            }
        }
    }
}

// The products of one block's columns with the targets.
void with_targets(const Gram& gram, ptrdiff_t block) {
    for (int64_t number = gram.first[block]; number < gram.first[block + 1]; ++number) {
        const Hat& hat = gram.hats[number];
        for (ptrdiff_t n = 0; n < gram.rows; ++n) {
            const double size = (hat.scale ? hat.scale[n] : 1.0) * gram.weight[n];
            const double above = size * hat.fraction[n], below = size * (1.0 - hat.fraction[n]);
            double* cells = gram.with_targets + (hat.start + hat.index[n]) * gram.outputs;
            const double* y = gram.targets + n * gram.outputs;
            for (ptrdiff_t o = 0; o < gram.outputs; ++o) {
                cells[o] += below * y[o];
                cells[o + gram.outputs] += above * y[o];
            }
        }
    }
}

}  // namespace
}  // namespace kan::KAN_ISA
