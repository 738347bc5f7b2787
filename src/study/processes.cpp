// Arms of a grid as processes of their own, each of which executes the program again.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <regex>
#include <sstream>

#include "seawall/core/error.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/study/tasks.hpp"

namespace seawall {
namespace {

using Words = std::vector<std::string>;

/// Failures one after the other that have one cause, such as a full disk.
constexpr int give_up_after = 3;

/// A task that runs: its process, and what it said on stderr and is not printed yet.
struct Child {
  std::size_t task = 0, place = 0;  // place: the lowest that was free
  pid_t pid = -1;
  int errors = -1;
  std::string text;
  bool spoke = false;
};

Child start(const WorkOptions& options, const Words& words, std::size_t task, std::size_t place) {
  std::vector<char*> arguments{const_cast<char*>("seawall")};
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int channel[2];
  if (::pipe2(channel, O_CLOEXEC) != 0) throw IoError("cannot make a pipe for an arm");
  const pid_t parent = ::getpid(), pid = ::fork();
  if (pid < 0) {
    ::close(channel[0]), ::close(channel[1]);
    throw IoError("cannot start a process for an arm");
  }
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // an arm does not outlive its grid
    if (::getppid() != parent) ::_exit(static_cast<int>(ExitCode::terminated));
    ::dup2(channel[1], STDERR_FILENO);
    if (!options.cards.empty())
      ::setenv("CUDA_VISIBLE_DEVICES", options.cards[place % options.cards.size()].c_str(), 1);
    ::execv(options.program.c_str(), arguments.data());
    ::_exit(127);
  }
  ::close(channel[1]);
  ::fcntl(channel[0], F_SETFL, O_NONBLOCK);
  return {task, place, pid, channel[0], {}, false};
}

std::size_t free_place(const std::vector<Child>& children) {
  std::size_t place = 0;
  while (std::ranges::find(children, place, &Child::place) != children.end()) ++place;
  return place;
}

/// Prints the whole lines that came, under the name of the task; at the `end` what is left, too.
void speak(Child& child, const std::string& name, bool end) {
  char part[4096];
  for (ssize_t n = 0; (n = ::read(child.errors, part, sizeof part)) > 0;)
    child.text.append(part, static_cast<std::size_t>(n));
  if (end && !child.text.empty() && !child.text.ends_with('\n')) child.text += '\n';
  constexpr std::string_view head = "seawall: ";
  for (std::size_t to = 0; (to = child.text.find('\n')) != std::string::npos;) {
    std::string line = child.text.substr(0, to + 1);
    child.text.erase(0, to + 1);
    if (line.starts_with(head)) line.insert(head.size(), name + ": ");
    warn("%s", line.c_str());
    child.spoke = true;
  }
}

/// Waits until a child speaks or a moment has passed.
void wait_a_moment(const std::vector<Child>& children) {
  std::vector<pollfd> open;
  for (const auto& child : children) open.push_back({child.errors, POLLIN, 0});
  ::poll(open.data(), open.size(), 20);
  // A child that closed its end wakes poll at once until it is reaped.
  if (std::ranges::any_of(open, [](const pollfd& p) { return (p.revents & POLLHUP) != 0; }))
    ::poll(nullptr, 0, 2);
}

}  // namespace

std::vector<std::string> visible_cards() {
  std::vector<std::string> out;
  if (const char* named = std::getenv("CUDA_VISIBLE_DEVICES")) {
    std::istringstream in(named);
    for (std::string card; std::getline(in, card, ',');) {
      if (card.empty() || card.front() == '-') break;  // CUDA stops there, too
      out.push_back(card);
    }
    return out;
  }
  // A container may have any of them; CUDA counts those that it sees from 0.
  const std::regex card("nvidia[0-9]+");
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/dev", none))
    if (std::regex_match(entry.path().filename().string(), card))
      out.push_back(std::to_string(out.size()));
  return out;
}

int run_programs(std::size_t count, const WorkOptions& options,
                 const std::function<Words(std::size_t)>& words,
                 const std::function<std::string(std::size_t)>& name) {
  flush_listener();
  int failed = 0, signal = 0, in_a_row = 0;
  const auto fail = [&](std::size_t task, int code, const std::string& what) {
    if (!what.empty()) warn("seawall: %s: %s\n", name(task).c_str(), what.c_str());
    if (failed == 0) failed = code;
    ++in_a_row;
  };
  Progress progress(options.what, static_cast<std::int64_t>(count), options.quiet);
  std::vector<Child> children;
  std::size_t next = 0, done = 0;
  const auto begin = [&](std::size_t task) {
    try {
      const Words these = words(task);
      if (these.empty())
        ++done;
      else
        children.push_back(start(options, these, task, free_place(children)));
    } catch (const Error& error) {
      fail(task, static_cast<int>(error.exit_code()), error.what());
    }
  };
  const auto is_over = [&](Child& child) {
    int status = 0;
    if (signal == 0) speak(child, name(child.task), false);
    if (::waitpid(child.pid, &status, WNOHANG) <= 0) return false;
    if (signal == 0) signal = options.stopped();  // before it is said that the signal ended it
    if (signal == 0) speak(child, name(child.task), true);
    ::close(child.errors);
    const int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (code == 0)
      ++done, in_a_row = 0;
    else if (signal == 0)
      fail(child.task, code, child.spoke ? "" : "it ended with exit code " + std::to_string(code));
    return true;
  };
  while (true) {
    if (signal == 0 && (signal = options.stopped()) != 0)
      for (const Child& child : children) ::kill(child.pid, SIGTERM);
    const bool on = in_a_row < give_up_after && signal == 0 && next < count;
    while (on && next < count &&
           children.size() < static_cast<std::size_t>(std::max(options.workers, 1)))
      begin(next++);
    std::erase_if(children, is_over);
    progress.update(static_cast<std::int64_t>(done), 0, std::numeric_limits<double>::quiet_NaN());
    if (!children.empty())
      wait_a_moment(children);
    else if (!on || next >= count)
      break;
  }
  progress.finish();
  return signal != 0 ? 128 + signal : failed;
}

}  // namespace seawall
