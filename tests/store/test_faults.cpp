#include <ATen/ops/equal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sched.h>

#include <functional>
#include <optional>
#include <thread>

#include "fault_injection.hpp"
#include "sample.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/store/seal.hpp"

namespace seawall {
namespace {

using namespace testing;
namespace fs = std::filesystem;

/// Five tensors make three files.
constexpr std::uint64_t two_tensors_a_file = (1 << 16) + 2 * 4200;

/// What a process does between two checkpoints: resume, five steps, publish, save.
void go_on(const fs::path& out) {
  const RunPaths paths(out);
  const RunLock lock(paths.lock);
  const auto loaded = load_checkpoint(paths.checkpoints);
  auto run = RunFile::resume(out, sample_info(), loaded.state.step);
  for (auto step = loaded.state.step + 1; step <= 10; ++step) run.on_step(sample_step(step));
  run.on_evaluation(sample_evaluation(10, "plain", ProbeSet::harmfulness));
  run.publish(true);
  save_checkpoint(paths.checkpoints, sample_state(10), 1, two_tensors_a_file);
}

/// A run whose checkpoint of step 5 is published.
void begin(const fs::path& out) {
  RunFile run(out, sample_info());
  for (int step = 1; step <= 5; ++step) run.on_step(sample_step(step));
  run.publish();
  save_checkpoint(RunPaths(out).checkpoints, sample_state(5), 1, two_tensors_a_file);
  run.on_step(sample_step(6));
}

struct Ending {
  int code = -1, signal = 0;
  std::string message;
};

/// Runs `work` in a process of its own. Code: 0, or the exit code of the Error that came out.
template <class Work>
Ending in_process(Work&& work) {
  int channel[2];
  if (::pipe(channel) != 0) return {};
  const auto child = ::fork();
  if (child == 0) {
    int code = 0;
    std::string message;
    try {
      work();
    } catch (const Error& error) {
      faults::arm(0, faults::Kind::eio, false);
      code = static_cast<int>(error.exit_code());
      message = error.what();
    } catch (...) {
      code = 99;
    }
    faults::arm(0, faults::Kind::eio, false);
    if (::write(channel[1], message.data(), message.size()) < 0) code = 98;
    ::_exit(code);
  }
  ::close(channel[1]);
  Ending ending;
  char text[2048];
  for (ssize_t n = 0; (n = ::read(channel[0], text, sizeof text)) > 0;)
    ending.message.append(text, static_cast<std::size_t>(n));
  ::close(channel[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) ending.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
  return ending;
}

/// A published state is whole whatever happened, and going on from it ends as if nothing had.
void expect_recovery(const fs::path& folder, const fs::path& out, const std::string& metrics) {
  const auto before = load_checkpoint(RunPaths(out).checkpoints);
  const auto step = before.state.step;
  ASSERT_TRUE(step == 5 || step == 10);
  EXPECT_TRUE(before.skipped.empty());
  const auto expected = sample_state(step);
  for (std::size_t i = 0; i < expected.parameters.size(); ++i)
    EXPECT_TRUE(at::equal(before.state.parameters[i].tensor, expected.parameters[i].tensor));
  const auto records = read_run(RunPaths(out).file);
  ASSERT_FALSE(records.steps.empty());
  EXPECT_GE(records.steps.back().step, step);
  go_on(out);
  EXPECT_EQ(bytes_of(RunPaths(out).metrics), metrics);
  EXPECT_TRUE(read_run(RunPaths(out).file).complete);
  EXPECT_EQ(load_checkpoint(RunPaths(out).checkpoints).state.step, 10);
  EXPECT_TRUE(leftovers(folder).empty());
}

/// Memory where there is some: thousands of fsync calls on a disk take minutes.
fs::path fast_folder() {
  return ::access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : fs::temp_directory_path();
}

class Faults : public ::testing::TestWithParam<std::pair<faults::Kind, bool>> {};

TEST_P(Faults, AtEveryCallOfAPublicationLeaveAWholeRun) {
  const auto [kind, always] = GetParam();
  std::string metrics;
  long calls = 0;
  {
    const Folder folder(fast_folder());
    begin(folder / "r.h5");
    faults::arm(0, kind, false);
    go_on(folder / "r.h5");
    calls = faults::count();
    metrics = bytes_of(folder / "r.metrics.csv");
  }
  EXPECT_GE(calls, 35);
  const Folder prepared(fast_folder());
  begin(prepared / "r.h5");
  for (long k = 1; k <= calls; ++k) {
    SCOPED_TRACE("call " + std::to_string(k) + " of " + std::to_string(calls));
    const Folder folder(fast_folder());
    fs::copy(prepared.path(), folder.path(), fs::copy_options::recursive);
    const auto ending = in_process([&] {
      faults::arm(k, kind, always);
      go_on(folder / "r.h5");
    });
    if (kind == faults::Kind::kill) {
      EXPECT_EQ(ending.signal, SIGKILL);
    } else if (kind == faults::Kind::eintr || kind == faults::Kind::short_write) {
      EXPECT_EQ(ending.code, 0) << ending.message;
    } else {
      EXPECT_EQ(ending.code, 4) << ending.message << " signal " << ending.signal;
      EXPECT_NE(ending.message.find(folder.path().string()), std::string::npos) << ending.message;
    }
    expect_recovery(folder.path(), folder / "r.h5", metrics);
    if (HasFailure()) return;
  }
}

std::string name_of_fault(const ::testing::TestParamInfo<Faults::ParamType>& info) {
  constexpr const char* names[] = {"eio", "enospc", "kill", "eintr", "short_write"};
  return std::string(names[static_cast<int>(info.param.first)]) +
         (info.param.second ? "_always" : "_once");
}

INSTANTIATE_TEST_SUITE_P(
    All, Faults,
    ::testing::Values(std::pair(faults::Kind::kill, false), std::pair(faults::Kind::eio, false),
                      std::pair(faults::Kind::eio, true), std::pair(faults::Kind::enospc, false),
                      std::pair(faults::Kind::enospc, true), std::pair(faults::Kind::eintr, false),
                      std::pair(faults::Kind::short_write, true)),
    name_of_fault);

/// The files that are published next to a run, other than its checkpoints: each written whole by
/// `write` into a folder that `prepare` made.
struct Publication {
  const char* name;
  std::function<void(const fs::path&)> prepare, write;
  const char* file;
  bool cleans = false;  // what a killed one left, too: who writes there next, perhaps on another
                        // machine, cannot know that it is dead
};

void note_in(const fs::path& file) {  // as another program would
  std::string image = bytes_of(file);
  image.erase(image.rfind("\n", image.size() - 2) + 1);
  spit(file, image);
}

const std::vector<Publication>& publications() {
  static const std::vector<Publication> all = {
      {"seal",
       [](const fs::path& folder) {
         RunFile run(folder / "f.h5", sample_info());
         run.publish(true);
         note_in(folder / "f.h5");
       },
       [](const fs::path& folder) { h5::seal_again(folder / "f.h5"); }, "f.h5"},
      {"activations", [](const fs::path&) {},
       [](const fs::path& folder) {
         ActivationInfo info;
         info.layers = 2;
         info.d_model = 4;
         info.max_length = 2;
         info.prompts = 1;
         info.overwrite = true;
         ActivationWriter writer(folder / "f.h5", info);
         writer.add({"a", "c", "text", {1, 2}, at::zeros({2, 1, 4}), {}});
         writer.close();
       },
       "f.h5", true},
      {"text", [](const fs::path&) {},
       [](const fs::path& folder) { write_file_atomically(folder / "f", "whole"); }, "f"}};
  return all;
}

class OtherFiles : public ::testing::TestWithParam<std::size_t> {};

/// A file that fails to be written is as it was: whole, or not there.
TEST_P(OtherFiles, AtEveryCallAreWholeOrAsTheyWere) {
  const Publication& publication = publications()[GetParam()];
  const auto content = [&](const fs::path& folder) {
    const auto file = folder / publication.file;
    return fs::exists(file) ? std::optional(bytes_of(file)) : std::nullopt;
  };
  std::optional<std::string> before, after;
  long calls = 0;
  {
    const Folder folder(fast_folder());
    publication.prepare(folder.path());
    before = content(folder.path());
    faults::arm(0, faults::Kind::eio, false);
    publication.write(folder.path());
    calls = faults::count();
    after = content(folder.path());
  }
  ASSERT_TRUE(after.has_value());
  ASSERT_GE(calls, 4) << publication.name;
  for (const auto kind : {faults::Kind::kill, faults::Kind::eio, faults::Kind::enospc})
    for (long k = 1; k <= calls; ++k) {
      SCOPED_TRACE(std::string(publication.name) + ", call " + std::to_string(k));
      const Folder folder(fast_folder());
      publication.prepare(folder.path());
      const auto here = content(folder.path());
      const auto ending = in_process([&] {
        faults::arm(k, kind, false);
        publication.write(folder.path());
      });
      EXPECT_EQ(kind == faults::Kind::kill ? ending.signal : ending.code,
                kind == faults::Kind::kill ? SIGKILL : 4)
          << ending.message;
      const auto now = content(folder.path());
      const bool whole = now.has_value() && now->size() == after->size();
      EXPECT_TRUE(now == here || whole);
      publication.write(folder.path());  // goes on as if nothing had happened
      EXPECT_EQ(content(folder.path())->size(), after->size());
      if (publication.cleans || kind != faults::Kind::kill) {
        EXPECT_TRUE(leftovers(folder.path()).empty());
      }
      if (HasFailure()) return;
    }
}

INSTANTIATE_TEST_SUITE_P(All, OtherFiles, ::testing::Values(0, 1, 2), [](const auto& info) {
  return std::string(publications()[info.param].name);
});

/// What a loss of power leaves is what was synced before it: a file before its new name, the
/// folder after it, the manifest last, and nothing older removed before that.
TEST(Durability, FilesAreSyncedBeforeTheyHaveTheirNames) {
  const Folder folder;
  begin(folder / "r.h5");
  const auto done = faults::recorded([&] { go_on(folder / "r.h5"); });
  const auto at = [&](std::size_t from, const auto& wanted) {
    for (std::size_t i = from; i < done.size(); ++i)
      if (wanted(done[i])) return i;
    return done.size();
  };
  std::size_t renames = 0;
  for (std::size_t i = 0; i < done.size(); ++i) {
    const auto& now = done[i];
    if (now.what != "rename" || now.to.ends_with("latest")) continue;
    if (now.to.find(".tmp-") != std::string::npos) continue;  // on its way to be removed
    ++renames;
    SCOPED_TRACE(now.path + " -> " + now.to);
    const auto last_write = [&] {  // of the file, or of a file in the folder
      std::size_t last = 0;
      for (std::size_t w = 0; w < i; ++w)
        if (done[w].what == "write" && done[w].path.starts_with(now.path)) last = w + 1;
      return last;
    }();
    const auto synced = at(last_write, [&](const auto& one) {
      return one.what == "fsync" && one.path.starts_with(now.path);
    });
    EXPECT_LT(synced, i) << "named before its content is on the disk";
    const auto parent = fs::path(now.to).parent_path().string();
    EXPECT_LT(at(i, [&](const auto& one) { return one.what == "fsync" && one.path == parent; }),
              done.size())
        << "the folder is not synced after it";
  }
  EXPECT_GE(renames, 3u);
  std::size_t manifest = 0, last_state = 0, named = 0;
  for (std::size_t i = 0; i < done.size(); ++i) {
    if (done[i].what == "write" && done[i].path.find("/manifest.json") != std::string::npos)
      manifest = i;
    if (done[i].what == "write" && done[i].path.find("/state") != std::string::npos) last_state = i;
    if (done[i].what == "rename" && done[i].to.ends_with("step-10")) named = i;
  }
  EXPECT_LT(last_state, manifest);
  EXPECT_LT(manifest, named);
}

TEST(FullDisk, NamesPathNeedAndFreeSpace) {
  const Folder folder;
  constexpr int no_namespace = 77;
  const auto ending = in_process([&] {
    const auto mounted = folder.path().string();
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=2m") != 0)
      ::_exit(no_namespace);
    auto state = sample_state(1);
    save_checkpoint(folder / "c", state, 1);
    state.step = 2;
    state.parameters.push_back({"large", at::zeros({1 << 20})});
    try {
      save_checkpoint(folder / "c", state, 1);
    } catch (const IoError&) {
      if (load_checkpoint(folder / "c").state.step != 1) ::_exit(50);
      if (!leftovers(folder.path()).empty()) ::_exit(51);
      throw;
    }
  });
  if (ending.code == no_namespace) GTEST_SKIP() << "needs root: no mount namespace of its own";
  EXPECT_EQ(ending.code, 4) << ending.message;
  EXPECT_NE(
      ending.message.find("state.h5: cannot write the file: No space left on device: want 4.0 "
                          "MiB, "),
      std::string::npos)
      << ending.message;
  EXPECT_NE(ending.message.find(" MiB are free; free some space"), std::string::npos);
}

TEST(RunLock, OfTwentyAtOnceOneWins) {
  const Folder folder;
  for (int round = 0; round < 20; ++round) {
    const auto path = folder / ("r" + std::to_string(round) + ".lock");
    std::atomic<int> won = 0, lost = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        try {
          const RunLock lock(path);
          ++won;
          while (won + lost < 4) std::this_thread::yield();
        } catch (const IoError&) {
          ++lost;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(lost, 3);
  }
}

TEST(RunLock, OneThatWaitsComesNextOrGivesUp) {
  const Folder folder;
  auto first = std::make_unique<RunLock>(folder / "r.lock");
  int asked = 0;
  const RunLock second(folder / "r.lock", [&] {
    if (++asked == 3) first.reset();
  });
  EXPECT_EQ(asked, 3);
  EXPECT_THROW(RunLock(folder / "r.lock", [] { throw DataError("no more"); }), DataError);
  EXPECT_THROW(const RunLock third(folder / "r.lock"), IoError) << "the second has it";
}

TEST(RunLock, OfAKilledProcessDoesNotBlock) {
  const Folder folder;
  const auto ending = in_process([&] {
    const RunLock lock(folder / "r.lock");
    ::raise(SIGKILL);
  });
  EXPECT_EQ(ending.signal, SIGKILL);
  ASSERT_TRUE(fs::exists(folder / "r.lock"));
  const RunLock lock(folder / "r.lock");
}

}  // namespace
}  // namespace seawall
