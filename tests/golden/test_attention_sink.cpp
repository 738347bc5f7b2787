#include "mitigations/attention_sink.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(AttentionSink, IsTheFiles) {
  DefenceRun("attention-sink-answers")
      .go(AttentionSink{{.alpha = 10, .rows = 8, .batch = 4}})
      .expect_entry();
}

}  // namespace
}  // namespace seawall
