// Monotone and convex edges: feasible control points of free ones (see `kanditioned_spec.shapes`),
// and the linear map that this is almost everywhere, with its transpose.
//
// Marks tell that map, a byte for each control point. Edges lie along the lanes; a few vectors of
// them are swept along the knots together, back and forth.
#pragma once

#include <type_traits>

#include "convex.hpp"
#include "monotone.hpp"

namespace kan::KAN_ISA {
namespace {

constexpr int SHAPE_VECTORS = 2;  // of edges, swept at once

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
