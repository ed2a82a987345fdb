// A whole network in one call: for a block of rows, normalisation and layer by turns.

#include <cmath>
#include <cstdlib>
#include <initializer_list>

#include "library.hpp"
#include "parallel.hpp"

namespace kan {
namespace {

constexpr ptrdiff_t BLOCK_ROWS = 64;
constexpr ptrdiff_t EDGES_PER_THREAD = 65536;

enum Norm : int64_t { NONE = 0, PER_SAMPLE = 1, PER_FEATURE = 2 };

// As Python passes it. Control points are [I, K, O].
template <class T>
struct Stage {
    int64_t in_features, num_control_points, out_features;
    double spline_width;
    int64_t norm;
    const T* control_points;
    const T* mean;   // [I], for PER_FEATURE
    const T* scale;  // [I]: 1/√(variance + ε)
};

struct Shape {
    int64_t stages, batch, widest, threads;
    double epsilon;
};

template <class T>
void normalise_sample(const T* x, T* z, ptrdiff_t count, T epsilon) {
    T mean = 0, variance = 0;
    for (ptrdiff_t i = 0; i < count; ++i) mean += x[i];
    mean /= static_cast<T>(count);
    for (ptrdiff_t i = 0; i < count; ++i) {
        z[i] = x[i] - mean;
        variance += z[i] * z[i];
    }
    const T scale = T(1) / std::sqrt(variance / static_cast<T>(count) + epsilon);
    for (ptrdiff_t i = 0; i < count; ++i) z[i] *= scale;
}

template <class T>
struct Network {
    const Shape& shape;
    const Stage<T>* stages;
    const T* x;
    T* y;
    char* scratch;
    size_t scratch_size;

    // Three buffers of a block's rows, and what the kernel needs.
    static size_t scratch_for(const Shape& shape) {
        const size_t numbers = static_cast<size_t>(3 * rows_of(shape) * shape.widest);
        return (numbers * sizeof(T) + 63) / 64 * 64 + interpolate_scratch<T>() + 64;
    }

    static ptrdiff_t rows_of(const Shape& shape) {
        return shape.batch < BLOCK_ROWS ? shape.batch : BLOCK_ROWS;
    }

    const T* normalised(const Stage<T>& stage, const T* from, T* z, ptrdiff_t rows) const {
        if (stage.norm == NONE) return from;
        for (ptrdiff_t b = 0; b < rows; ++b) {
            const T* row = from + b * stage.in_features;
            T* to = z + b * stage.in_features;
            if (stage.norm == PER_SAMPLE)
                normalise_sample(row, to, stage.in_features, static_cast<T>(shape.epsilon));
            else
                for (ptrdiff_t i = 0; i < stage.in_features; ++i)
                    to[i] = (row[i] - stage.mean[i]) * stage.scale[i];
        }
        return z;
    }

    void block(ptrdiff_t index, int worker) const {
        const ptrdiff_t begin = index * BLOCK_ROWS, left = shape.batch - begin;
        const ptrdiff_t rows = left < BLOCK_ROWS ? left : BLOCK_ROWS;
        const ptrdiff_t each = rows_of(shape) * shape.widest;
        char* own = scratch + worker * scratch_size;
        T* buffers[] = {reinterpret_cast<T*>(own), reinterpret_cast<T*>(own) + each};
        T* z = buffers[1] + each;
        char* places = own + (3 * each * sizeof(T) + 63) / 64 * 64;
        const T* from = x + begin * stages[0].in_features;
        for (int64_t n = 0; n < shape.stages; ++n) {
            const Stage<T>& stage = stages[n];
            const bool last = n == shape.stages - 1;
            T* to = last ? y + begin * stage.out_features : buffers[n % 2];
            const double intervals = static_cast<double>(stage.num_control_points - 1);
            const double rate = intervals / stage.spline_width;
            const Layer<T> layer{{normalised(stage, from, z, rows), stage.in_features, 1},
                                 {nullptr, 0, 0},
                                 rows,
                                 stage.in_features,
                                 stage.num_control_points,
                                 stage.out_features,
                                 static_cast<T>(stage.spline_width / 2),
                                 static_cast<T>(rate)};
            kernels<T>().interpolate(layer, stage.control_points, to, {0, rows},
                                     {0, stage.out_features}, places);
            from = to;
        }
    }

    static void task(void* context, ptrdiff_t index, int worker) {
        static_cast<const Network*>(context)->block(index, worker);
    }
};

template <class T>
int evaluate(const Shape& shape, const Stage<T>* stages, const T* x, T* y) {
    ptrdiff_t edges = 0;
    for (int64_t n = 0; n < shape.stages; ++n)
        edges += stages[n].in_features * stages[n].out_features;
    const ptrdiff_t tasks = (shape.batch + BLOCK_ROWS - 1) / BLOCK_ROWS;
    ptrdiff_t threads = edges * shape.batch / EDGES_PER_THREAD;
    for (const ptrdiff_t most : {static_cast<ptrdiff_t>(shape.threads), tasks,
                                 static_cast<ptrdiff_t>(most_threads())})
        threads = threads < most ? threads : most;
    threads = threads > 1 ? threads : 1;
    Network<T> network{shape, stages, x, y, nullptr, Network<T>::scratch_for(shape)};
    network.scratch = static_cast<char*>(std::malloc(threads * network.scratch_size));
    if (!network.scratch) return OUT_OF_MEMORY;
    parallel(tasks, static_cast<int>(threads), &Network<T>::task, &network);
    std::free(network.scratch);
    return OK;
}

}  // namespace
}  // namespace kan

#define KAN_ENTRY(suffix, T)                                                               \
    KAN_EXPORT int kan_network_##suffix(const kan::Shape* shape, const kan::Stage<T>* stages, \
                                        const T* x, T* y) {                                \
        return kan::evaluate<T>(*shape, stages, x, y);                                     \
    }
KAN_ENTRY(float32, float)
KAN_ENTRY(float64, double)
