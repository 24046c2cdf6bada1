#include "bnbench/children.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <iterator>
#include <list>
#include <new>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "bnbench/sanitizers.h"

namespace bnbench {
namespace {

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLongestPoll{500};

// What is sent is framed: a number, the size of the text, and the text. A request has the number of
// its piece, an answer one of these.
constexpr std::uint64_t kAnswer = 1;
constexpr std::uint64_t kFailure = 2;
constexpr std::size_t kHeaderWords = 2;
constexpr std::size_t kHeaderBytes = kHeaderWords * sizeof(std::uint64_t);
constexpr std::size_t kMaxFailureBytes = 1000;

using Header = std::array<std::uint64_t, kHeaderWords>;

// Both return whether all bytes went.
bool SendAll(int socket, const void* bytes, std::size_t size) {
  const char* next = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t count = send(socket, next, size, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    next += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

bool ReceiveAll(int socket, void* bytes, std::size_t size) {
  char* next = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t count = read(socket, next, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    next += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

bool SendFrame(int socket, std::uint64_t number, const std::string& text) {
  const Header header{number, text.size()};
  return SendAll(socket, header.data(), kHeaderBytes) && SendAll(socket, text.data(), text.size());
}

template <class Resource>
void Limit(Resource resource, rlim_t value) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max = std::min(limit.rlim_max, value);
  setrlimit(resource, &limit);
}

// The size of this process's addresses in bytes; 0 where the system does not say.
std::size_t AddressBytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  unsigned long pages = 0;
  const int found = std::fscanf(file, "%lu", &pages);
  std::fclose(file);
  return found == 1 ? pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

void EnterChild(const ChildLimits& limits, pid_t parent) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
#else
  static_cast<void>(parent);
#endif
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_DFL);
  signal(SIGXFSZ, SIG_IGN);  // then writing to a file is an error instead of the end
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_FSIZE, 0);
  const std::size_t addresses = AddressBytes();
  if (!kIsSanitized && limits.memory_bytes > 0 && addresses > 0) {
    Limit(RLIMIT_AS, addresses + limits.memory_bytes);
  }
  const int null = open("/dev/null", O_RDWR);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (stream == STDERR_FILENO && kIsSanitized) continue;  // for the sanitizer's report
    if (null < 0 || dup2(null, stream) < 0) close(stream);
  }
}

bool DoPiece(int socket, std::size_t index, const std::string& request, const ChildWork& work) {
  const auto fail = [&](std::string reason) {
    return SendFrame(socket, kFailure, reason.substr(0, kMaxFailureBytes));
  };
  try {
    return SendFrame(socket, kAnswer, work.work(index, request));
  } catch (const std::bad_alloc&) {
    return fail("not enough memory");
  } catch (const std::exception& error) {
    return fail(error.what());
  } catch (...) {
    return fail("an unknown exception");
  }
}

// Does what is asked for until nobody asks any more.
void DoPieces(int socket, const ChildWork& work) {
  Header header{};
  while (ReceiveAll(socket, header.data(), kHeaderBytes)) {
    std::string request(static_cast<std::size_t>(header[1]), '\0');
    if (!ReceiveAll(socket, request.data(), request.size())) return;
    if (!DoPiece(socket, static_cast<std::size_t>(header[0]), request, work)) return;
  }
}

std::string DescribeExit(int status) {
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    return "signal " + std::to_string(number) + " (" + strsignal(number) + ")";
  }
  return "exit code " + std::to_string(WEXITSTATUS(status)) + " without an answer";
}

struct Piece {
  std::size_t index = 0;
  std::string request;
};

// A child process; its end kills it.
class Child {
 public:
  Child(pid_t process, int socket) : process_(process), socket_(socket) {}
  ~Child() {
    close(socket_);
    Reap();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int socket() const { return socket_; }
  bool is_busy() const { return piece_.has_value(); }
  bool is_fresh() const { return num_pieces_ <= 1; }
  Clock::time_point deadline() const { return deadline_; }

  void Assign(Piece piece, Clock::time_point deadline) {
    ++num_pieces_;
    deadline_ = deadline;
    SendFrame(socket_, piece.index, piece.request);  // if it fails, so will reading the answer
    piece_ = std::move(piece);
  }

  // The piece that is done; the child is not busy any more.
  Piece TakePiece() {
    Piece piece = std::move(*piece_);
    piece_.reset();
    return piece;
  }

  // Reads what has come. Returns whether an answer is complete or can't come, then with `*end` set.
  bool Read(const ChildLimits& limits, ChildEnd* end) {
    std::array<char, 1 << 16> buffer;
    while (true) {
      const ssize_t count = recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
      if (count <= 0) break;
      frame_.append(buffer.data(), static_cast<std::size_t>(count));
      if (IsComplete(limits, end)) return true;
    }
    // The socket closes once the child's way of ending is settled; a signal changes it no more.
    end->failure = DescribeExit(Reap());
    return true;
  }

 private:
  bool IsComplete(const ChildLimits& limits, ChildEnd* end) {
    if (frame_.size() < kHeaderBytes) return false;
    Header header{};
    std::memcpy(header.data(), frame_.data(), kHeaderBytes);
    const auto [number, size] = header;
    const std::size_t found = frame_.size() - kHeaderBytes;
    if ((number != kAnswer || size > limits.answer_bytes) &&
        (number != kFailure || size > kMaxFailureBytes)) {
      end->failure = "an answer that is malformed";
      return true;
    }
    if (found < size) {
      frame_.reserve(kHeaderBytes + size);
      return false;
    }
    if (found > size || !is_busy()) {
      end->failure = "an answer that is malformed";
      return true;
    }
    frame_.erase(0, kHeaderBytes);
    (number == kAnswer ? end->answer : end->failure) = std::move(frame_);
    frame_.clear();
    return true;
  }

  int Reap() {
    if (process_ <= 0) return 0;
    kill(process_, SIGKILL);
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    return status;
  }

  pid_t process_;
  int socket_;
  int num_pieces_ = 0;
  std::optional<Piece> piece_;  // that it works on
  Clock::time_point deadline_;
  std::string frame_;
};

// Starts a child and returns it; null, with `errno`, if the system starts none.
Child* Start(const ChildLimits& limits, const ChildWork& work, std::list<Child>* children) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return nullptr;
  const pid_t parent = getpid();
  const pid_t process = fork();
  if (process == 0) {
    close(ends[0]);
    for (const Child& other : *children) close(other.socket());
    EnterChild(limits, parent);
    DoPieces(ends[1], work);
    _exit(0);  // what the parent had begun is not ended here
  }
  const int error = errno;
  close(ends[1]);
  if (process < 0) {
    close(ends[0]);
    errno = error;
    return nullptr;
  }
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  return &children->emplace_back(process, ends[0]);
}

