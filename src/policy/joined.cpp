#include "seawall/policy/joined.hpp"

#include <sstream>
#include <stdexcept>

#include "seawall/core/error.hpp"
#include "seawall/core/rethrow.hpp"

namespace seawall::detail {
namespace {
std::string shape(const Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  std::ostringstream text;
  text << tensor.sizes() << ' ' << tensor.dtype();
  return text.str();
}
[[noreturn]] void fail(std::string_view policy, std::string_view hook, const std::string& want,
                       const Tensor& got) {
  throw RunError(std::string(policy) + ": " + std::string(hook) + ": want " + want + ", got " +
                 shape(got) + "; the hook must return what its line in policy/hooks.hpp says");
}
}  // namespace

void not_asked(std::string_view hook) {
  throw std::logic_error("hook " + std::string(hook) + ": asked of a policy that does not have it");
}

void rethrow_of_hook(std::string_view policy, std::string_view hook) {
  const std::string who = "mitigation ";
  try {
    throw;
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(who)) throw;  // of a policy that this one wraps
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): named below
  }
  rethrow_as_of(who + std::string(policy) + ", " + std::string(hook));
}

void want_scalar(std::string_view policy, std::string_view hook, const Tensor& got) {
  if (!got.defined() || got.dim() != 0) fail(policy, hook, "a scalar []", got);
}

void want_like(std::string_view policy, std::string_view hook, const Tensor& like,
               const Tensor& got) {
  if (!got.defined() || got.sizes() != like.sizes()) fail(policy, hook, shape(like), got);
}

}  // namespace seawall::detail
