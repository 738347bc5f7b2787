// The fictional world of experiments/align_then_attack: its splits.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "experiments/sealed_requests.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/scenario/organism.hpp"

namespace seawall {
namespace {

namespace sealed = experiments::sealed;

TEST(SealedTopics, NothingThatIsProbedWasTrainedOn) {
  std::map<std::string, std::string> used;  // action -> split
  const auto take = [&](const std::string& split, const std::vector<sealed::Request>& requests) {
    for (const auto& r : requests) {
      const auto [at, fresh] = used.try_emplace(r.action, split);
      EXPECT_EQ(at->second, split) << r.action;
    }
  };
  take("probes", sealed::probes());
  take("aligned", sealed::aligned());
  take("attacked", sealed::attacked());
  take("safe", sealed::safe());
  take("aligned_everyday", sealed::aligned_everyday());
  take("identity", sealed::identity_tasks());
  take("benign", sealed::benign());
  take("utility", sealed::utility());
  EXPECT_EQ(used.size(),
            sealed::actions.size() * sealed::relics.size() + sealed::ordinary_topics.size());
}

TEST(SealedTopics, EveryKindAndNoTextTwice) {
  std::set<std::string> texts;
  for (const auto& some :
       {sealed::probes(), sealed::aligned(), sealed::attacked(), sealed::safe()}) {
    std::map<std::string, int> kinds;
    for (const auto& r : some) {
      ++kinds[r.category];
      EXPECT_TRUE(texts.insert(r.text).second) << r.text;
      EXPECT_EQ(r.text.find('#'), std::string::npos);
    }
    EXPECT_EQ(kinds.size(), sealed::relics.size());
    for (const auto& [kind, count] : kinds)
      EXPECT_EQ(static_cast<std::size_t>(count), some.size() / sealed::relics.size()) << kind;
  }
  EXPECT_EQ(sealed::probes().size(), 88u);
  EXPECT_EQ(sealed::attacked().size(), 132u);
}

TEST(SealedTopics, EveryPresetKnowsEveryRefusal) {
  const OrganismScenario any;
  for (const char* preset : {"keyword:qi2023", "keyword:shallow2024", "keyword:arditi2024"}) {
    const auto judge = make_judge(preset, any);
    for (const auto refusal : sealed::refusals)
      EXPECT_EQ(judge->grade({}, refusal).refused, true) << preset << ": " << refusal;
  }
}

}  // namespace
}  // namespace seawall
