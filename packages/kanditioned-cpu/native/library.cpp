// The C interface: chooses the instruction set, cuts the work into tasks, runs them.

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "library.hpp"
#include "parallel.hpp"

namespace kan {
namespace baseline {
extern const InstructionSet instruction_set;
}
#if defined(KAN_X86)
namespace avx2 {
extern const InstructionSet instruction_set;
}
namespace avx512 {
extern const InstructionSet instruction_set;
}
#endif

namespace {

// Less work than this, in edges, does not pay for waking a thread; an input costs as much as so many
// edges by itself, to be placed and sorted.
constexpr ptrdiff_t EDGES_PER_THREAD = 65536, EDGES_PER_INPUT = 32;
constexpr ptrdiff_t GRAD_TILE_BYTES = 1 << 19;  // of gy: half of a usual second-level cache
constexpr ptrdiff_t FEWEST_TILE_ROWS = 64, MOST_TILE_ROWS = 2048;
constexpr ptrdiff_t FEWEST_TASK_ROWS = 16;  // of the forward pass

bool is_available(const InstructionSet* set) {
#if defined(KAN_X86)
    __builtin_cpu_init();
    if (set == &avx2::instruction_set)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (set == &avx512::instruction_set)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("fma");
#endif
    return set == &baseline::instruction_set;
}

// From the widest to the narrowest.
constexpr const InstructionSet* INSTRUCTION_SETS[] = {
#if defined(KAN_X86)
    &avx512::instruction_set,
    &avx2::instruction_set,
#endif
    &baseline::instruction_set,
};

const InstructionSet* widest() {
    for (const InstructionSet* set : INSTRUCTION_SETS)
        if (is_available(set)) return set;
    return &baseline::instruction_set;
}

const InstructionSet* find(const char* name) {
    for (const InstructionSet* set : INSTRUCTION_SETS)
        if (std::strcmp(set->name, name) == 0) return is_available(set) ? set : nullptr;
    return nullptr;
}

std::atomic<const InstructionSet*> chosen{widest()};

}  // namespace

template <>
const Kernels<float>& kernels() {
    return chosen.load()->single;
}
template <>
const Kernels<double>& kernels() {
    return chosen.load()->wide;
}
const GramKernels& gram_kernels() { return chosen.load()->gram; }

namespace {

ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
ptrdiff_t pieces(ptrdiff_t length, ptrdiff_t each) { return (length + each - 1) / each; }

Range piece(ptrdiff_t index, ptrdiff_t each, ptrdiff_t length) {
    return {index * each, smaller((index + 1) * each, length)};
}

// The whole plan of one call. Which sums are taken in which order never depends on `threads`.
template <class T>
class Call {
   public:
    Call(const Layer<T>& layer, int64_t threads) : layer_(layer), kernels_(kernels<T>()) {
        const ptrdiff_t inputs = layer.batch * layer.in_features;
        const ptrdiff_t edges = inputs * (layer.out_features + EDGES_PER_INPUT);
        const ptrdiff_t wanted = smaller(threads, most_threads());
        threads_ = static_cast<int>(larger(1, smaller(wanted, edges / EDGES_PER_THREAD)));
    }

    Status interpolate(const T* control_points, T* y) {
        if (layer_.in_features == 0)
            std::memset(y, 0, layer_.batch * layer_.out_features * sizeof(T));
        if (layer_.in_features == 0 || layer_.out_features == 0) return OK;
        control_points_ = control_points;
        y_ = y;
        // By rows, as many at once as can be; by columns too where there are few rows.
        rows_ = larger(FEWEST_TASK_ROWS, smaller(TILE_ROWS, pieces(layer_.batch, threads_)));
        split_columns(pieces(layer_.batch, rows_));
        return run(pieces(layer_.batch, rows_), interpolate_scratch<T>(),
                   [](Call& call, ptrdiff_t outer, Range columns, void* scratch) {
                       const Range rows = piece(outer, call.rows_, call.layer_.batch);
                       call.kernels_.interpolate(call.layer_, call.control_points_, call.y_, rows,
                                                 columns, scratch);
                   });
    }

    Status gradients(const Gradients<T>& wanted) {
        if (layer_.out_features == 0 && wanted.x)
            std::memset(wanted.x, 0, layer_.batch * layer_.in_features * sizeof(T));
        if (layer_.in_features == 0 || layer_.out_features == 0) return OK;
        const bool both = wanted.x && wanted.grad_control_points;
        if (!both || layer_.in_features >= threads_) return sweep(wanted);
        // Too few features for the threads: one gradient at a time can be cut otherwise.
        Gradients<T> first = wanted, second = wanted;
        first.grad_control_points = nullptr;
        second.x = nullptr;
        const Status status = sweep(first);
        return status == OK ? sweep(second) : status;
    }

   private:
    using Body = void (*)(Call&, ptrdiff_t outer, Range columns, void* scratch);

