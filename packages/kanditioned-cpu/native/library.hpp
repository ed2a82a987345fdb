// What the entries of the library share: how they are exported, what they return, and the kernels.
#pragma once

#include "kernels.hpp"

#if defined(_WIN32)
#define KAN_EXPORT extern "C" __declspec(dllexport)
#else
#define KAN_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace kan {

enum Status { OK = 0, OUT_OF_MEMORY = 1 };

// Those of the instruction set in use.
template <class T>
const Kernels<T>& kernels();
template <>
const Kernels<float>& kernels();
template <>
const Kernels<double>& kernels();
const GramKernels& gram_kernels();

}  // namespace kan
