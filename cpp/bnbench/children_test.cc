#include "bnbench/children.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "bnbench/sanitizers.h"
#include "tests/fixtures.h"

using bnbench::ChildEnd;
using bnbench::ChildLimits;
using bnbench::ForEachInChild;
using bnbench::testing::Contains;
using bnbench::testing::TemporaryFolder;

namespace {

using Work = std::function<std::string(std::size_t)>;

constexpr ChildLimits kLimits{.seconds = 60, .answer_bytes = 1 << 20};

std::vector<ChildEnd> RunAll(std::size_t count, int at_a_time, const Work& work,
                             const ChildLimits& limits = kLimits, bool is_shared = false) {
  std::vector<ChildEnd> ends(count);
  ForEachInChild(count, at_a_time, limits,
                 {[](std::size_t) { return std::string(); },
                  [&](std::size_t i, const std::string&) { return work(i); },
                  [&](std::size_t i, ChildEnd end) {
                    CHECK(ends[i].answer.empty());
                    CHECK(ends[i].failure.empty());
                    ends[i] = std::move(end);
                  },
                  is_shared});
  return ends;
}

ChildEnd RunOne(const Work& work, const ChildLimits& limits = kLimits) {
  return RunAll(1, 1, work, limits)[0];
}

int Recurse(volatile const char* above) {
  volatile char here[4096];
  here[0] = *above;
  return here[0] == 'y' ? 0 : Recurse(here) + here[0];
}

}  // namespace