// Waits until a child has something to say, or a deadline has come.
void WaitForAny(const std::list<Child>& children) {
  std::vector<pollfd> waiting;
  Clock::duration shortest = kLongestPoll;
  for (const Child& child : children) {
    waiting.push_back({child.socket(), POLLIN, 0});
    if (child.is_busy()) shortest = std::min(shortest, child.deadline() - Clock::now());
  }
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(shortest).count();
  poll(waiting.data(), waiting.size(), static_cast<int>(std::max<std::int64_t>(milliseconds, 0)));
}

std::string DescribeTime(double seconds) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "no end within %g s", seconds);
  return text.data();
}

// The pieces on their way.
class Pool {
 public:
  Pool(std::size_t count, std::size_t most, const ChildLimits& limits, const ChildWork& work)
      : count_(count), most_(most), limits_(limits), work_(work) {}

  bool IsDone() const {
    return next_ == count_ && waiting_.empty() &&
           std::ranges::none_of(children_, [](const Child& child) { return child.is_busy(); });
  }

  // Moves on by one step, of which waiting is one.
  void Step() {
    if (waiting_.empty() && next_ < count_) {
      std::optional<std::string> request = work_.begin(next_);
      if (request) waiting_.push_back({next_, std::move(*request)});
      ++next_;
      return;
    }
    if (!waiting_.empty()) {
      if (Child* const child = FindFree()) {
        const auto time = std::chrono::duration<double>(std::min(limits_.seconds, 1e9));
        child->Assign(std::move(waiting_.front()),
                      Clock::now() + std::chrono::duration_cast<Clock::duration>(time));
        waiting_.pop_front();
        return;
      }
      if (children_.empty()) {
        const std::string reason = std::strerror(errno);
        const std::size_t index = waiting_.front().index;
        waiting_.pop_front();
        work_.take(index, {"", "no process for it (" + reason + ")"});
        return;
      }
    }
    WaitForAny(children_);
    for (auto child = children_.begin(); child != children_.end();) child = Listen(child);
  }

 private:
  using Iterator = std::list<Child>::iterator;

  // A child without work; null if there is none and none can be started.
  Child* FindFree() {
    for (Child& child : children_) {
      if (!child.is_busy()) return &child;
    }
    return children_.size() < most_ ? Start(limits_, work_, &children_) : nullptr;
  }

  // Takes what a child has answered; returns the child after it.
  Iterator Listen(Iterator child) {
    ChildEnd end;
    bool has_ended = child->Read(limits_, &end);
    if (!has_ended && child->is_busy() && Clock::now() >= child->deadline()) {
      end.failure = DescribeTime(limits_.seconds);
      has_ended = true;
    }
    if (!has_ended) return std::next(child);
    std::optional<Piece> piece;
    if (child->is_busy()) piece = child->TakePiece();
    const bool is_fresh = child->is_fresh();
    const Iterator after = std::next(child);
    if (!work_.is_shared || !end.failure.empty()) children_.erase(child);
    if (!piece) return after;
    if (end.failure.empty() || is_fresh) {
      work_.take(piece->index, std::move(end));
    } else {
      waiting_.push_front(std::move(*piece));
      // The other children that have no work are not fresh either.
      children_.remove_if([](const Child& other) { return !other.is_busy(); });
      return children_.begin();
    }
    return after;
  }

  std::size_t count_;
  std::size_t most_;
  const ChildLimits& limits_;
  const ChildWork& work_;
  std::size_t next_ = 0;
  std::deque<Piece> waiting_;
  std::list<Child> children_;
};

}  // namespace

int NumProcessors() {
#ifdef __linux__
  // The standard library may count processors that this process is kept from.
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void ForEachInChild(std::size_t count, int at_a_time, const ChildLimits& limits,
                    const ChildWork& work, const std::atomic<int>* stop) {
  Pool pool(count, static_cast<std::size_t>(std::max(at_a_time, 1)), limits, work);
  while (!pool.IsDone() && (stop == nullptr || stop->load() == 0)) pool.Step();
}

}  // namespace bnbench
