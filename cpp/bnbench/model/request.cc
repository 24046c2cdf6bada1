#include "bnbench/model/request.h"

#include <sstream>

namespace bnbench {
namespace {

constexpr char kNone = '-';
constexpr char kIndex = '#';
constexpr char kKey = '=';

}  // namespace

std::string EncodeRequest(const ModelRequest& request) {
  std::ostringstream text;
  text << request.sha256 << '\n' << request.size_bytes << '\n' << Name(request.input.dtype) << '\n';
  for (const std::size_t size : request.input.shape) text << size << ' ';
  text << '\n' << FormatSteps(request.input.steps) << '\n';
  if (request.output.kind) text << Name(*request.output.kind);
  text << '\n' << request.output.num_classes << '\n';
  // A key, which may hold anything, comes last.
  if (const auto* index = std::get_if<std::size_t>(&request.output.element)) {
    text << kIndex << *index;
  } else if (const auto* key = std::get_if<std::string>(&request.output.element)) {
    text << kKey << *key;
  } else {
    text << kNone;
  }
  return text.str();
}

ModelRequest DecodeRequest(const std::string& text) {
  std::istringstream stream(text);
  std::string line;
  const auto next = [&]() -> const std::string& {
    std::getline(stream, line);
    return line;
  };
  ModelRequest request;
  request.sha256 = next();
  request.size_bytes = std::stoull(next());
  request.input.dtype = FindDType(next()).value_or(DType::kUint8);
  std::istringstream sizes(next());
  for (std::size_t size = 0; sizes >> size;) request.input.shape.push_back(size);
  request.input.steps = ParseSteps(next());
  request.output.kind = FindOutputKind(next());
  request.output.num_classes = std::stoull(next());
  const char kind = static_cast<char>(stream.get());
  const std::string element = text.substr(static_cast<std::size_t>(stream.tellg()));
  if (kind == kIndex) request.output.element = static_cast<std::size_t>(std::stoull(element));
  if (kind == kKey) request.output.element = element;
  return request;
}

}  // namespace bnbench
