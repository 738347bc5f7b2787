// Several processes whose weights are on the pretended device: what they give each other goes
// through the host.
#include "attacks/harmful_examples.hpp"
#include "seawall/parallel/world.hpp"
#include "tests/parallel/processes.hpp"
#include "tests/pretend/on_device.hpp"

namespace seawall {
namespace {

using namespace testing;

class SeveralThere : public OnDevice {
 protected:
  RunData trained(World* world, const std::string& precision, const std::string& out) {
    RunSpec with = spec("pretend", "");
    with.place.out = out;
    with.place.no_checkpoint = true;
    with.training.epochs = 1;
    with.training.micro_batch_size = 5;  // of 10 rows
    with.training.precision = precision;
    with.evaluation.none = true;
    LocalBackend backend(world);
    Stack<> none;
    return run(AnyAttack(HarmfulExamples{{.count = 40}}), none, with, backend);
  }
};

// Run by the ranks of a world, never by itself.
TEST_F(SeveralThere, DISABLED_Train) {
  const auto launch = launch_of([](const char* name) { return std::getenv(name); });
  const auto world = World::join(launch.value());
  for (const char* precision : {"fp32", "bf16-master"})
    trained(world.get(), precision, std::string(std::getenv("TEST_FOLDER")) + "/" + precision);
}

TEST_F(SeveralThere, AreOneProcess) {
  Processes processes(2, "SeveralThere.DISABLED_Train", folder.path().string());
  for (int r = 0; r < 2; ++r) ASSERT_EQ(processes.wait(r), 0) << processes.said(r);
  for (const std::string precision : {"fp32", "bf16-master"}) {
    SCOPED_TRACE(precision);
    const auto path = folder.path() / precision;
    const RunData several = read_run(path.string() + ".h5"),
                  one = trained(nullptr, precision, path.string() + "-one");
    ASSERT_EQ(several.steps.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(several.steps[i].loss, one.steps[i].loss);
      EXPECT_EQ(several.steps[i].grad_norm, one.steps[i].grad_norm);
      EXPECT_EQ(several.steps[i].moved, one.steps[i].moved);
      EXPECT_EQ(several.steps[i].param_drift, one.steps[i].param_drift);
    }
  }
}

}  // namespace
}  // namespace seawall
