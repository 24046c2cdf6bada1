// Work that may crash, hang or take all memory, each piece in a child process of its own.
//
// The limits keep a mistake from spreading. They are no sandbox: a child can do what its user can.
#ifndef BNBENCH_CHILDREN_H_
#define BNBENCH_CHILDREN_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace bnbench {

// The processors this process may use, at least 1.
int NumProcessors();

struct ChildLimits {
  double seconds = 600;           // of wall-clock time
  std::size_t memory_bytes = 0;   // of addresses beyond those this process has; 0: no limit
  std::size_t answer_bytes = 64;  // the longest answer
};

// What came of a piece of work.
struct ChildEnd {
  std::string answer;   // what the work returned; empty if it failed
  std::string failure;  // what was got instead of an answer; empty if it did not fail
};

// What is done for piece `i` of the work: `begin` and `take` by this process, `work` by a child.
struct ChildWork {
  // What the child is to be told; nothing if the piece is not to be done.
  std::function<std::optional<std::string>(std::size_t i)> begin;
  std::function<std::string(std::size_t i, const std::string& request)> work;
  std::function<void(std::size_t i, ChildEnd end)> take;
  // Whether a child does piece after piece. One that fails is done again in a fresh child, so that
  // no piece pays for those before it.
  bool is_shared = false;
};

// Does the pieces 0, ..., count - 1, `at_a_time` of them side by side, or fewer if the system
// starts no more processes. A child's standard streams are /dev/null, and it can write nothing to
// files. Returns early, with all children ended, once `*stop` is not 0; `stop` may be null. The
// process that calls this must have one thread.
void ForEachInChild(std::size_t count, int at_a_time, const ChildLimits& limits,
                    const ChildWork& work, const std::atomic<int>* stop = nullptr);

}  // namespace bnbench

#endif  // BNBENCH_CHILDREN_H_
