// Text from a file, in a form that an error may show.
#ifndef BNBENCH_PORTABLE_PRINTABLE_H_
#define BNBENCH_PORTABLE_PRINTABLE_H_

#include <algorithm>
#include <string>
#include <string_view>

namespace bnbench::pt2 {

// `text` in printable ASCII, cut after 80 characters.
inline std::string Printable(std::string_view text) {
  constexpr std::size_t kMax = 80;
  std::string result(text.substr(0, kMax));
  std::ranges::replace_if(
      result, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text.size() > kMax ? result + "..." : result;
}

}  // namespace bnbench::pt2

#endif  // BNBENCH_PORTABLE_PRINTABLE_H_
