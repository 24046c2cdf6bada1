// Reads a whole file at once, so that the bytes that were hashed are the bytes that are used.
#ifndef BNBENCH_IO_FILE_H_
#define BNBENCH_IO_FILE_H_

#include <cstddef>
#include <string>

namespace bnbench {

// A file opened for reading, closed at the end.
class Descriptor {
 public:
  // Without waiting for the other end of a pipe.
  explicit Descriptor(const std::string& path);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
  int error_;
  friend std::string FindProblem(const Descriptor& file, std::size_t max_bytes, std::size_t* size);
};

// What is open instead of a regular file with 1 to `max_bytes` bytes; empty if it is one, and then
// `*size` is its size.
std::string FindProblem(const Descriptor& file, std::size_t max_bytes, std::size_t* size);

// Returns the bytes of the regular file at `path`. On failure the result is empty and `*problem`
// says what was found instead ("nothing there", "a folder", "an empty file", ...). Files above
// `max_bytes` are refused before they are read.
std::string TryReadFile(const std::string& path, std::size_t max_bytes, std::string* problem);

// The same, but throws FileError, a DataError or a ModelError, saying that `expected` was expected.
template <class FileError>
std::string ReadFile(const std::string& path, std::size_t max_bytes, const std::string& expected,
                     const std::string& advice = "") {
  std::string problem;
  std::string bytes = TryReadFile(path, max_bytes, &problem);
  if (!problem.empty()) throw FileError(path, expected, problem, advice);
  return bytes;
}

}  // namespace bnbench

#endif  // BNBENCH_IO_FILE_H_