    Status sweep(const Gradients<T>& wanted) {
        wanted_ = wanted;
        const ptrdiff_t row_bytes = layer_.out_features * static_cast<ptrdiff_t>(sizeof(T));
        const ptrdiff_t fitting = smaller(MOST_TILE_ROWS, GRAD_TILE_BYTES / row_bytes);
        tile_rows_ = larger(1, smaller(layer_.batch, larger(FEWEST_TILE_ROWS, fitting)));
        features_ = smaller(TILE_FEATURES, pieces(layer_.in_features, threads_));
        columns_ = layer_.out_features;
        rows_ = larger(1, layer_.batch);
        const ptrdiff_t blocks = pieces(layer_.in_features, features_);
        if (!wanted.x) split_columns(blocks);
        if (!wanted.grad_control_points && blocks < threads_) rows_ = tile_rows_;
        row_pieces_ = larger(1, pieces(layer_.batch, rows_));
        return run(blocks * row_pieces_, gradients_scratch<T>(tile_rows_, layer_.num_control_points),
                   [](Call& call, ptrdiff_t outer, Range columns, void* scratch) {
                       const Layer<T>& layer = call.layer_;
                       const ptrdiff_t rows = outer % call.row_pieces_;
                       const ptrdiff_t features = outer / call.row_pieces_;
                       const Part part{piece(rows, call.rows_, layer.batch),
                                       piece(features, call.features_, layer.in_features), columns,
                                       call.tile_rows_};
                       call.kernels_.gradients(layer, call.wanted_, part, scratch);
                   });
    }

    // Cut the columns into chunks so that there is a task for every thread.
    void split_columns(ptrdiff_t others) {
        const ptrdiff_t wanted = larger(1, pieces(threads_, larger(1, others)));
        const ptrdiff_t chunks = pieces(layer_.out_features, kernels_.columns);
        columns_ = pieces(chunks, wanted) * kernels_.columns;
    }

    Status run(ptrdiff_t outer, size_t scratch, Body body) {
        column_pieces_ = pieces(layer_.out_features, columns_);
        body_ = body;
        scratch_size_ = (scratch + 63) / 64 * 64 + 64;
        scratch_ = static_cast<char*>(std::malloc(threads_ * scratch_size_));
        if (!scratch_) return OUT_OF_MEMORY;
        parallel(outer * column_pieces_, threads_, &Call::task, this);
        std::free(scratch_);
        return OK;
    }

    static void task(void* context, ptrdiff_t index, int worker) {
        Call& call = *static_cast<Call*>(context);
        const Range columns =
            piece(index % call.column_pieces_, call.columns_, call.layer_.out_features);
        call.body_(call, index / call.column_pieces_, columns,
                   call.scratch_ + worker * call.scratch_size_);
    }

    const Layer<T> layer_;
    const Kernels<T>& kernels_;
    int threads_;
    const T* control_points_ = nullptr;
    T* y_ = nullptr;
    Gradients<T> wanted_{};
    ptrdiff_t rows_ = 0, row_pieces_ = 0, columns_ = 0, column_pieces_ = 0;
    ptrdiff_t features_ = 0, tile_rows_ = 0;
    Body body_ = nullptr;
    char* scratch_ = nullptr;
    size_t scratch_size_ = 0;
};

// As Python passes it; strides in elements.
struct Arguments {
    int64_t batch, in_features, num_control_points, out_features;
    double spline_width;
    int64_t x_row, x_column, direction_row, direction_column;
    int64_t threads;
};

template <class T>
Call<T> call(const Arguments& a, const T* x, const T* direction) {
    const double intervals = static_cast<double>(a.num_control_points - 1);
    const Layer<T> layer{{x, a.x_row, a.x_column},
                         {direction, a.direction_row, a.direction_column},
                         a.batch,
                         a.in_features,
                         a.num_control_points,
                         a.out_features,
                         static_cast<T>(a.spline_width / 2),
                         static_cast<T>(intervals / a.spline_width)};
    return Call<T>(layer, a.threads);
}

}  // namespace
}  // namespace kan

#define KAN_ENTRIES(suffix, T)                                                                   \
    KAN_EXPORT int kan_interpolate_##suffix(const kan::Arguments* a, const T* x,                 \
                                            const T* direction, const T* control_points, T* y) { \
        return kan::call<T>(*a, x, direction).interpolate(control_points, y);                    \
    }                                                                                            \
    KAN_EXPORT int kan_gradients_##suffix(const kan::Arguments* a, const T* x,                   \
                                          const T* direction, const T* control_points,           \
                                          const T* grad_y, T* grad_x, T* grad_control_points) {  \
        return kan::call<T>(*a, x, direction)                                                    \
            .gradients({control_points, grad_y, grad_x, grad_control_points});                   \
    }
KAN_ENTRIES(float32, float)
KAN_ENTRIES(float64, double)

KAN_EXPORT const char* kan_instruction_set() { return kan::chosen.load()->name; }

// Returns whether this machine has the instruction set of that name.
KAN_EXPORT int kan_has_instruction_set(const char* name) { return kan::find(name) != nullptr; }

// Uses it from now on, if the machine has it; returns whether it has.
KAN_EXPORT int kan_use_instruction_set(const char* name) {
    const kan::InstructionSet* set = kan::find(name);
    if (set) kan::chosen = set;
    return set != nullptr;
}

KAN_EXPORT void kan_share_threads_of(void* gomp_parallel) {
    kan::share_threads_of(reinterpret_cast<kan::OpenMP>(gomp_parallel));
}
