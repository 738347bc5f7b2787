// Damaged --config and --labels files.
#include <fstream>

#include "seawall/cli/command_line.hpp"
#include "seawall/eval/labels.hpp"
#include "seawall/run/run_spec.hpp"
#include "tests/support/files.hpp"
#include "tests/support/fuzz.hpp"

namespace seawall {
namespace {

using namespace testing;

TEST(IniFuzz, OptionsOfARun) {
  const Folder folder;
  const auto parse = [&](const std::string& text) {
    RunSpec spec;
    CommandLine line("seawall run [options]", "");
    line.add(spec, "Options");
    try {
      line.parse({"--config", folder.write("run.ini", text).string()});
    } catch (const UsageError& error) {
      // A wrong value is the option's to name; anything else the file's.
      throw DataError("run.ini: " + std::string(error.what()));
    }
  };
  const std::string whole =
      "model = a\nlr = 1e-4\nepochs = 3\nquiet = true\n# a remark\nlr-schedule = cosine\n";
  parse(whole);
  fuzz(whole, {.trials = 100, .name = "run.ini"}, parse);
}

TEST(LabelsFuzz, Csv) {
  const Folder folder;
  fuzz("prompt,response,label,id\n\"a, b\",r,1,x\nc,s,0,y\n",
       {.trials = 60, .name = "l.csv", .refused = 0.1}, [&](const std::string& bytes) {
         EXPECT_FALSE(read_labels(folder.write("l.csv", bytes), "0-1").probes.empty());
       });
}

}  // namespace
}  // namespace seawall
