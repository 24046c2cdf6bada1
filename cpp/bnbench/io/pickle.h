// Finds the tensors in a pickle of a TorchScript archive, without running it.
#ifndef BNBENCH_IO_PICKLE_H_
#define BNBENCH_IO_PICKLE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bnbench {

// A tensor's storage as a pickle announces it.
struct StoredTensor {
  std::string key;        // of its record
  std::size_t bytes = 0;  // that it takes; at least, if its type is unknown
};

// Lists the storages that `pickle` refers to, in order. Throws ModelError, which calls the file
// `name`, if it is none that torch writes: with other instructions, or a reference in another form.
std::vector<StoredTensor> ListStoredTensors(std::string_view pickle, const std::string& name);

}  // namespace bnbench

#endif  // BNBENCH_IO_PICKLE_H_
