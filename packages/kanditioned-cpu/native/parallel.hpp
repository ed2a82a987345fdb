// Run tasks on several threads.
#pragma once

#include <cstddef>

namespace kan {

using Task = void (*)(void* context, std::ptrdiff_t task, int worker);

// Calls `task(context, 0 .. tasks - 1, worker)`, each once, on up to `threads` threads of which the
// caller is one. Workers are numbered from 0 to threads - 1.
void parallel(std::ptrdiff_t tasks, int threads, Task task, void* context);

// More threads than this are never used: one for each processor of the machine, but at least 4.
int most_threads();

// The entry of an OpenMP runtime that is loaded into the process, `GOMP_parallel`, or null.
using OpenMP = void (*)(void (*body)(void*), void* data, unsigned threads, unsigned flags);
void share_threads_of(OpenMP runtime);

}  // namespace kan
