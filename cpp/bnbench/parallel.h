// Independent work on several threads.
#ifndef BNBENCH_PARALLEL_H_
#define BNBENCH_PARALLEL_H_

#include <cstddef>
#include <functional>

namespace bnbench {

// The processors this process may use, at least 1.
int NumProcessors();

// Calls body(0), ..., body(count - 1), each once, on `threads` threads of their own, each of which
// takes the next that is left; `prepare` is called first on each of them. Returns when all is done.
// If a call throws, nothing new is begun and one of the exceptions is thrown here.
void ForEachInParallel(std::size_t count, int threads, const std::function<void()>& prepare,
                       const std::function<void(std::size_t)>& body);

}  // namespace bnbench

#endif  // BNBENCH_PARALLEL_H_
