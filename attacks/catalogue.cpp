#include "attacks/catalogue.hpp"

namespace seawall {

const AttackCatalogue& attack_catalogue() {
  static constexpr AttackCatalogue catalogue = attack_catalogue_of(Attacks{});
  return catalogue;
}

}  // namespace seawall
