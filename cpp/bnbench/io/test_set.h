// The labeled images that models are evaluated on: where they are found, and how they are checked.
#ifndef BNBENCH_IO_TEST_SET_H_
#define BNBENCH_IO_TEST_SET_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace bnbench {

inline constexpr std::size_t kImageSide = 28;
inline constexpr std::size_t kImageSize = kImageSide * kImageSide;
inline constexpr std::size_t kNumClasses = 10;

// SHA-256 of FashionMNIST's decompressed test files.
inline constexpr char kFashionTestImagesSha256[] =
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b";
inline constexpr char kFashionTestLabelsSha256[] =
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34";

struct TestSet {
  std::vector<std::uint8_t> images;  // (count, 28, 28)
  std::vector<std::uint8_t> labels;  // (count), each 0..9
  std::string images_sha256;         // of the decompressed IDX files
  std::string labels_sha256;

  std::size_t count() const { return labels.size(); }
  bool is_fashion_mnist() const {
    return images_sha256 == kFashionTestImagesSha256 && labels_sha256 == kFashionTestLabelsSha256;
  }
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

// Throws DataError unless every label is a class: 0 to 9. Errors call the labels `name`.
void CheckLabels(std::span<const std::uint8_t> labels, const std::string& name);

// Throws DataError unless the set's hashes are these; `origin` says whose they are.
void CheckTestSetHashes(const TestSet& test_set, const std::string& images_sha256,
                        const std::string& labels_sha256, const std::string& origin);

}  // namespace bnbench

#endif  // BNBENCH_IO_TEST_SET_H_
