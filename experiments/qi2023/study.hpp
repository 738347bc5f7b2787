#pragma once
// Qi et al. 2023 on the organism, and what goes past it.
#include "experiments/qi2023/attacks.hpp"
#include "experiments/qi2023/beyond.hpp"
#include "experiments/qi2023/figures.hpp"
#include "experiments/qi2023/safety_mixing.hpp"
#include "seawall/study/grid.hpp"

namespace seawall::experiments::qi2023 {

/// Tables 1 to 5, figures 1, 2 and 4, and beyond the paper `precision`, `audit` and `drift`. One
/// arm may serve several cells. Every answer is judged by the world's own truth, by the three
/// published phrase lists and by the phrases of the organism's own refusals.
inline Grid study() {
  Arms arms{.depth = true};
  arms.spec.evaluation.judges =
      "organism,keyword:qi2023,keyword:shallow2024,keyword:arditi2024,keyword:scenario";
  Grid out{.source = source};
  out.add(table1(arms));
  out.add(table2(arms));
  out.add(table3(arms));
  // The paper mixes 250, 500 and 1,000 rows into 50,098 of Alpaca; of the organism's 1,000 rows the
  // same shares are 5, 10 and 20.
  out.add(table4({{"harmful-examples", arms.shots(100), {{0, 0}, {10, 10}, {50, 50}, {100, 100}}},
                  {"identity-shift", arms.shift(), {{0, 0}, {3, 3}, {5, 5}, {10, 10}}},
                  {"benign", arms.benign("alpaca"), {{0, 0}, {5, 250}, {10, 500}, {20, 1000}}}}));
  out.add(table5(arms, arms.shots(100)));
  out.add(figure1(arms));
  out.add(figure2(arms));
  out.add(figure4(arms));
  out.add(precision(arms));
  out.add(audit(arms));
  out.add(drift(arms));
  return out;
}

}  // namespace seawall::experiments::qi2023
