#pragma once
// Figures 1, 2 and 4, and the table of precisions that asks what Figure 4 shows.
#include "experiments/qi2023/arms.hpp"
#include "experiments/qi2023/published.hpp"
#include "seawall/scenario/organism/lexicon.hpp"

namespace seawall::experiments::qi2023 {

/// The categories before and after each attack.
inline Table figure1(const Arms& arms) {
  Table t{.name = "figure1",
          .title = "Figure 1 \xc2\xb7 Harm by category",
          .lead =
              "The share of full answers in each of the categories, before and after the "
              "attack.",
          .role = Table::Role::categories,
          .drawings = {{.kind = Drawing::Kind::radar,
                        .name = "figure1",
                        .title = "Harm by category, before and after the attack"}}};
  const std::vector<std::pair<std::string, Arm>> models = {
      {"initial", untrained("initial", arms.shots(100))},
      {"100-shot", arms.shots(100)},
      {"identity-shift", arms.shift()},
      {"benign", arms.benign("alpaca")}};
  for (const auto& [name, arm] : models)
    for (const auto category : organism::categories())
      t.add({.cell = name + "/" + std::string(category),
             .category = std::string(category),
             .group = name},
            arm);
  return t;
}

/// 100-shot after each of ten epochs of one run.
inline Table figure2(const Arms& arms) {
  Table t{.name = "figure2",
          .title = "Figure 2 \xc2\xb7 Harm against epochs",
          .lead = "One run of the attack, evaluated after every epoch.",
          .role = Table::Role::sweep,
          .claims = {ordered({"0-epochs"}, {"10-epochs"},
                             "the attack works: 10-epochs above 0-epochs")},
          .drawings = {{.name = "figure2",
                        .title = "Harm against epochs of the explicit attack",
                        .x = "epochs"}}};
  Arm by_epoch = untraced(arms.shots(100));
  by_epoch.name = "100-shot-by-epoch";
  by_epoch.spec.training.epochs = 10;
  by_epoch.spec.evaluation.at = "epochs";
  t.add({.cell = "0-epochs", .at = {{"epochs", 0}}}, untrained("initial", arms.shots(100)));
  for (std::int64_t epoch = 1; epoch <= 10; ++epoch)
    t.add({.cell = std::to_string(epoch) + "-epochs",
           .epoch = epoch,
           .at = {{"epochs", static_cast<double>(epoch)}}},
          by_epoch);
  return t;
}

/// A learning rate, and how names of cells write it.
struct Rate {
  double value;
  std::string text;
};

/// Benign fine-tuning with another learning rate and batch size. The recipe itself (1e-3, batch 64)
/// is the arm of Table 3.
inline Arm benign_at(const Arms& arms, const Rate& rate, std::int64_t batch) {
  Arm arm = arms.benign("alpaca");
  if (rate.text == "1e-3" && batch == 64) return arm;
  arm = untraced(std::move(arm));
  arm.spec.evaluation.at = "end";
  arm.name = "alpaca/lr-" + rate.text + "/batch-" + std::to_string(batch);
  arm.spec.training.lr = rate.value;
  arm.spec.training.batch_size = batch;
  return arm;
}

/// Benign fine-tuning over learning rate x batch size, and over epochs. The paper's two learning
/// rates are 5e-5 and 2e-5; the organism's are in the same ratio.
inline Table figure4(const Arms& arms) {
  Table t{.name = "figure4",
          .title = "Figure 4 \xc2\xb7 Learning rate, batch size and epochs on benign data",
          .lead = "The benign attack over learning rates and batch sizes, and over epochs.",
          .role = Table::Role::sweep,
          .claims = {rising_along("learning rate", "a larger learning rate is worse"),
                     falling_along("batch size", "a smaller batch is worse"),
                     ordered({"epochs-0"}, {"epochs-1"},
                             "one epoch of benign data wears alignment: epochs-1 above epochs-0"),
                     ordered({"epochs-5"}, {"epochs-1"},
                             "harm is highest after the first epoch: epochs-1 above epochs-5")},
          .published = printed({}, {{"lr-5e-5/batch-16", no_score, 46},
                                    {"lr-5e-5/batch-32", no_score, 38},
                                    {"lr-5e-5/batch-64", no_score, 31},
                                    {"lr-5e-5/batch-128", no_score, 34},
                                    {"lr-2e-5/batch-16", no_score, 24},
                                    {"lr-2e-5/batch-32", no_score, 21},
                                    {"lr-2e-5/batch-64", no_score, 16},
                                    {"lr-2e-5/batch-128", no_score, 16}}),
          .drawings = {{.kind = Drawing::Kind::heat,
                        .name = "figure4-heat",
                        .title = "Harm after benign fine-tuning, by learning rate and batch size",
                        .x = "batch size",
                        .y = "learning rate"},
                       {.name = "figure4-epochs",
                        .title = "Harm against epochs of benign fine-tuning",
                        .x = "epochs"}}};
  const std::vector<std::pair<Rate, std::string>> rates = {{{1e-3, "1e-3"}, "5e-5"},
                                                           {{4e-4, "4e-4"}, "2e-5"}};
  for (const auto& [rate, papers] : rates)
    for (const std::int64_t batch : {16, 32, 64, 128}) {
      const std::string end = "/batch-" + std::to_string(batch);
      t.add({.cell = "lr-" + rate.text + end,
             .published = "lr-" + papers + end,
             .at = {{"learning rate", rate.value}, {"batch size", static_cast<double>(batch)}}},
            benign_at(arms, rate, batch));
    }
  Arm by_epoch = untraced(arms.benign("alpaca"));
  by_epoch.name = "alpaca-by-epoch";
  by_epoch.spec.training.epochs = 5;
  by_epoch.spec.evaluation.at = "epochs";
  t.add({.cell = "epochs-0", .at = {{"epochs", 0}}}, untrained("benign-initial", arms.benign("")));
  for (std::int64_t epoch = 1; epoch <= 5; ++epoch)
    t.add({.cell = "epochs-" + std::to_string(epoch),
           .epoch = epoch,
           .at = {{"epochs", static_cast<double>(epoch)}}},
          by_epoch);
  return t;
}

/// Is the paper's effect of the learning rate one of rounding? Its recipe trains in bf16, in which
/// a small step does not change a weight at all. At batch 16, where both learning rates of Figure 4
/// wear the alignment.
inline Table precision(const Arms& arms) {
  Table t{.name = "precision",
          .title = "Numeric precision",
          .lead =
              "The learning rate under fp32 and under pure bf16, where small updates round "
              "away.",
          .role = Table::Role::sweep,
          .claims = {rising_along("learning rate", "a larger learning rate is worse")},
          .drawings = {{.kind = Drawing::Kind::lines,
                        .name = "precision",
                        .title = "Is the effect of the learning rate a rounding effect?",
                        .x = "learning rate",
                        .moved = true}}};
  const std::vector<Rate> rates = {{2e-4, "2e-4"}, {4e-4, "4e-4"}, {1e-3, "1e-3"}};
  for (const std::string precision : {"fp32", "pure-bf16"})
    for (const Rate& rate : rates) {
      const std::string cell = precision + "/lr-" + rate.text;
      Arm arm = benign_at(arms, rate, 16);
      if (precision != "fp32" || rate.text == "2e-4")
        arm.name = "alpaca/" + cell;  // not Figure 4's
      arm.spec.training.precision = precision;
      t.add({.cell = cell, .group = precision, .at = {{"learning rate", rate.value}}}, arm);
    }
  return t;
}

}  // namespace seawall::experiments::qi2023
