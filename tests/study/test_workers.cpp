// Arms as processes, and short tasks on forked ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/study/tasks.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

using testing::Folder;

TEST(Workers, EveryTaskIsDoneOnceAndAFailureComesBack) {
  const auto name = [](std::size_t i) { return "task " + std::to_string(i); };
  const auto letter = [](std::size_t i) { return std::string(64, static_cast<char>('a' + i)); };
  std::vector<std::string> hashes;
  const WorkOptions options{.what = "test", .workers = 3, .quiet = true};
  EXPECT_EQ(hash_tasks(20, options, letter, name, hashes), 0);
  ASSERT_EQ(hashes.size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(hashes[i], letter(i));
  const auto failing = [](std::size_t i) {
    if (i == 3) throw DataError("nothing there");
  };
  EXPECT_EQ(run_tasks(5, options, failing, name), 3);
}

TEST(Programs, EachHasACardAndTheyShareThemInTurn) {
  const Folder folder;
  WorkOptions options{.what = "test", .workers = 4, .quiet = true, .program = "/bin/sh"};
  options.cards = {"0", "GPU-7f"};
  // All four are there before one ends, so that each has a place of its own.
  const std::string script =
      "cd '" + folder.path().string() +
      "'; echo $CUDA_VISIBLE_DEVICES > card-$1; touch began-$1; while [ $(ls "
      "began-* | wc -l) -lt 4 ]; do sleep 0.01; done";
  EXPECT_EQ(run_programs(
                4, options,
                [&](std::size_t i) {
                  return std::vector<std::string>{"-c", script, "sh", std::to_string(i)};
                },
                [](std::size_t i) { return std::to_string(i); }),
            0);
  std::multiset<std::string> cards;
  for (int i = 0; i < 4; ++i) cards.insert(folder.read("card-" + std::to_string(i)));
  EXPECT_EQ(cards.count("0\n"), 2u);
  EXPECT_EQ(cards.count("GPU-7f\n"), 2u);
}

TEST(Programs, TheCardsAreThoseThatTheVariableNames) {
  ::setenv("CUDA_VISIBLE_DEVICES", "2,GPU-7f", 1);
  EXPECT_EQ(visible_cards(), (std::vector<std::string>{"2", "GPU-7f"}));
  ::setenv("CUDA_VISIBLE_DEVICES", "0,-1,1", 1);
  EXPECT_EQ(visible_cards(), std::vector<std::string>{"0"});
  ::setenv("CUDA_VISIBLE_DEVICES", "", 1);
  EXPECT_TRUE(visible_cards().empty());
  ::unsetenv("CUDA_VISIBLE_DEVICES");
}

TEST(Programs, EachTaskIsAProcessAndAFailureComesBack) {
  const Folder folder;
  WorkOptions options{.what = "test", .workers = 3, .quiet = true, .program = "/bin/sh"};
  const auto name = [](std::size_t i) { return "task " + std::to_string(i); };
  const auto script = [&](const std::string& text) {
    return std::vector<std::string>{"-c", "cd '" + folder.path().string() + "'; " + text};
  };
  EXPECT_EQ(run_programs(
                20, options,
                [&](std::size_t i) {
                  return i == 7 ? std::vector<std::string>{}  // done already
                                : script("echo $$ > " + std::to_string(i));
                },
                name),
            0);
  std::set<std::string> processes;
  for (int i = 0; i < 20; ++i) {
    if (i == 7) continue;
    EXPECT_TRUE(fs::exists(folder / std::to_string(i))) << i;
    processes.insert(folder.read(std::to_string(i)));
  }
  EXPECT_EQ(processes.size(), 19u);
  EXPECT_FALSE(fs::exists(folder / "7"));

  // The first failure comes back, said under its name, and the others have their turn.
  options.workers = 1;
  ::testing::internal::CaptureStderr();
  int code = run_programs(
      5, options,
      [&](std::size_t i) {
        return script(i == 1 || i == 3
                          ? "echo 'seawall: the disk is full' >&2; exit " + std::to_string(3 + i)
                          : "touch began-" + std::to_string(i));
      },
      name);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "seawall: task 1: the disk is full\nseawall: task 3: the disk is full\n");
  EXPECT_EQ(code, 4);
  for (const int i : {0, 2, 4}) EXPECT_TRUE(fs::exists(folder / ("began-" + std::to_string(i))));
  // Three one after the other have one cause.
  ::testing::internal::CaptureStderr();
  code = run_programs(
      9, options,
      [&](std::size_t i) { return script(i >= 2 ? "exit 3" : "touch then-" + std::to_string(i)); },
      name);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(said, '\n'), 3) << said;
  EXPECT_EQ(code, 3);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_programs(
                1, options, [&](std::size_t) { return script("kill -9 $$"); }, name),
            128 + 9);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "seawall: task 0: it ended with exit code 137\n");
}

TEST(Programs, ASignalEndsThemWithoutAWord) {
  WorkOptions options{.what = "test", .workers = 2, .quiet = true, .program = "/bin/sh"};
  int asked = 0;
  options.stopped = [&] { return ++asked > 3 ? SIGINT : 0; };
  const auto before = std::chrono::steady_clock::now();
  ::testing::internal::CaptureStderr();
  const int code = run_programs(
      5, options,
      [](std::size_t) {
        return std::vector<std::string>{"-c", "echo 'seawall: working' >&2; exec sleep 60"};
      },
      [](std::size_t i) { return "task " + std::to_string(i); });
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, 128 + SIGINT);
  EXPECT_EQ(said.find("ended with"), std::string::npos) << said;
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
}

}  // namespace
}  // namespace seawall
