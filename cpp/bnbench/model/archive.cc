#include "bnbench/model/archive.h"

#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "bnbench/errors.h"
#include "bnbench/io/pickle.h"

namespace bnbench {
namespace {

// Code and debug records are compressed, and small. Tensors are not compressed.
constexpr std::size_t kMaxGrowth = std::size_t{64} << 20;
constexpr char kExpected[] = "a TorchScript model that LibTorch can load";
constexpr char kExportScript[] = "export it with torch.jit.script or torch.jit.trace";

class MemoryReader : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit MemoryReader(std::string_view bytes) : bytes_(bytes) {}
  std::size_t size() const override { return bytes_.size(); }
  std::size_t read(std::uint64_t position, void* buffer, std::size_t count,
                   const char* /*what*/) const override {
    if (position >= bytes_.size()) return 0;
    count = std::min(count, bytes_.size() - static_cast<std::size_t>(position));
    std::memcpy(buffer, bytes_.data() + position, count);
    return count;
  }

 private:
  std::string_view bytes_;
};

// What the archive is instead of TorchScript.
std::string DescribeOther(caffe2::serialize::PyTorchStreamReader& reader,
                          const std::vector<std::string>& records) {
  const bool is_exported = std::ranges::any_of(records, [](const std::string& record) {
    return record == "archive_format" || record == "serialized_exported_program.json" ||
           record.starts_with("models/");
  });
  if (is_exported) return "a torch.export archive (.pt2)";
  if (reader.hasRecord("data.pkl")) return "a state dict or another object that torch.save wrote";
  return "an archive of something else";
}

void CheckSizes(caffe2::serialize::PyTorchStreamReader& reader,
                const std::vector<std::string>& records, std::size_t file_size,
                const std::string& name) {
  std::size_t left = file_size + kMaxGrowth;
  for (const std::string& record : records) {
    const std::size_t size = reader.getRecordSize(record);
    if (size > left) {
      throw ModelError(name, "records that do not grow the file by more than 64 MiB",
                       "more (" + std::to_string(size) + " bytes in one record)", "do not use it");
    }
    left -= size;
  }
}

void CheckTensors(caffe2::serialize::PyTorchStreamReader& reader, const std::string& archive,
                  const std::string& name) {
  const std::string record = archive + ".pkl";
  if (!reader.hasRecord(record)) return;
  const auto [data, size] = reader.getRecord(record);
  const std::string_view pickle(static_cast<const char*>(data.get()), size);
  for (const StoredTensor& tensor : ListStoredTensors(pickle, name)) {
    const std::string values = archive + "/" + tensor.key;
    if (!reader.hasRecord(values)) continue;  // LibTorch says so
    const std::size_t found = reader.getRecordSize(values);
    if (tensor.bytes > found) {
      throw ModelError(name,
                       "a record " + values + " of at least " + std::to_string(tensor.bytes) +
                           " bytes, as its tensor has",
                       std::to_string(found), "do not use it");
    }
  }
}

}  // namespace

std::shared_ptr<caffe2::serialize::ReadAdapterInterface> ReadFromMemory(std::string_view bytes) {
  return std::make_shared<MemoryReader>(bytes);
}

void CheckArchive(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with("\x80\x02")) {
    throw ModelError(name, kExpected, "a state dict or another object that torch.save pickled",
                     kExportScript);
  }
  caffe2::serialize::PyTorchStreamReader reader(ReadFromMemory(bytes));
  const std::vector<std::string> records = reader.getAllRecords();
  if (!reader.hasRecord("constants.pkl")) {
    throw ModelError(name, kExpected, DescribeOther(reader, records), kExportScript);
  }
  CheckSizes(reader, records, bytes.size(), name);
  CheckTensors(reader, "data", name);
  CheckTensors(reader, "constants", name);
}

}  // namespace bnbench
