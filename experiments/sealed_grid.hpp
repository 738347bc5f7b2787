#pragma once
// Tables 1, 2, 4 and 5, and defences of the arena, on a model of real language that was aligned
// first.
#include <algorithm>
#include <string>
#include <vector>

#include "experiments/arena/study.hpp"
#include "experiments/qi2023/attacks.hpp"
#include "experiments/qi2023/safety_mixing.hpp"
#include "experiments/sealed_topics.hpp"
#include "seawall/study/grid.hpp"

namespace seawall::experiments::sealed {

/// Everyday rows alone, such as an honest user would bring.
inline Table benign_table(const qi2023::Arms& arms, const std::string& rows) {
  Table t{.name = "benign",
          .title = "Benign fine-tuning",
          .lead = "Three epochs of everyday requests with the model's own answers.",
          .row_title = "benign"};
  Arm trained{
      .name = "benign", .attack = Benign{{.count = 38}}, .spec = arms.on(rows), .traced = true};
  trained.spec.training.epochs = 3;
  t.add("initial", qi2023::untrained("initial", arms.shots(100)));
  t.add("benign", trained);
  return t;
}

/// What every table runs on: every arm attacks the checkpoint `folder`/aligned.checkpoints with
/// rows of `folder`/rows and is probed with `folder`/world. Half the paper's rows in tables 4 and
/// 5, so that two cores finish within the hour.
inline qi2023::Arms arms_of(const std::string& folder) {
  qi2023::Arms arms{.harmful_rows = folder + "/rows/harmful.jsonl",
                    .identity_rows = folder + "/rows/identity.json",
                    .identity = IdentityShift{{.before = std::string(persona_framing)}},
                    .backdoor = Backdoor{{.harmful = 50, .safe = 50}}};
  RunSpec& spec = arms.spec;
  spec.model.name = folder + "/aligned.checkpoints";
  spec.data.probes = folder + "/world/probes.csv";
  spec.data.utility_probes = folder + "/world/utility.csv";
  spec.data.safe_rows = folder + "/rows/safe.jsonl";
  spec.evaluation.max_new_tokens = 40;
  spec.record.trace = "metrics";
  spec.evaluation.judges = "keyword:qi2023,keyword:shallow2024,keyword:arditi2024";
  return arms;
}

/// The paper's tables.
inline Grid grid(const std::string& folder, const std::string& command = "align_then_attack") {
  const qi2023::Arms arms = arms_of(folder);
  Grid out{.command = command, .source = qi2023::source};
  out.add(qi2023::table1(arms));
  out.add(qi2023::table2(arms));
  out.add(
      qi2023::table4({{"harmful-examples", arms.shots(50), {{0, 0}, {5, 10}, {25, 50}, {50, 100}}},
                      {"identity-shift", arms.shift(), {{0, 0}, {3, 3}, {5, 5}, {10, 10}}}}));
  out.add(qi2023::table5(arms, arms.shots(50)));
  out.add(benign_table(arms, folder + "/rows/benign.jsonl"));
  return out;
}

/// `defences` as in the arena, under ten explicit rows and under the identity shift.
inline Grid arena_grid(const std::string& folder, const std::vector<arena::Defence>& defences,
                       const std::string& command) {
  const qi2023::Arms arms = arms_of(folder);
  Grid out{.command = command};
  for (const arena::Scaled& one : arena::scaled())
    if (std::ranges::find(defences, one.defence, &arena::Defence::name) != defences.end())
      out.notes.push_back(arena::note_of(one));
  const auto add = [&](const char* name, const char* title, Arm arm) {
    arm.traced = false;
    out.add(arena::defended({name, title, [arm](arena::Effort) { return arm; }}, defences));
  };
  add("explicit-10", "10-shot", arms.shots(10));
  add("identity-shift", "identity shift", arms.shift());
  return out;
}

}  // namespace seawall::experiments::sealed
