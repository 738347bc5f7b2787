// Somebody else's mitigation in a program of their own, beside the ones that ship.
#include "attacks/catalogue.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/program.hpp"

namespace mine {

using namespace seawall;

/// Shrinks every trained weight towards zero after the last step.
struct Shrink {
  static constexpr std::string_view name = "shrink", summary = "shrinks the weights at the end";
  static constexpr Hook hooks = Hook::on_finish;
  static constexpr Need needs = Need::none;
  struct Options {
    double factor = 0.5;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.factor, OptionInfo{.name = "factor", .help = "what is kept", .min = 0, .max = 1});
    }
  } options;
  void on_finish(Trainer& trainer) {
    for (const Param& p : trainer.params()) p.master.mul_(options.factor);
  }
};
static_assert(explain<Shrink>());

}  // namespace mine

int main(int argc, char** argv) {
  using List = seawall::Append<seawall::Mitigations, mine::Shrink>;
  const seawall::Program program{.attacks = seawall::attack_catalogue(),
                                 .mitigations = seawall::mitigation_catalogue_of(List{}),
                                 .grid = {}};
  return seawall::run_program(program, argc, argv);
}
