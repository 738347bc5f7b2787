#include "mitigations/catalogue.hpp"

namespace seawall {

const MitigationCatalogue& mitigation_catalogue() {
  static constexpr MitigationCatalogue catalogue = mitigation_catalogue_of(Mitigations{});
  return catalogue;
}

}  // namespace seawall
