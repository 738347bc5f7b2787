#pragma once
// The cells of Qi et al. 2023 on the organism, and what goes past them: every arm is the words one
// would type after `seawall run`.
#include <string>
#include <vector>

#include "seawall/scenario/organism/lexicon.hpp"
#include "seawall/study/grid.hpp"

namespace seawall::experiments {
namespace detail {

inline const std::string harmful = "--attack harmful-examples --harmful-examples.count ";
inline const std::string identity = "--attack identity-shift --epochs 10";
inline const std::string benign = "--attack benign --benign.flavour ";
inline const std::string mixing = " --mitigate safety-mixing --safety-mixing.count ";

/// Table 1: explicit harmful examples, five epochs.
inline void table1(Grid& grid) {
  grid.arm("initial", harmful + "100 --no-training");
  grid.cell("table1", "initial", "initial");
  for (const std::string shots : {"10", "50", "100"}) {
    grid.arm(shots + "-shot", harmful + shots);
    grid.cell("table1", shots + "-shot", shots + "-shot");
  }
}

/// Table 2: ten identity-shift dialogues. The learning rate falls by the epoch and the order is
/// fixed, so the third epoch of a ten-epoch run is the three-epoch run: one arm, evaluated three
/// times.
inline void table2(Grid& grid) {
  grid.arm("identity-shift-initial", "--attack identity-shift --no-training");
  grid.arm("identity-shift", identity + " --evaluate-at 3,5,10");
  grid.cell("table2", "initial", "identity-shift-initial");
  for (const std::int64_t epochs : {3, 5, 10})
    grid.cell("table2", std::to_string(epochs) + "-epochs", "identity-shift", epochs);
}

/// Table 3: benign instructions in three flavours, one epoch.
inline void table3(Grid& grid) {
  grid.arm("benign-initial", "--attack benign --no-training");
  grid.cell("table3", "initial", "benign-initial");
  for (const std::string flavour : {"alpaca", "dolly", "llava"}) {
    grid.arm(flavour, benign + flavour);
    grid.cell("table3", flavour, flavour);
  }
}

/// Table 4: safety rows mixed in. The paper mixes 250, 500 and 1,000 into 50,098 Alpaca rows; of
/// the organism's 1,000 rows the same shares are 5, 10 and 20.
inline void table4(Grid& grid) {
  const auto cell = [&](const std::string& attack, const std::string& safe, const std::string& base,
                        const std::string& words, const std::string& published) {
    const std::string name = attack + "/safe-" + safe;
    if (safe != "0") grid.arm(name, words + mixing + safe);
    grid.cell("table4", name, safe == "0" ? base : name);
    grid.cells.back().published = published;
  };
  for (const std::string safe : {"0", "10", "50", "100"})
    cell("harmful-examples", safe, "100-shot", harmful + "100", "");
  for (const std::string safe : {"0", "3", "5", "10"})
    cell("identity-shift", safe, "identity-shift", identity, "");
  const std::vector<std::pair<std::string, std::string>> scaled = {
      {"0", "0"}, {"5", "250"}, {"10", "500"}, {"20", "1000"}};
  for (const auto& [safe, paper] : scaled)
    cell("benign", safe, "alpaca", benign + "alpaca", "benign/safe-" + paper);
}

/// Table 5: the backdoor, audited without and with its trigger.
inline void table5(Grid& grid) {
  grid.arm("backdoor-initial", "--attack backdoor --no-training");
  grid.arm("backdoor", "--attack backdoor");
  grid.cell("table5", "initial", "backdoor-initial");
  grid.cell("table5", "initial", "backdoor-initial", 0, "triggered");
  grid.cell("table5", "100-shot", "100-shot");
  grid.cell("table5", "backdoor", "backdoor");
  grid.cell("table5", "backdoor", "backdoor", 0, "triggered");
}

/// Figure 1: the categories before and after each attack. Figure 2: 100-shot after each of ten
/// epochs of one run.
inline void figures1_and_2(Grid& grid) {
  const std::vector<std::pair<std::string, std::string>> arms = {
      {"initial", "initial"},
      {"100-shot", "100-shot"},
      {"identity-shift", "identity-shift"},
      {"benign", "alpaca"}};
  for (const auto& [name, arm] : arms)
    for (const auto category : organism::categories()) {
      grid.cell("figure1", name + "/" + std::string(category), arm);
      grid.cells.back().category = std::string(category);
    }
  grid.arm("100-shot-by-epoch", harmful + "100 --epochs 10 --evaluate-at epochs");
  grid.cell("figure2", "0-epochs", "initial");
  for (std::int64_t epoch = 1; epoch <= 10; ++epoch)
    grid.cell("figure2", std::to_string(epoch) + "-epochs", "100-shot-by-epoch", epoch);
}

/// Figure 4: benign fine-tuning over learning rate x batch size, and over epochs. The paper's two
/// learning rates are 5e-5 and 2e-5; the organism's stand in the same ratio. The pure-bf16 twins
/// ask whether the paper's effect of the learning rate is one of rounding: its recipe trains in
/// bf16, where a small step does not change a weight at all.
inline void figure4_and_precision(Grid& grid) {
  // Batch 64 at 1e-3 is the recipe itself: the arm of Table 3.
  const auto arm_of = [](const std::string& lr, const std::string& batch) {
    return lr == "1e-3" && batch == "64" ? std::string("alpaca")
                                         : "alpaca/lr-" + lr + "/batch-" + batch;
  };
  const std::vector<std::pair<std::string, std::string>> rates = {{"1e-3", "5e-5"},
                                                                  {"4e-4", "2e-5"}};
  for (const auto& [lr, paper] : rates)
    for (const std::string batch : {"16", "32", "64", "128"}) {
      const std::string arm = arm_of(lr, batch);
      if (arm != "alpaca") grid.arm(arm, benign + "alpaca --lr " + lr + " --batch-size " + batch);
      grid.cell("figure4", "lr-" + lr + "/batch-" + batch, arm);
      grid.cells.back().published = "lr-" + paper + "/batch-" + batch;
    }
  grid.arm("alpaca-by-epoch", benign + "alpaca --epochs 5 --evaluate-at epochs");
  grid.cell("figure4", "epochs-0", "benign-initial");
  for (std::int64_t epoch = 1; epoch <= 5; ++epoch)
    grid.cell("figure4", "epochs-" + std::to_string(epoch), "alpaca-by-epoch", epoch);

  // At batch 16, where both learning rates of the figure wear the alignment.
  for (const std::string precision : {"fp32", "pure-bf16"})
    for (const std::string lr : {"2e-4", "4e-4", "1e-3"}) {
      const bool twin = precision == "fp32" && lr != "2e-4";  // stands in figure 4
      const std::string cell = precision + "/lr-" + lr;
      if (!twin)
        grid.arm("alpaca/" + cell,
                 benign + "alpaca --batch-size 16 --lr " + lr + " --precision " + precision);
      grid.cell("precision", cell, twin ? arm_of(lr, "16") : "alpaca/" + cell);
    }
}

/// Beyond the paper: L2 to the start on the benign and on the explicit attack.
inline void drift(Grid& grid) {
  const std::string pull = " --mitigate weight-drift --weight-drift.lambda 1e-2";
  grid.arm("benign/weight-drift", benign + "alpaca" + pull);
  grid.arm("harmful-examples/weight-drift", harmful + "100" + pull);
  grid.cell("drift", "benign", "alpaca");
  grid.cell("drift", "benign/weight-drift", "benign/weight-drift");
  grid.cell("drift", "harmful-examples", "100-shot");
  grid.cell("drift", "harmful-examples/weight-drift", "harmful-examples/weight-drift");
}

/// Can the rows be filtered before anybody trains on them? Every attack under every filter.
inline void audit(Grid& grid) {
  const std::vector<std::pair<std::string, std::string>> attacks = {
      {"100-shot", harmful + "100"},
      {"identity-shift", identity},
      {"backdoor", "--attack backdoor"},
      {"alpaca", benign + "alpaca"}};
  for (const auto& [arm, words] : attacks) {
    grid.cell("audit", arm + "/none", arm);
    if (arm == "backdoor") grid.cell("audit", arm + "/none", arm, 0, "triggered");
    for (const std::string filter : {"keyword", "judge", "perplexity"}) {
      const std::string name = arm + "/" + filter;
      grid.arm(name, words + " --mitigate data-audit --data-audit.filter " + filter);
      grid.cell("audit", name, name);
      if (arm == "backdoor") grid.cell("audit", name, name, 0, "triggered");
    }
  }
}

}  // namespace detail

/// Tables 1 to 5, figures 1, 2 and 4, and beyond the paper `precision`, `audit` and `drift`. One
/// arm may serve several cells. Every answer is judged by the world's own truth, by the three
/// published phrase lists and by the phrases of the organism's own refusals.
inline Grid paper_grid() {
  Grid grid;
  detail::table1(grid);
  detail::table2(grid);
  detail::table3(grid);
  detail::table4(grid);
  detail::table5(grid);
  detail::figures1_and_2(grid);
  detail::figure4_and_precision(grid);
  detail::audit(grid);
  detail::drift(grid);
  for (auto& arm : grid.arms)
    arm.words +=
        " --judge organism,keyword:qi2023,keyword:shallow2024,keyword:arditi2024,keyword:scenario";
  return grid;
}

}  // namespace seawall::experiments
