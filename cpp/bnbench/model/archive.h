// Looks into a model file before LibTorch loads it.
#ifndef BNBENCH_MODEL_ARCHIVE_H_
#define BNBENCH_MODEL_ARCHIVE_H_

#include <memory>
#include <string>
#include <string_view>

namespace caffe2::serialize {
class ReadAdapterInterface;
}

namespace bnbench {

// Lets LibTorch read a model from memory without copying it; `bytes` must stay.
std::shared_ptr<caffe2::serialize::ReadAdapterInterface> ReadFromMemory(std::string_view bytes);

// Refuses what is no TorchScript archive by saying what it is, an archive that grows far beyond its
// size, and one whose tensors are larger than their records. Throws ModelError, which calls the
// model `name`, or what LibTorch throws at an archive that it can't read.
void CheckArchive(std::string_view bytes, const std::string& name);

}  // namespace bnbench

#endif  // BNBENCH_MODEL_ARCHIVE_H_
