// Damaged HDF5 files of ours: all damage is seen, before HDF5 sees a byte.
#include "sample.hpp"
#include "tests/support/files.hpp"
#include "tests/support/fuzz.hpp"

namespace seawall {
namespace {

using namespace testing;

TEST(StoreFuzz, RunFile) {
  const Folder folder;
  RunFile run(folder / "run.h5", sample_info());
  for (int step = 1; step <= 2; ++step) run.on_step(sample_step(step));
  run.on_evaluation(sample_evaluation(2, "plain", ProbeSet::harmfulness));
  run.publish(true);
  const Folder damaged;
  testing::fuzz(
      bytes_of(folder / "run.h5"), {.trials = 500, .name = "damaged.h5", .refused = 1},
      [&](const std::string& bytes) { read_run(damaged.write("damaged.h5", bytes), true); });
}

}  // namespace
}  // namespace seawall