TEST_CASE("every piece of work is done once and its answer is given whole") {
  for (const int at_a_time : {1, 2, 7}) {
    const std::vector<ChildEnd> ends =
        RunAll(10, at_a_time, [](std::size_t i) { return std::string(i * 100'000, 'x'); });
    for (std::size_t i = 0; i < 10; ++i) {
      CHECK(ends[i].failure.empty());
      CHECK(ends[i].answer == std::string(i * 100'000, 'x'));
    }
  }
}

TEST_CASE("a piece that is not wanted has no child") {
  int taken = 0;
  ForEachInChild(3, 2, kLimits,
                 {[](std::size_t i) -> std::optional<std::string> {
                    if (i == 1) return std::nullopt;
                    return std::string(i, 'r');
                  },
                  [](std::size_t, const std::string& request) { return "done " + request; },
                  [&](std::size_t i, const ChildEnd& end) {
                    CHECK(i != 1);
                    CHECK(end.answer == "done " + std::string(i, 'r'));
                    ++taken;
                  }});
  CHECK(taken == 2);
}

TEST_CASE("without work nothing is called") {
  CHECK(RunAll(0, 3, [](std::size_t) { return ""; }).empty());
}

TEST_CASE("a child that ends in any way is a failure of its own and no other's") {
  for (const bool is_shared : {false, true}) {
    const auto work = [](std::size_t i) -> std::string {
      if (i == 1) raise(SIGKILL);
      if (i == 2) throw std::runtime_error("so it is");
      if (i == 3) throw std::bad_alloc();
      if (i == 4) _exit(3);
      if (i == 5) throw 5;
      return "well";
    };
    const std::vector<ChildEnd> ends = RunAll(8, 2, work, kLimits, is_shared);
    for (const std::size_t i : {0U, 6U, 7U}) CHECK(ends[i].answer == "well");
    CHECK(Contains(ends[1].failure, "signal 9 ("));
    CHECK(ends[2].failure == "so it is");
    CHECK(ends[3].failure == "not enough memory");
    CHECK(ends[4].failure == "exit code 3 without an answer");
    CHECK(ends[5].failure == "an unknown exception");
    for (std::size_t i = 1; i < 6; ++i) CHECK(ends[i].answer.empty());
  }
}

TEST_CASE("a piece that fails only after another is done again in a fresh child") {
  static int num_before = 0;
  const auto work = [](std::size_t) -> std::string {
    if (num_before++ > 0) raise(SIGKILL);
    return "well";
  };
  for (const int at_a_time : {1, 2}) {
    for (const ChildEnd& end : RunAll(5, at_a_time, work, kLimits, true)) {
      CHECK(end.answer == "well");
    }
  }
}

TEST_CASE("a shared child does piece after piece, others have a child each") {
  for (const bool is_shared : {false, true}) {
    const auto work = [](std::size_t) { return std::to_string(getpid()); };
    const std::vector<ChildEnd> ends = RunAll(3, 1, work, kLimits, is_shared);
    CHECK((ends[0].answer == ends[1].answer) == is_shared);
    CHECK((ends[1].answer == ends[2].answer) == is_shared);
    CHECK(ends[0].answer != std::to_string(getpid()));
  }
}

TEST_CASE("a stack that overflows ends the child alone") {
  if (bnbench::kIsSanitized) return;
  const ChildEnd end = RunOne([](std::size_t) { return std::to_string(Recurse("x")); });
  CHECK(Contains(end.failure, "signal 11 ("));
}

TEST_CASE("a child gets no more memory than it may have") {
  if (bnbench::kIsSanitized) return;
  ChildLimits limits = kLimits;
  limits.memory_bytes = std::size_t{64} << 20;
  const auto take = [](std::size_t) {
    return std::string(std::size_t{100} << 20, 'x').substr(0, 1);
  };
  CHECK(RunOne(take, limits).failure == "not enough memory");
  limits.memory_bytes = std::size_t{256} << 20;
  CHECK(RunOne(take, limits).answer == "x");
}

TEST_CASE("a child that does not end is ended when its time is over") {
  ChildLimits limits = kLimits;
  limits.seconds = 0.25;
  const ChildEnd end = RunOne(
      [](std::size_t) -> std::string {
        while (true) pause();
      },
      limits);
  CHECK(end.failure == "no end within 0.25 s");
}

TEST_CASE("an answer above the limit is malformed") {
  ChildLimits limits = kLimits;
  limits.answer_bytes = 10;
  CHECK(RunOne([](std::size_t) { return std::string(10, 'x'); }, limits).failure.empty());
  CHECK(RunOne([](std::size_t) { return std::string(11, 'x'); }, limits).failure ==
        "an answer that is malformed");
}

TEST_CASE("what a child prints goes nowhere, and it fills no file") {
  const TemporaryFolder folder;
  const std::string path = folder.File("written");
  const ChildEnd end = RunOne([&](std::size_t) -> std::string {
    std::printf("printed by a child\n");
    std::fflush(stdout);
    std::ofstream stream(path);
    stream << "written by a child" << std::flush;
    return stream ? "written" : "refused";
  });
  CHECK(end.answer == "refused");
  CHECK(std::filesystem::file_size(path) == 0);
}

TEST_CASE("a child can't answer for long after its parent wants to stop") {
  std::atomic<int> stop{0};
  std::size_t taken = 0;
  ForEachInChild(5, 1, kLimits,
                 {[](std::size_t) { return std::string(); },
                  [](std::size_t, const std::string&) { return "done"; },
                  [&](std::size_t, const ChildEnd&) {
                    ++taken;
                    stop = SIGTERM;
                  }},
                 &stop);
  CHECK(taken == 1);
}

#ifdef __linux__
TEST_CASE("a child ends with its parent, however that ends") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  RunOne([&](std::size_t) -> std::string {
    // The child of this child holds the other end of the pipe.
    RunOne([](std::size_t) -> std::string {
      kill(getppid(), SIGKILL);
      while (true) pause();
    });
    return "";
  });
  close(ends[1]);
  pollfd closed{ends[0], POLLIN, 0};
  CHECK(poll(&closed, 1, 30'000) == 1);
  close(ends[0]);
}
#endif

TEST_CASE("without processes every piece of work is a failure") {
  const ChildEnd end = RunOne([](std::size_t) -> std::string {
    // The limit does not hold for root.
    if (geteuid() == 0 && setuid(65534) != 0) return "skipped";
    const rlimit none{0, 0};
    setrlimit(RLIMIT_NPROC, &none);
    std::string failures;
    for (const ChildEnd& inner : RunAll(2, 256, [](std::size_t) { return "done"; })) {
      failures += inner.failure + ";";
    }
    return failures;
  });
  if (end.answer == "skipped") return;
  const std::string expected = "no process for it (Resource temporarily unavailable);";
  CHECK(end.answer == expected + expected);
}

TEST_CASE("processes that can't start are done without") {
  // One that is busy, a limit that leaves no room for a second: both pieces are done one by one.
  const ChildEnd end = RunOne([](std::size_t) -> std::string {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    // Room for one pair of sockets: 0 to 2, the socket to the parent, and two more.
    int next = dup(0);
    close(next);
    files.rlim_cur = static_cast<rlim_t>(next + 2);
    setrlimit(RLIMIT_NOFILE, &files);
    std::string answers;
    for (const ChildEnd& inner : RunAll(5, 256, [](std::size_t i) { return std::to_string(i); })) {
      answers += inner.answer + inner.failure + ";";
    }
    return answers;
  });
  CHECK(end.answer == "0;1;2;3;4;");
}

TEST_CASE("there is at least one processor") { CHECK(bnbench::NumProcessors() >= 1); }
