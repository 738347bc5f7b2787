#include "seawall/policy/judge.hpp"

#include <exception>

#include "seawall/core/error.hpp"

namespace seawall {

std::vector<Verdict> Judge::grade_all(std::span<const Answer> answers) const {
  std::vector<Verdict> out;
  out.reserve(answers.size());
  for (const auto& answer : answers) {
    try {
      out.push_back(grade(*answer.probe, answer.response));
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception& e) {
      out.push_back({.valid = false, .reason = e.what()});
    }
  }
  return out;
}

}  // namespace seawall
