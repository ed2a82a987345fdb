// Weighted sums of products of sparse rows: cuts the work into tasks, each with cells of its own.

#include <cstdlib>

#include "library.hpp"
#include "parallel.hpp"

namespace kan {
namespace {

constexpr ptrdiff_t GROUP = 6;  // blocks whose products are one task
constexpr ptrdiff_t PRODUCTS_PER_THREAD = 65536;

struct Call {
    const Gram& gram;
    const GramKernels& kernels;
    ptrdiff_t groups, pairs;
    char* scratch;
    size_t scratch_size;
};

Range group(const Gram& gram, ptrdiff_t number) {
    const ptrdiff_t end = (number + 1) * GROUP;
    return {number * GROUP, end < gram.blocks ? end : gram.blocks};
}

ptrdiff_t most_hats(const Gram& gram, ptrdiff_t groups) {
    ptrdiff_t most = 0;
    for (ptrdiff_t number = 0; number < groups; ++number) {
        const Range blocks = group(gram, number);
        const ptrdiff_t hats = gram.first[blocks.end] - gram.first[blocks.begin];
        most = hats > most ? hats : most;
    }
    return most;
}

// First the pairs of groups, then the blocks with the targets.
void task(void* context, ptrdiff_t index, int worker) {
    const Call& call = *static_cast<Call*>(context);
    if (index >= call.pairs) return call.kernels.with_targets(call.gram, index - call.pairs);
    ptrdiff_t left = 0;
    for (ptrdiff_t row = call.groups; index >= row; --row, ++left) index -= row;
    call.kernels.products(call.gram, group(call.gram, left), group(call.gram, left + index),
                          call.scratch + worker * call.scratch_size);
}

Status run(const Gram& gram, int64_t threads) {
    const ptrdiff_t groups = (gram.blocks + GROUP - 1) / GROUP;
    const ptrdiff_t hats = gram.first[gram.blocks];
    const double work = static_cast<double>(gram.rows) * hats * (hats + gram.outputs) / 2;
    ptrdiff_t used = threads < most_threads() ? threads : most_threads();
    if (work < static_cast<double>(used * PRODUCTS_PER_THREAD))
        used = static_cast<ptrdiff_t>(work) / PRODUCTS_PER_THREAD;
    used = used > 1 ? used : 1;
    const size_t size = (1 + most_hats(gram, groups)) * GRAM_ROWS * sizeof(PlacedHat);
    Call call{gram, gram_kernels(), groups, groups * (groups + 1) / 2, nullptr, size};
    call.scratch = static_cast<char*>(std::malloc(used * size));
    if (!call.scratch) return OUT_OF_MEMORY;
    parallel(call.pairs + gram.blocks, static_cast<int>(used), task, &call);
    std::free(call.scratch);
    return OK;
}

}  // namespace
}  // namespace kan

KAN_EXPORT int kan_gram(const kan::Gram* gram, int64_t threads) { return kan::run(*gram, threads); }
