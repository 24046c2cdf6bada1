// Small torch.export archives, made by the tests themselves.
#ifndef BNBENCH_TESTS_ARCHIVES_H_
#define BNBENCH_TESTS_ARCHIVES_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bnbench::testing {

using Records = std::vector<std::pair<std::string, std::string>>;

// A zip file with stored records as torch writes them: sizes behind each record, padding in the
// local headers, and the directory's place in 32 and 64 bits.
std::string WriteStoredZip(const Records& records);

// Puts `value` in little-endian at `position`.
template <class T>
std::string Patch(std::string bytes, std::size_t position, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[position + i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
  }
  return bytes;
}

// A network as torch.export.save writes it, with a dynamic batch dimension.
class Pt2 {
 public:
  // `shape` is that of the input "x" for one input.
  explicit Pt2(const std::vector<std::int64_t>& shape, int dtype = 7);

  Pt2& Parameter(const std::string& name, const std::vector<std::int64_t>& shape,
                 const std::vector<float>& values);

  // A node "torch.ops.aten.<target>" whose result `name` has `shape` for one input. Each argument
  // is as in torch's JSON, such as {"self", {{"as_tensor", {{"name", "x"}}}}}.
  Pt2& Node(const std::string& target, const nlohmann::ordered_json& arguments,
            const std::string& name, const std::vector<std::int64_t>& shape, int dtype = 7);

  // Adds what describes a tensor of `name` without a first dimension for the inputs.
  void Describe(const std::string& name, const nlohmann::json& sizes, int dtype = 7);

  std::string Bytes(const std::string& output) const;
  // With this text as the graph.
  std::string BytesWithModel(std::string_view text) const;

  // What the archive is made of, for tests that alter it.
  nlohmann::json model;
  nlohmann::json weights;
  Records records;
};

// Arguments of nodes.
nlohmann::json TensorNamed(const std::string& name);
nlohmann::json Whole(std::int64_t value);
nlohmann::json Wholes(const std::vector<std::int64_t>& values);

// x (3) -> linear (2) -> ReLU: weight {{1, 2, 3}, {-1, 0, 1}}, bias {0.5, -4}.
Pt2 TinyPt2();

}  // namespace bnbench::testing

#endif  // BNBENCH_TESTS_ARCHIVES_H_
