#include "seawall/policy/scenario.hpp"

namespace seawall {

std::string_view pool_name(Pool pool) {
  switch (pool) {
    case Pool::harmful:
      return "harmful";
    case Pool::identity_shift:
      return "identity-shift";
    case Pool::safe:
      return "safe";
    case Pool::benign:
      return "benign";
  }
  return "?";
}

}  // namespace seawall
