#include "seawall/core/rethrow.hpp"

#include <exception>
#include <new>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

std::string first_line(const char* text) {
  const std::string whole = text;
  return whole.substr(0, whole.find('\n'));
}

}  // namespace

void rethrow_evaluation(const std::string& more) {
  try {
    throw;
  } catch (const UsageError& error) {
    throw UsageError(error.what() + more);
  } catch (const DataError& error) {
    throw DataError(error.what() + more);
  } catch (const IoError& error) {
    throw IoError(error.what() + more);
  } catch (const RunError& error) {
    throw RunError(error.what() + more);
  } catch (const Interrupted& error) {
    throw Interrupted(error.exit_code(), error.what() + more);
  } catch (const Error& error) {
    throw Error(error.exit_code(), error.what() + more);
  } catch (const std::bad_alloc&) {
    throw Error(ExitCode::internal,
                "out of memory in an evaluation; give a smaller --max-batch" + more);
  } catch (const std::exception& error) {
    throw Error(ExitCode::internal, "an evaluation failed: " + first_line(error.what()) + more);
  }
}

}  // namespace seawall
