// Reads the safetensors format: a header in JSON, then the values of all tensors.
#ifndef BNBENCH_IO_SAFETENSORS_H_
#define BNBENCH_IO_SAFETENSORS_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "bnbench/io/array.h"

namespace bnbench {

// The arrays of a file by their names; values stay where they are, which `storage` keeps. Strict:
// the values fill the file without gaps or overlaps, and each tensor has as many as its shape says.
// Throws DataError, which calls the file `name`.
std::map<std::string, Array> ParseSafetensors(std::string_view file,
                                              const std::shared_ptr<const void>& storage,
                                              const std::string& name);

}  // namespace bnbench

#endif  // BNBENCH_IO_SAFETENSORS_H_
