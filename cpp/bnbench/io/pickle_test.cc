#include "bnbench/io/pickle.h"

#include <doctest/doctest.h>

#include <string>

#include "bnbench/errors.h"

using bnbench::ListStoredTensors;
using bnbench::ModelError;
using bnbench::StoredTensor;

namespace {

std::string Text(const std::string& text) {
  return "X" + std::string(1, static_cast<char>(text.size())) + std::string(3, '\0') + text;
}

const std::string kStart = "\x80\x02";
const std::string kStorage = Text("storage") + "q" + '\1' + "ctorch\nFloatStorage\nq" + '\2';

std::string Reference(const std::string& key, const std::string& count) {
  return "(" + kStorage + Text(key) + Text("cpu") + count + "tq" + '\3' + "Q";
}

void CheckRefused(const std::string& pickle, const char* got) {
  CAPTURE(pickle);
  CHECK_THROWS_WITH_AS(ListStoredTensors(pickle, "m.pt"), doctest::Contains(got), ModelError);
}

}  // namespace

TEST_CASE("the storages of a pickle are listed with their bytes") {
  const std::vector<StoredTensor> tensors = ListStoredTensors(
      kStart + Reference("0", std::string("K") + '\x05') + "q" + '\4' + std::string("(h\1h\2", 5) +
          Text("7") + Text("cpu") + std::string("M\0\1tQ", 5) + ")]}N.",
      "m.pt");
  REQUIRE(tensors.size() == 2);
  CHECK(tensors[0].key == "0");
  CHECK(tensors[0].bytes == 20);
  CHECK(tensors[1].key == "7");
  CHECK(tensors[1].bytes == 1024);
  CHECK(ListStoredTensors(kStart + "].", "m.pt").empty());
}

TEST_CASE("a pickle that is cut anywhere is refused") {
  const std::string whole = kStart + Reference("0", std::string("K") + '\x05') + ".";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_THROWS_AS(ListStoredTensors(whole.substr(0, size), "m.pt"), ModelError);
  }
}

TEST_CASE("references in another form are refused") {
  const std::string five = std::string("K") + '\x05';
  CheckRefused(kStart + "Q.", "a reference of another form");
  CheckRefused(kStart + five + "Q.", "a reference of another form");
  CheckRefused(kStart + "(" + kStorage + Text("0") + five + "tQ.", "a reference of another form");
  CheckRefused(kStart + Reference("0", Text("five")) + ".", "a reference of another form");
  CheckRefused(kStart + Reference("0", std::string("J\xff\xff\xff\xff", 5)) + ".",
               "a reference of another form");
  CheckRefused(kStart + Reference(std::string(100, '0'), five) + ".",
               "a reference of another form");
  CheckRefused(kStart + Reference("0", std::string("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", 10)),
               "a tensor beyond any memory");
  // A list between the mark and the tuple could hide what is on the stack.
  CheckRefused(kStart + "(" + kStorage + "]" + Text("0") + Text("cpu") + five + "tQ.",
               "a reference of another form");
}

TEST_CASE("instructions that torch does not write are refused by number") {
  CheckRefused(kStart + "i.", "instruction 105");
  CheckRefused(kStart + "\x94.", "instruction 148");
}
