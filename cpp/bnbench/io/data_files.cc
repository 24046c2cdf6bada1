#include "bnbench/io/data_files.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "bnbench/io/gzip.h"
#include "bnbench/io/idx.h"
#include "bnbench/io/mapped_file.h"
#include "bnbench/io/npy.h"
#include "bnbench/io/safetensors.h"
#include "bnbench/io/zip.h"

namespace bnbench {
namespace {

constexpr std::size_t kMaxInflatedBytes = std::size_t{64} << 30;

struct Place {
  std::string file;
  std::string member;  // empty: not named
};

// FILE:NAME, unless a file has that whole name.
Place SplitPath(const std::string& path) {
  std::error_code ignored;
  const std::size_t colon = path.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(path, ignored)) return {path, ""};
  return {path.substr(0, colon), path.substr(colon + 1)};
}

std::string Join(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 10;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kMost; ++i) {
    text += (i == 0 ? "" : ", ") + names[i].substr(0, 40);
  }
  return text + (names.size() > kMost ? ", ..." : "");
}

std::string ChooseMember(const std::vector<std::string>& names, const Place& place,
                         std::initializer_list<std::string_view> usual_names) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  if (!place.member.empty()) {
    if (has(place.member)) return place.member;
    throw DataError(place.file, "an array named " + place.member, Join(names));
  }
  if (names.size() == 1) return names.front();
  for (const std::string_view usual : usual_names) {
    if (has(usual)) return std::string(usual);
  }
  std::string expected;
  for (const std::string_view usual : usual_names) {
    expected += (expected.empty() ? "" : " or ") + std::string(usual);
  }
  throw DataError(place.file, "one array, or one named " + expected,
                  names.empty() ? "none" : Join(names), "name it: " + place.file + ":NAME");
}

Array ReadNpz(const MappedFile& file, const Place& place,
              std::initializer_list<std::string_view> usual_names) {
  constexpr std::string_view kSuffix = ".npy";
  std::vector<ZipEntry> entries = ListZip(file.bytes, place.file);
  std::vector<std::string> names;
  for (const ZipEntry& entry : entries) {
    const bool has_suffix = entry.name.ends_with(kSuffix);
    names.push_back(entry.name.substr(0, entry.name.size() - (has_suffix ? kSuffix.size() : 0)));
  }
  const std::string chosen = ChooseMember(names, place, usual_names);
  const ZipEntry& entry =
      entries[static_cast<std::size_t>(std::ranges::find(names, chosen) - names.begin())];
  const std::string name = place.file + ":" + chosen;
  if (!entry.is_deflated) {
    CheckCrc(entry, entry.content, name);
    return ParseNpy(entry.content, file.storage, name);
  }
  auto inflated =
      std::make_shared<const std::vector<std::byte>>(InflateEntry(entry, kMaxInflatedBytes, name));
  const std::string_view bytes(reinterpret_cast<const char*>(inflated->data()), inflated->size());
  CheckCrc(entry, bytes, name);
  return ParseNpy(bytes, inflated, name);
}

Array TakeIdx(const MappedFile& file, const std::string& name) {
  IdxArray idx = ParseIdx(file.bytes, name);
  std::vector<std::byte> bytes(idx.values.size());
  std::memcpy(bytes.data(), idx.values.data(), bytes.size());
  Array array = MakeArray(DType::kUint8, std::move(idx.shape), std::move(bytes));
  array.file_sha256 = std::move(idx.sha256);
  return array;
}

}  // namespace

Array ReadArray(const std::string& path, const std::string& option,
                std::initializer_list<std::string_view> usual_names) {
  const Place place = SplitPath(path);
  const MappedFile file = MapFile(place.file, "the file of " + option);
  const std::string_view bytes = file.bytes;
  if (bytes.starts_with("PK")) return ReadNpz(file, place, usual_names);
  const bool is_npy = bytes.starts_with("\x93NUMPY");
  const bool is_idx = IsGzip(bytes) || bytes.starts_with(std::string_view("\0\0\x08", 3));
  // The ninth byte of a safetensors file begins its JSON.
  if (place.file.ends_with(".safetensors") ||
      (!is_npy && !is_idx && bytes.size() > 8 && bytes[8] == '{')) {
    std::map<std::string, Array> arrays = ParseSafetensors(bytes, file.storage, place.file);
    std::vector<std::string> names;
    names.reserve(arrays.size());
    for (const auto& [name, array] : arrays) names.push_back(name);
    return arrays.at(ChooseMember(names, place, usual_names));
  }
  if (!place.member.empty()) {
    throw DataError(place.file, "a file of several arrays, of which " + place.member + " is one",
                    "another format");
  }
  if (is_npy) return ParseNpy(bytes, file.storage, place.file);
  if (is_idx) return TakeIdx(file, place.file);
  throw DataError(place.file, "a .npy, .npz, .safetensors or IDX file", "another format",
                  "convert it with numpy.save");
}

}  // namespace bnbench
