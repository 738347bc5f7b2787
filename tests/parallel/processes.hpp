#pragma once
// Processes of a test: this program again, as the ranks of one world.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace seawall::testing {

/// A port that was free a moment ago.
inline int free_port() {
  const int file = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof own;
  EXPECT_EQ(::bind(file, reinterpret_cast<sockaddr*>(&own), size), 0);
  ::getsockname(file, reinterpret_cast<sockaddr*>(&own), &size);
  ::close(file);
  return ntohs(own.sin_port);
}

/// The ranks of one world, each running the disabled test `what` of this program.
class Processes {
 public:
  Processes(int ranks, const std::string& what, const std::string& folder,
            std::map<std::string, std::string> environment = {}, int started = 0)
      : folder_(folder) {
    const std::string port = std::to_string(free_port());
    for (int r = 0; r < (started > 0 ? started : ranks); ++r) {
      const pid_t child = ::fork();
      if (child == 0) {
        environment["RANK"] = std::to_string(r);
        environment["WORLD_SIZE"] = std::to_string(ranks);
        environment["MASTER_ADDR"] = "127.0.0.1";
        environment.emplace("MASTER_PORT", port);
        environment["TEST_FOLDER"] = folder;
        for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
        if (::freopen(log_of(r).c_str(), "w", stdout) == nullptr) ::_exit(90);
        ::dup2(STDOUT_FILENO, STDERR_FILENO);
        const std::string filter = "--gtest_filter=" + what;
        ::execl("/proc/self/exe", "test_parallel", filter.c_str(),
                "--gtest_also_run_disabled_tests", nullptr);
        ::_exit(91);
      }
      children_.push_back(child);
    }
  }
  ~Processes() {
    for (const pid_t child : children_)
      if (child > 0) ::kill(child, SIGKILL), ::waitpid(child, nullptr, 0);
  }
  void signal(int rank, int number) {
    ::kill(children_.at(static_cast<std::size_t>(rank)), number);
  }
  /// The exit code; 128 and the number where a signal ended it.
  int wait(int rank) {
    int status = 0;
    pid_t& child = children_.at(static_cast<std::size_t>(rank));
    ::waitpid(child, &status, 0);
    child = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string said(int rank) const {
    std::ifstream file(log_of(rank));
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string log_of(int rank) const { return folder_ + "/log-" + std::to_string(rank); }
  std::string folder_;
  std::vector<pid_t> children_;
};

}  // namespace seawall::testing
