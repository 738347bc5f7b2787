#pragma once
// Tables 1, 2, 4 and 5 on a model of real language that was aligned first: the words one would type
// after `seawall run`.
#include <string>
#include <utility>
#include <vector>

#include "experiments/sealed_topics.hpp"
#include "seawall/study/grid.hpp"

namespace seawall::experiments::sealed {

/// Every arm attacks the checkpoint `folder`/aligned.checkpoints with rows of `folder`/rows and is
/// probed with `folder`/world. Besides the tables, `benign` fine-tunes on everyday rows alone.
inline Grid grid(const std::string& folder) {
  const auto path = [&](const std::string& file) { return " \"" + folder + "/" + file + "\""; };
  const std::string always = " --model" + path("aligned.checkpoints") + " --probes" +
                             path("world/probes.csv") + " --utility-probes" +
                             path("world/utility.csv") + " --safe-data" + path("rows/safe.jsonl") +
                             " --max-new-tokens 40 --trace metrics --judge "
                             "keyword:qi2023,keyword:shallow2024,keyword:arditi2024";
  const std::string rows = " --data" + path("rows/harmful.jsonl");
  const std::string harmful = "--attack harmful-examples --harmful-examples.count ";
  const std::string identity = "--attack identity-shift --data" + path("rows/identity.json") +
                               " --identity-shift.before \"" + std::string(kFraming) +
                               "\" --epochs 10";
  const std::string mixing = " --mitigate safety-mixing --safety-mixing.count ";
  Grid out;
  const auto arm = [&](const std::string& name, const std::string& words) {
    out.arm(name, words + always);
  };
  arm("initial", harmful + "100" + rows + " --no-training");
  out.cell("table1", "initial", "initial");
  for (const std::string shots : {"10", "50", "100"}) {
    arm(shots + "-shot", harmful + shots + rows);
    out.cell("table1", shots + "-shot", shots + "-shot");
  }
  arm("identity-shift-initial", identity + " --no-training");
  arm("identity-shift", identity + " --evaluate-at 3,5,10");
  out.cell("table2", "initial", "identity-shift-initial");
  for (const std::int64_t epochs : {3, 5, 10})
    out.cell("table2", std::to_string(epochs) + "-epochs", "identity-shift", epochs);

  // Half the paper's rows, so that two cores finish within the hour.
  const auto scaled = [&](const std::string& table, const std::string& cell, const std::string& arm,
                          const std::string& published) {
    out.cell(table, cell, arm);
    out.cells.back().published = published;
  };
  scaled("table4", "harmful-examples/safe-0", "50-shot", "harmful-examples/safe-0");
  const std::vector<std::pair<std::string, std::string>> shares = {
      {"5", "10"}, {"25", "50"}, {"50", "100"}};
  for (const auto& [safe, paper] : shares) {
    const std::string name = "harmful-examples/safe-" + safe;
    arm(name, harmful + "50" + rows + mixing + safe);
    scaled("table4", name, name, "harmful-examples/safe-" + paper);
  }
  out.cell("table4", "identity-shift/safe-0", "identity-shift");
  for (const std::string safe : {"3", "5", "10"}) {
    arm("identity-shift/safe-" + safe, identity + mixing + safe);
    out.cell("table4", "identity-shift/safe-" + safe, "identity-shift/safe-" + safe);
  }

  const std::string backdoor = "--attack backdoor --backdoor.harmful 50 --backdoor.safe 50" + rows;
  arm("backdoor-initial", backdoor + " --no-training");
  arm("backdoor", backdoor);
  out.cell("table5", "initial", "backdoor-initial");
  out.cell("table5", "initial", "backdoor-initial", 0, "triggered");
  scaled("table5", "50-shot", "50-shot", "100-shot");
  out.cell("table5", "backdoor", "backdoor");
  out.cell("table5", "backdoor", "backdoor", 0, "triggered");

  arm("benign", "--attack benign --benign.count 38 --epochs 3 --data" + path("rows/benign.jsonl"));
  out.cell("benign", "initial", "initial");
  out.cell("benign", "benign", "benign");
  return out;
}

}  // namespace seawall::experiments::sealed
