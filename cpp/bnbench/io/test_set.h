// The inputs that models are evaluated on and their targets: where they are found, and how they are
// checked.
#ifndef BNBENCH_IO_TEST_SET_H_
#define BNBENCH_IO_TEST_SET_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bnbench/io/array.h"

namespace bnbench {

// SHA-256 of FashionMNIST's decompressed test files.
inline constexpr char kFashionTestImagesSha256[] =
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b";
inline constexpr char kFashionTestLabelsSha256[] =
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34";

// The hashes that an array goes by, each computed when it is first asked for: that of the IDX file
// it was read from or could be in, and that of its values.
class ArrayHashes {
 public:
  // `array` must stay. `as_idx` is the same array as bytes, if it can be in an IDX file.
  ArrayHashes(const Array& array, const Array& as_idx) : array_(&array), as_idx_(&as_idx) {}

  bool Have(const std::string& sha256);
  // The one of the file, if the array is from an IDX file; else that of the values.
  const std::string& First();

 private:
  const Array* array_;
  const Array* as_idx_;
  std::vector<std::string> found_;
};

class TestSet {
 public:
  // `targets` are whole numbers of shape (count); without them there are predictions and no score.
  // Errors call them `targets_name`. Throws DataError.
  TestSet(Array inputs, Array targets, const std::string& targets_name);
  explicit TestSet(Array inputs);
  TestSet(const TestSet&) = delete;
  TestSet& operator=(const TestSet&) = delete;

  const Array& inputs() const { return inputs_; }
  std::span<const std::int64_t> targets() const { return targets_; }
  bool has_targets() const { return !targets_.empty(); }
  std::size_t count() const { return inputs_.count(); }

  // Whether both were read from FashionMNIST's files.
  bool is_fashion_mnist() const {
    return inputs_.file_sha256 == kFashionTestImagesSha256 &&
           target_array_.file_sha256 == kFashionTestLabelsSha256;
  }

  // Throws DataError unless these are the hashes of inputs and targets, as ArrayHashes has them;
  // missing targets have any. `origin` says whose the hashes are.
  void CheckHashes(const std::string& inputs_sha256, const std::string& targets_sha256,
                   const std::string& origin);

 private:
  Array inputs_;
  Array target_array_;  // as they were read, then as int64
  Array target_bytes_;  // empty unless all fit into bytes
  std::vector<std::int64_t> targets_;
  ArrayHashes input_hashes_;
  ArrayHashes target_hashes_;
};

// The folders where `bnbench data` finds or puts the data, in its order: BNBENCH_DATA if it is set;
// that of Debian's package; XDG_CACHE_HOME/bnbench, by default HOME/.cache/bnbench.
// `get_variable` returns an environment variable, or null (std::getenv).
std::vector<std::string> ListDataFolders(
    const std::function<const char*(const char*)>& get_variable);

// Loads t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each raw or .gz (raw wins), from the
// first of `folders` that has them in its FashionMNIST/raw or in itself. Throws DataError, also for
// a folder with only one of the two files.
TestSet LoadTestSet(std::span<const std::string> folders);

// Loads the arrays of --inputs and --targets, as ReadArray reads them; an empty `targets_path` is
// no targets. Throws DataError.
TestSet LoadTestSet(const std::string& inputs_path, const std::string& targets_path);

}  // namespace bnbench

#endif  // BNBENCH_IO_TEST_SET_H_
