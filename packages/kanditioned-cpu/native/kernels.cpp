// The kernels for one instruction set: compiled once for each, with KAN_ISA as its name.

#include "gradients.hpp"
#include "gram.hpp"
#include "interpolate.hpp"
#include "shapes.hpp"

#define KAN_QUOTED(name) #name
#define KAN_NAME(name) KAN_QUOTED(name)

namespace kan::KAN_ISA {
namespace {

template <class T>
constexpr Kernels<T> kernels() {
    return {VECTORS * LANES<T>, interpolate<T>, gradients<T>, shape<T>};
}

}  // namespace

extern const InstructionSet instruction_set;
const InstructionSet instruction_set{KAN_NAME(KAN_ISA), kernels<float>(), kernels<double>(),
                                     {products, with_targets}};

}  // namespace kan::KAN_ISA
