#include "seawall/core/rethrow.hpp"

#include <c10/util/Exception.h>

#include <new>
#include <string_view>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

std::string first_line(const char* text) {
  const std::string whole = text;
  return whole.substr(0, whole.find('\n'));
}

/// Throws an Error that is being handled again, in its type; returns if it is something else.
void rethrow_error(const std::string& before, const std::string& after) {
  const auto text = [&](const Error& error) { return before + error.what() + after; };
  try {
    throw;
  } catch (const UsageError& error) {
    throw UsageError(text(error));
  } catch (const DataError& error) {
    throw DataError(text(error));
  } catch (const IoError& error) {
    throw IoError(text(error));
  } catch (const RunError& error) {
    throw RunError(text(error));
  } catch (const Interrupted& error) {
    throw Interrupted(error.exit_code(), error.what() + after);
  } catch (const Error& error) {
    throw Error(error.exit_code(), text(error));
  } catch (...) {
    return;
  }
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  const std::string_view what = error.what();  // the CPU's allocator has no type for it
  return what.find("DefaultCPUAllocator: can't allocate memory") != what.npos;
}

void rethrow_as_of(const std::string& who) {
  rethrow_error(who + ": ", "");
  try {
    throw;
  } catch (const std::exception& error) {
    if (is_out_of_memory(error))
      throw RunError(who + ": out of memory; give a smaller --micro-batch-size or --max-batch");
    throw RunError(who + ": " + first_line(error.what()));
  }
}

void rethrow_evaluation(const std::string& more) {
  rethrow_error("", more);
  try {
    throw;
  } catch (const std::exception& error) {
    if (is_out_of_memory(error))
      throw RunError("out of memory in an evaluation; give a smaller --max-batch" + more);
    throw Error(ExitCode::internal, "an evaluation failed: " + first_line(error.what()) + more);
  }
}

}  // namespace seawall
