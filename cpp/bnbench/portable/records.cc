#include "bnbench/portable/records.h"

#include "bnbench/errors.h"
#include "bnbench/portable/printable.h"

namespace bnbench::pt2 {
namespace {

constexpr char kExport[] = "export it with torch.export.save of torch 2.9 or later";

}  // namespace

Records::Records(std::string_view bytes, const std::string& name)
    : name_(name), records_(ReadStoredZip(bytes, name)) {
  if (records_.empty()) Fail("no record");
  const std::string& first = records_.begin()->first;
  folder_ = first.substr(0, first.find('/') + 1);
  for (const auto& [record, content] : records_) {
    if (folder_.empty() || !record.starts_with(folder_)) Fail("an archive of something else");
  }
  if (Find("constants.pkl")) Fail("a TorchScript file");
  if (Find("data.pkl")) Fail("an object that torch.save wrote");
  if (Find("serialized_exported_program.json")) Fail("one of an older torch");
  Require("archive_format", "pt2");
  Require("archive_version", "0");
  Require("byteorder", "little");
  if (!Find("models/model.json")) Fail("one without models/model.json, such as AOTInductor's");
}

void Records::Fail(const std::string& got) const {
  throw ModelError(name_, "a torch.export archive (.pt2)", got, kExport);
}

std::optional<std::string_view> Records::Find(std::string_view record) const {
  const auto found = records_.find(folder_ + std::string(record));
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

std::string_view Records::Get(std::string_view record) const {
  const auto found = Find(record);
  if (!found) Fail("no record " + Printable(record));
  return *found;
}

void Records::Require(std::string_view record, std::string_view content) const {
  const std::string_view found = Get(record);
  if (found == content) return;
  throw ModelError(name_ + ": " + std::string(record), std::string(content), Printable(found),
                   kExport);
}

}  // namespace bnbench::pt2
