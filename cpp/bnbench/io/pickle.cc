#include "bnbench/io/pickle.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "bnbench/errors.h"

namespace bnbench {
namespace {

// Bytes of a value by the name of its storage; others take at least one.
constexpr std::array<std::pair<std::string_view, std::size_t>, 11> kValueBytes = {{
    {"DoubleStorage", 8},
    {"LongStorage", 8},
    {"ComplexFloatStorage", 8},
    {"ComplexDoubleStorage", 16},
    {"FloatStorage", 4},
    {"IntStorage", 4},
    {"QInt32Storage", 4},
    {"HalfStorage", 2},
    {"BFloat16Storage", 2},
    {"ShortStorage", 2},
    {"ByteStorage", 1},
}};

// Longer ones are no keys, and could fill the memory by being remembered again and again.
constexpr std::size_t kMaxTextBytes = 64;

// A value that a reference to a storage can hold; others are of no interest.
struct Value {
  std::string text;  // a string, or the name of a global; empty if it is too long
  std::optional<std::uint64_t> number;
};

class Scanner {
 public:
  Scanner(std::string_view pickle, const std::string& name) : left_(pickle), name_(name) {}

  std::vector<StoredTensor> Run() {
    while (Step()) {
    }
    return std::move(tensors_);
  }

 private:
  [[noreturn]] void Fail(const std::string& got) const {
    throw ModelError(name_, "a pickle as torch writes it", got, "do not use it");
  }

  std::string_view Take(std::size_t size) {
    if (size > left_.size()) Fail("one that is cut");
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  std::uint64_t TakeNumber(std::size_t size) {
    std::uint64_t number = 0;
    const std::string_view bytes = Take(size);
    for (std::size_t i = size; i-- > 0;) {
      number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
    }
    return number;
  }

  std::string_view TakeLine() {
    const std::size_t end = left_.find('\n');
    if (end == std::string_view::npos) Fail("one that is cut");
    const std::string_view line = Take(end);
    Take(1);
    return line;
  }

  void Push(Value value) {
    if (in_group_) group_.push_back(value);
    last_ = std::move(value);
  }

  void PushText(std::string_view text) {
    Push({std::string(text.size() > kMaxTextBytes ? std::string_view() : text), {}});
  }

  void PushNumber(std::uint64_t number) { Push({{}, number}); }

  // Any number that is negative or longer is none of a size.
  void PushLong(std::size_t size) {
    if (size > sizeof(std::uint64_t)) {
      Take(size);
      return Push({});
    }
    PushNumber(TakeNumber(size));
  }

  void PushRemembered(std::uint64_t index) {
    const auto found = memo_.find(index);
    Push(found == memo_.end() ? Value{} : found->second);
  }

  // A reference is the tuple ("storage", type, key, device, number of values).
  void TakeReference() {
    if (!is_tuple_ || group_.size() != 5 || group_[2].text.empty() || !group_[4].number) {
      Fail("a reference of another form");
    }
    std::size_t size = 1;
    for (const auto& [type, bytes] : kValueBytes) {
      if (group_[1].text == type) size = bytes;
    }
    const std::uint64_t count = *group_[4].number;
    if (count > std::numeric_limits<std::size_t>::max() / size) Fail("a tensor beyond any memory");
    tensors_.push_back({group_[2].text, static_cast<std::size_t>(count) * size});
  }

  // One instruction; returns whether there are more. Names are those of Python's pickletools.
  bool Step() {
    const char code = Take(1)[0];
    const bool was_tuple = std::exchange(is_tuple_, false);
    switch (code) {
      case '(':  // MARK
        group_.clear();
        in_group_ = true;
        last_ = {};
        return true;
      case 't':  // TUPLE
        is_tuple_ = in_group_;
        in_group_ = false;
        last_ = {};
        return true;
      case 'Q':  // BINPERSID
        is_tuple_ = was_tuple;
        TakeReference();
        is_tuple_ = false;
        return true;
      case 'q':  // BINPUT
        memo_[TakeNumber(1)] = last_;
        is_tuple_ = was_tuple;
        return true;
      case 'r':  // LONG_BINPUT
        memo_[TakeNumber(4)] = last_;
        is_tuple_ = was_tuple;
        return true;
      case 'h':  // BINGET
        PushRemembered(TakeNumber(1));
        return true;
      case 'j':  // LONG_BINGET
        PushRemembered(TakeNumber(4));
        return true;
      case 'X':  // BINUNICODE
        PushText(Take(TakeNumber(4)));
        return true;
      case 'c':  // GLOBAL
        TakeLine();
        PushText(TakeLine());
        return true;
      case 'K':  // BININT1
        PushNumber(TakeNumber(1));
        return true;
      case 'M':  // BININT2
        PushNumber(TakeNumber(2));
        return true;
      case 'J': {  // BININT
        const auto number = static_cast<std::int32_t>(TakeNumber(4));
        Push(number < 0 ? Value{} : Value{{}, static_cast<std::uint64_t>(number)});
        return true;
      }
      case '\x8a':  // LONG1
        PushLong(TakeNumber(1));
        return true;
      default:
        in_group_ = false;
        last_ = {};
        return SkipOther(code);
    }
  }

  bool SkipOther(char code) {
    switch (code) {
      case '.':  // STOP
        return false;
      case '\x80':  // PROTO
        Take(1);
        return true;
      case 'G':  // BINFLOAT
        Take(8);
        return true;
      case 'U':     // SHORT_BINSTRING
      case 'C':     // SHORT_BINBYTES
      case '\x8c':  // SHORT_BINUNICODE
        Take(TakeNumber(1));
        return true;
      case 'T':  // BINSTRING
      case 'B':  // BINBYTES
        Take(TakeNumber(4));
        return true;
      default:
        break;
    }
    // EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT, NONE, NEWTRUE, NEWFALSE, REDUCE, TUPLE1 to TUPLE3,
    // APPEND, APPENDS, SETITEM, SETITEMS, BUILD, NEWOBJ
    constexpr std::string_view kWithoutArgument =
        ")]}N\x88\x89R\x85\x86\x87"
        "aesub\x81";
    if (kWithoutArgument.find(code) != std::string_view::npos) return true;
    Fail("instruction " + std::to_string(static_cast<std::uint8_t>(code)));
  }

  std::string_view left_;
  const std::string& name_;
  std::vector<StoredTensor> tensors_;
  std::unordered_map<std::uint64_t, Value> memo_;
  std::vector<Value> group_;  // what was pushed since the last mark
  bool in_group_ = false;     // whether that is all that was pushed
  bool is_tuple_ = false;     // whether the group is the tuple on top of the stack
  Value last_;
};

}  // namespace

std::vector<StoredTensor> ListStoredTensors(std::string_view pickle, const std::string& name) {
  return Scanner(pickle, name).Run();
}

}  // namespace bnbench
