#pragma once
// The exceptions of the library and the exit codes of the programs: one type a kind of cause.
#include <stdexcept>
#include <string>

namespace seawall {

/// Process exit codes of every Seawall program.
enum class ExitCode : int {
  ok = 0,
  internal = 1,
  usage = 2,
  bad_input = 3,
  io = 4,
  diverged = 5,
  peer_lost = 6,
  interrupted = 130,
  terminated = 143,
};

/// Base of what the library throws: one line that says what was wanted, what came, where, and what
/// to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& what) : std::runtime_error(what), code_(code) {}
  ExitCode exit_code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// An option, a policy name or a combination that cannot be run.
struct UsageError : Error {
  explicit UsageError(const std::string& what) : Error(ExitCode::usage, what) {}
};

/// An input file or record that is not what it should be (path, record, key).
struct DataError : Error {
  explicit DataError(const std::string& what) : Error(ExitCode::bad_input, what) {}
};

/// The operating system refused a read or a write (path, operation, reason).
struct IoError : Error {
  explicit IoError(const std::string& what) : Error(ExitCode::io, what) {}
};

/// Training or evaluation cannot go on (step, tensor): a NaN loss, a shape that does not fit, no
/// memory.
struct RunError : Error {
  explicit RunError(const std::string& what) : Error(ExitCode::diverged, what) {}
};

/// A signal asked the run to stop after it had saved its state.
struct Interrupted : Error {
  explicit Interrupted(ExitCode code, const std::string& what) : Error(code, what) {}
};

}  // namespace seawall
