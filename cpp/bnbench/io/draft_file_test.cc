#include "bnbench/io/draft_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "bnbench/errors.h"
#include "tests/fixtures.h"

using bnbench::DraftFile;
using bnbench::UsageError;
using bnbench::testing::TemporaryFolder;

namespace fs = std::filesystem;

namespace {

std::ptrdiff_t CountFiles(const TemporaryFolder& folder) {
  return std::distance(fs::directory_iterator(folder.path()), {});
}

}  // namespace

TEST_CASE("a file is at its path once it is committed, and is like any new file") {
  const TemporaryFolder folder;
  const mode_t mask = umask(022);
  DraftFile file(folder.File("a.npy"));
  umask(mask);
  file.WriteAt(2, "cd");
  file.WriteAt(0, "ab");
  CHECK_FALSE(fs::exists(folder.File("a.npy")));
  file.Commit();
  CHECK(folder.Read("a.npy") == "abcd");
  CHECK(static_cast<unsigned>(fs::status(folder.File("a.npy")).permissions()) == 0644);
  CHECK(CountFiles(folder) == 1);
}

TEST_CASE("without a commit the old file stays and nothing else is left") {
  const TemporaryFolder folder;
  folder.Write("a.npy", "old");
  { DraftFile(folder.File("a.npy")).WriteAt(0, "new"); }
  CHECK(folder.Read("a.npy") == "old");
  CHECK(CountFiles(folder) == 1);
}

TEST_CASE("two drafts of one file are two files, also in processes of one number") {
  const TemporaryFolder folder;
  DraftFile first(folder.File("a.npy"));
  DraftFile second(folder.File("a.npy"));
  first.WriteAt(0, "first");
  second.WriteAt(0, "2nd");
  first.Commit();
  CHECK(folder.Read("a.npy") == "first");
  second.Commit();
  CHECK(folder.Read("a.npy") == "2nd");
}

TEST_CASE("a name may be as long as names can be") {
  const TemporaryFolder folder;
  const std::string name = std::string(251, 'x') + ".npy";
  DraftFile file(folder.File(name));
  file.WriteAt(0, "a");
  file.Commit();
  CHECK(folder.Read(name) == "a");
  DraftFile longer(folder.File("x" + name));
  CHECK_THROWS_AS(longer.Commit(), bnbench::InternalError);
}

TEST_CASE("a symbolic link is refused, whether it points to a file or to nothing") {
  const TemporaryFolder folder;
  folder.Write("target", "old");
  for (const char* target : {"target", "none"}) {
    fs::remove(folder.File("link.npy"));
    fs::create_symlink(folder.File(target), folder.File("link.npy"));
    CHECK_THROWS_WITH_AS(DraftFile(folder.File("link.npy")), doctest::Contains("a symbolic link"),
                         UsageError);
  }
  CHECK(folder.Read("target") == "old");
  CHECK(CountFiles(folder) == 2);
}

TEST_CASE("a folder or a place in none is refused") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(DraftFile(folder.path()), UsageError);
  CHECK_THROWS_AS(DraftFile(folder.File("none/a.npy")), UsageError);
  CHECK(CountFiles(folder) == 0);
}
