// The operators that the interpreter knows: one table for each kind.
#ifndef BNBENCH_PORTABLE_OPERATORS_H_
#define BNBENCH_PORTABLE_OPERATORS_H_

#include <string_view>
#include <vector>

#include "bnbench/portable/binding.h"

namespace bnbench::pt2 {

struct Operator {
  std::string_view target;  // without "torch.ops.aten."
  void (*bind)(Binding& binding);
};

// Products of matrices and convolutions.
std::vector<Operator> ListProductOperators();
// Normalizations, means, softmax and argmax.
std::vector<Operator> ListReductionOperators();
// Pooling of images.
std::vector<Operator> ListPoolingOperators();
// Functions of single elements, and arithmetic of two tensors.
std::vector<Operator> ListPointwiseOperators();
// What moves elements and computes nothing but their type.
std::vector<Operator> ListCopyOperators();
// What names the elements in another shape.
std::vector<Operator> ListViewOperators();

// Binds a node of any kind. Throws ModelError.
void BindNode(Plan* plan, const Node& node);

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_OPERATORS_H_
