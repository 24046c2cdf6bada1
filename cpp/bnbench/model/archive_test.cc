#include "bnbench/model/archive.h"

#include <caffe2/serialize/inline_container.h>
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "bnbench/errors.h"
#include "tests/tiny_models.h"

using bnbench::CheckArchive;
using bnbench::ModelError;

namespace {

using Records = std::vector<std::pair<std::string, std::string>>;

std::string WriteArchive(const Records& records, bool compress = false) {
  std::string bytes;
  caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
    return size;
  });
  for (const auto& [name, content] : records) {
    writer.writeRecord(name, content.data(), content.size(), compress);
  }
  writer.writeEndOfFile();
  return bytes;
}

void CheckRefused(const std::string& bytes, const char* got) {
  CHECK_THROWS_WITH_AS(CheckArchive(bytes, "m.pt"), doctest::Contains(got), ModelError);
}

std::string Text(const std::string& text) {
  return "X" + std::string(1, static_cast<char>(text.size())) + std::string(3, '\0') + text;
}

// A pickle with a reference to the record `0` of five binary32 values.
std::string FiveFloats() {
  return "\x80\x02(" + Text("storage") + "ctorch\nFloatStorage\n" + Text("0") + Text("cpu") + "K" +
         '\x05' + "tQ.";
}

}  // namespace

TEST_CASE("a TorchScript archive is accepted") {
  CheckArchive(bnbench::testing::FirstTenPixelsModel(), "m.pt");
}

TEST_CASE("an archive of something else is called what it is") {
  CheckRefused(WriteArchive({{"data.pkl", "x"}}), "a state dict or another object that torch.save");
  CheckRefused(WriteArchive({{"archive_format", "pt2"}}), "a torch.export archive (.pt2)");
  CheckRefused(WriteArchive({{"models/model.json", "{}"}}), "a torch.export archive (.pt2)");
  CheckRefused(WriteArchive({{"a", "b"}}), "an archive of something else");
  CheckRefused("\x80\x02\x8a", "a state dict or another object that torch.save pickled");
}

TEST_CASE("an archive that grows far beyond its size is refused before it is unpacked") {
  const std::string zeros(std::size_t{1} << 26, '\0');
  const Records records = {{"constants.pkl", "\x80\x02)."}, {"data.pkl", "\x80\x02)."}};
  Records small = records;
  small.emplace_back("code/a.py", zeros.substr(0, zeros.size() / 2));
  CheckArchive(WriteArchive(small, true), "m.pt");
  Records bomb = records;
  for (const char* name : {"code/a.py", "code/b.py"}) bomb.emplace_back(name, zeros);
  const std::string bytes = WriteArchive(bomb, true);
  CHECK(bytes.size() < 500'000);
  CheckRefused(bytes, "records that do not grow the file by more than 64 MiB, got more");
}

TEST_CASE("a tensor larger than its record is refused") {
  for (const std::string archive : {"data", "constants"}) {
    const std::string other = archive == "data" ? "constants" : "data";
    const auto write = [&](std::size_t size) {
      return WriteArchive({{archive + ".pkl", FiveFloats()},
                           {other + ".pkl", "\x80\x02)."},
                           {archive + "/0", std::string(size, 'x')}});
    };
    CheckArchive(write(20), "m.pt");
    CheckRefused(write(19), "/0 of at least 20 bytes, as its tensor has, got 19; do not use it");
  }
}
