// Feasible control points: cuts the work into tasks, a few columns of one feature each.

#include <cstdlib>
#include <cstring>

#include "library.hpp"
#include "parallel.hpp"

namespace kan {
namespace {

constexpr ptrdiff_t TASK_COLUMNS = 128, POINTS_PER_THREAD = 65536;

// As Python passes it.
struct Arguments {
    int64_t features, knots, out, threads;
    const int8_t* monotone;
    const int8_t* convex;
    const int64_t* place;
};

template <class T>
struct Work {
    const ShapeCall<T> call;
    const Kernels<T>& kernels;
    ptrdiff_t pieces;
    char* scratch;
    size_t scratch_size;
};

template <class T>
void copy(const ShapeCall<T>& call, ptrdiff_t feature, Range columns) {
    const ptrdiff_t first = feature * call.knots * call.out + columns.begin;
    const size_t bytes = (columns.end - columns.begin) * sizeof(T);
    for (ptrdiff_t k = 0; k < call.knots; ++k)
        std::memcpy(call.points + first + k * call.out, call.free + first + k * call.out, bytes);
}

template <class T>
void task(void* context, ptrdiff_t index, int worker) {
    const Work<T>& work = *static_cast<Work<T>*>(context);
    const ptrdiff_t feature = index / work.pieces;
    const ptrdiff_t begin = index % work.pieces * TASK_COLUMNS, end = begin + TASK_COLUMNS;
    const Range columns{begin, end < work.call.out ? end : work.call.out};
    if (work.call.place[feature] < 0) return copy(work.call, feature, columns);
    work.kernels.shape(work.call, feature, columns, work.scratch + worker * work.scratch_size);
}

template <class T>
Status run(const Arguments& a, Wanted wanted, const T* free, T* points, uint8_t* marks) {
    const ptrdiff_t most = most_threads(), size = a.features * a.knots * a.out;
    ptrdiff_t threads = a.threads < most ? a.threads : most;
    threads = threads < size / POINTS_PER_THREAD ? threads : size / POINTS_PER_THREAD;
    threads = threads > 1 ? threads : 1;
    const ShapeCall<T> call{wanted,     a.knots, a.out, a.monotone, a.convex,
                            a.place, free,    points, marks};
    Work<T> work{call, kernels<T>(), (a.out + TASK_COLUMNS - 1) / TASK_COLUMNS, nullptr,
                 shape_scratch(a.knots)};
    work.scratch = static_cast<char*>(std::malloc(threads * work.scratch_size));
    if (!work.scratch) return OUT_OF_MEMORY;
    parallel(a.features * work.pieces, static_cast<int>(threads), task<T>, &work);
    std::free(work.scratch);
    return OK;
}

}  // namespace
}  // namespace kan

// Writes the feasible points of free ones, or of a tangent or a gradient (`wanted`) what the map
// with these marks makes of it. Marks are written with the points, and read for the other two.
#define KAN_ENTRY(suffix, T)                                                                    \
    KAN_EXPORT int kan_shape_##suffix(const kan::Arguments* a, int64_t wanted, const T* free,   \
                                      T* points, uint8_t* marks) {                              \
        return kan::run<T>(*a, static_cast<kan::Wanted>(wanted), free, points, marks);          \
    }
KAN_ENTRY(float32, float)
KAN_ENTRY(float64, double)
