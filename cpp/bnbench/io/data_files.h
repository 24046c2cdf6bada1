// Reads an array of any of the formats that data come in.
#ifndef BNBENCH_IO_DATA_FILES_H_
#define BNBENCH_IO_DATA_FILES_H_

#include <initializer_list>
#include <string>
#include <string_view>

#include "bnbench/io/array.h"

namespace bnbench {

// Reads an array from a .npy file, a member of a .npz or .safetensors file, or an IDX file (raw or
// gzipped); the first bytes decide, not the name. FILE:NAME names the member; otherwise it is the
// only one, or the first of `usual_names` that there is. Values that are not packed stay in the
// file, which is mapped. `option` names what is read in errors. Throws DataError.
Array ReadArray(const std::string& path, const std::string& option,
                std::initializer_list<std::string_view> usual_names);

}  // namespace bnbench

#endif  // BNBENCH_IO_DATA_FILES_H_
