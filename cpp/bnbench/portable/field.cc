#include "bnbench/portable/field.h"

#include <limits>

#include "bnbench/errors.h"
#include "bnbench/portable/printable.h"

namespace bnbench::pt2 {

nlohmann::json Field::Parse(std::string_view text, const std::string& file,
                            const std::string& document) {
  // Our documents nest a dozen levels. The parser itself has no limit.
  constexpr int kMaxDepth = 64;
  bool is_too_deep = false;
  const auto callback = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    is_too_deep = is_too_deep || depth > kMaxDepth;
    return !is_too_deep;
  };
  nlohmann::json value = nlohmann::json::parse(text, callback, /*allow_exceptions=*/false);
  if (is_too_deep || value.is_discarded()) {
    throw ModelError(file + ": " + document, "JSON",
                     is_too_deep ? "one that nests too deep" : "none", "export it again");
  }
  return value;
}

void Field::Fail(const std::string& expected, const std::string& got) const {
  throw ModelError(*file_ + ": " + Printable(path_), expected, got,
                   "export it again with a torch that this program knows");
}

Field Field::Get(const std::string& key) const {
  if (!value_->is_object()) Fail("an object");
  const auto found = value_->find(key);
  if (found == value_->end()) Fail("an entry " + key, "none");
  return Field(*found, *file_, path_ + "." + key);
}

std::vector<Field> Field::Items() const {
  if (!value_->is_array()) Fail("a list");
  std::vector<Field> items;
  items.reserve(value_->size());
  for (const nlohmann::json& item : *value_) items.emplace_back(item, *file_, path_);
  return items;
}

std::vector<std::pair<std::string, Field>> Field::Members() const {
  if (!value_->is_object()) Fail("an object");
  std::vector<std::pair<std::string, Field>> members;
  for (const auto& [key, item] : value_->items()) {
    members.emplace_back(key, Field(item, *file_, path_ + "." + key));
  }
  return members;
}

std::pair<std::string, Field> Field::Only() const {
  auto members = Members();
  if (members.size() != 1) Fail("one entry", std::to_string(members.size()));
  return members.front();
}

std::string Field::Text() const {
  if (!value_->is_string()) Fail("a string");
  return value_->get<std::string>();
}

bool Field::Bool() const {
  if (!value_->is_boolean()) Fail("true or false");
  return value_->get<bool>();
}

std::int64_t Field::Integer() const {
  // The parser stores every non-negative integer that fits as unsigned.
  if (!value_->is_number_integer() ||
      (value_->is_number_unsigned() &&
       value_->get<std::uint64_t>() >
           static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))) {
    Fail("a whole number of 64 bits");
  }
  return value_->get<std::int64_t>();
}

double Field::Number() const {
  if (!value_->is_number()) Fail("a number");
  return value_->get<double>();
}

}  // namespace bnbench::pt2
