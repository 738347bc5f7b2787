#include "seawall/study/tasks.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iomanip>
#include <limits>
#include <new>
#include <sstream>
#include <thread>

#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"

namespace seawall {
namespace {

constexpr std::size_t hash_length = 64;  // hexadecimal digits of a SHA-256

/// Memory that forked workers share with their parent.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t size) : size_(size) {
    data_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) throw IoError("cannot map memory to share with the workers");
  }
  ~SharedMemory() { munmap(data_, size_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  void* data() const { return data_; }

 private:
  void* data_;
  std::size_t size_;
};

/// What the workers share: the next task, how many are done, and the first failure.
struct Board {
  std::atomic<std::size_t> next{0}, done{0};
  std::atomic<int> failed{0};
  void fail(int code) {
    int none = 0;
    failed.compare_exchange_strong(none, code);
  }
};

[[noreturn]] void worker(std::size_t count, Board& board,
                         const std::function<void(std::size_t)>& work,
                         const std::function<std::string(std::size_t)>& name) {
  int code = 0;
  while (board.failed == 0) {
    const std::size_t i = board.next++;
    if (i >= count) break;
    std::string what;
    try {
      work(i);
      ++board.done;
    } catch (const Error& e) {
      code = static_cast<int>(e.exit_code());
      what = e.what();
    } catch (const std::exception& e) {
      code = static_cast<int>(ExitCode::internal);
      what = e.what();
    }
    if (code != 0) {
      warn("seawall: %s: %s\n", name(i).c_str(), what.substr(0, what.find('\n')).c_str());
      board.fail(code);
    }
  }
  flush_listener();
  _exit(code);  // no destructors of the parent's objects in a fork
}

}  // namespace

std::vector<GridTask> grid_tasks(const Grid& grid, std::int64_t seeds) {
  std::vector<GridTask> tasks;
  for (std::int64_t seed = 0; seed < seeds; ++seed) {
    for (const auto& arm : grid.arms) {
      std::istringstream in(arm.words);
      GridTask task{.arm = arm.name, .seed = seed, .words = {}};
      for (std::string word; in >> std::quoted(word);) task.words.push_back(word);
      const bool trains =
          std::find(task.words.begin(), task.words.end(), "--no-training") == task.words.end();
      if (!trains && seed > 0) continue;
      task.words.insert(task.words.end(), {"--seed", std::to_string(seed)});
      tasks.push_back(std::move(task));
    }
  }
  return tasks;
}

GridRun grid_run(const GridTask& task, const std::string& key) {
  std::string file = task.arm + "-seed" + std::to_string(task.seed) + "-" + key.substr(0, 8);
  std::replace(file.begin(), file.end(), '/', '_');
  return {.arm = task.arm, .seed = task.seed, .file = "arms/" + file + ".h5", .key = key};
}

Shard shard_from(const std::string& text) {
  if (text.empty()) return {};
  Shard shard;
  char slash = 0;
  std::istringstream in(text);
  if (!(in >> shard.index >> slash >> shard.count) || slash != '/' || !in.eof() ||
      text.find('-') != std::string::npos || shard.index < 1 || shard.index > shard.count)
    throw UsageError("--shard " + text + ": want i/n with 1 <= i <= n, such as 2/4");
  return shard;
}

int run_tasks(std::size_t count, const WorkOptions& options,
              const std::function<void(std::size_t)>& work,
              const std::function<std::string(std::size_t)>& name) {
  const SharedMemory memory(sizeof(Board));
  Board& board = *new (memory.data()) Board;
  flush_listener();
  std::vector<pid_t> children;
  for (std::size_t i = 0; i < std::min<std::size_t>(count, options.workers); ++i) {
    const pid_t child = fork();
    if (child < 0) {
      board.fail(static_cast<int>(ExitCode::internal));
      break;
    }
    if (child == 0) worker(count, board, work, name);
    children.push_back(child);
  }
  Progress progress(options.what, static_cast<std::int64_t>(count), options.quiet);
  while (!children.empty()) {
    for (auto child = children.begin(); child != children.end();) {
      int status = 0;
      if (waitpid(*child, &status, WNOHANG) <= 0) {
        ++child;
        continue;
      }
      if (WIFSIGNALED(status)) board.fail(128 + WTERMSIG(status));
      child = children.erase(child);
    }
    progress.update(static_cast<std::int64_t>(board.done), 0,
                    std::numeric_limits<double>::quiet_NaN());
    if (!children.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  progress.finish();
  return board.failed;
}

int hash_tasks(std::size_t count, const WorkOptions& options,
               const std::function<std::string(std::size_t)>& work,
               const std::function<std::string(std::size_t)>& name, std::vector<std::string>& out) {
  const SharedMemory memory(std::max<std::size_t>(1, count) * hash_length);
  char* hashes = static_cast<char*>(memory.data());
  const int code = run_tasks(
      count, options,
      [&](std::size_t i) {
        const std::string hash = work(i);
        std::copy_n(hash.begin(), std::min(hash_length, hash.size()), hashes + i * hash_length);
      },
      name);
  out.clear();
  for (std::size_t i = 0; i < count && code == 0; ++i)
    out.emplace_back(hashes + i * hash_length, hash_length);
  return code;
}

}  // namespace seawall
