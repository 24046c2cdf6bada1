// A value in a JSON document, read strictly: what is not as expected is a ModelError that names it.
#ifndef BNBENCH_PORTABLE_FIELD_H_
#define BNBENCH_PORTABLE_FIELD_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bnbench::pt2 {

class Field {
 public:
  // The document in `text`. Errors call the file `file` and the document `document`.
  static nlohmann::json Parse(std::string_view text, const std::string& file,
                              const std::string& document);

  Field(const nlohmann::json& value, const std::string& file, std::string path)
      : value_(&value), file_(&file), path_(std::move(path)) {}

  [[noreturn]] void Fail(const std::string& expected, const std::string& got) const;
  [[noreturn]] void Fail(const std::string& expected) const { Fail(expected, value_->type_name()); }

  // The document in a text of this document, and a field of the file that lies in it.
  nlohmann::json Parsed() const { return Parse(Text(), *file_, path_); }
  Field Within(const nlohmann::json& value) const { return Field(value, *file_, path_); }

  bool Is(const std::string& text) const { return value_->is_string() && *value_ == text; }
  bool Has(const std::string& key) const { return value_->is_object() && value_->contains(key); }
  Field Get(const std::string& key) const;
  std::vector<Field> Items() const;
  // The members of an object: names and values.
  std::vector<std::pair<std::string, Field>> Members() const;
  // The only member of an object, as torch writes a value that may be of several kinds.
  std::pair<std::string, Field> Only() const;
  std::string Text() const;
  bool Bool() const;
  std::int64_t Integer() const;
  double Number() const;

 private:
  const nlohmann::json* value_;
  const std::string* file_;
  std::string path_;
};

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_FIELD_H_
