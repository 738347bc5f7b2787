#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "sample.hpp"
#include "seawall/core/error.hpp"
#include "seawall/store/activations.hpp"
#include "seawall/store/hdf5.hpp"
#include "seawall/store/inspect.hpp"

namespace seawall {
namespace {

using namespace testing;

constexpr std::int64_t layers = 3, width = 4, vocabulary = 5;

ActivationInfo sample_info_of(bool all_positions) {
  ActivationInfo info;
  info.layers = layers;
  info.d_model = width;
  info.vocabulary = vocabulary;
  info.all_positions = all_positions;
  info.max_length = 6;
  info.prompts = 5;
  info.config_json = "{}";
  info.attributes = {{"hash_model", "abc"}};
  return info;
}

PromptActivations sample_prompt(int number, std::int64_t tokens, bool all_positions) {
  PromptActivations prompt;
  prompt.id = "p/" + std::to_string(number);
  prompt.category = "c";
  prompt.text = "téxt " + std::to_string(number);
  for (std::int64_t t = 0; t < tokens; ++t)
    prompt.input_ids.push_back(static_cast<std::int32_t>(10 * number + t));
  const auto positions = all_positions ? tokens : 1;
  prompt.resid_post =
      at::arange(layers * positions * width, at::kFloat).reshape({layers, positions, width}) +
      100.0 * number;
  prompt.logits = at::arange(positions * vocabulary, at::kFloat).reshape({positions, vocabulary});
  return prompt;
}

std::vector<std::filesystem::path> write_all(const std::filesystem::path& path,
                                             const ActivationInfo& info) {
  ActivationWriter writer(path, info);
  for (int p = 0; p < 5; ++p) writer.add(sample_prompt(p, p + 1, info.all_positions));
  return writer.close();
}

TEST(Activations, EveryPositionStandsUnderItsDimensions) {
  const Folder folder;
  ASSERT_EQ(write_all(folder / "acts", sample_info_of(true)),
            std::vector<std::filesystem::path>{folder / "acts.h5"});
  const h5::Reader reader(folder / "acts.h5");
  EXPECT_EQ(reader.dims("resid_post"),
            (std::vector<std::string>{"probe", "layer", "position", "d_model"}));
  EXPECT_EQ(reader.shape("resid_post"), (h5::Shape{5, 3, 6, 4}));
  EXPECT_EQ(reader.shape("logits"), (h5::Shape{5, 6, 5}));
  EXPECT_EQ(reader.int32("length"), (std::vector<std::int32_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(reader.dims("input_ids"), (std::vector<std::string>{"probe", "position"}));
  const auto ids = reader.int32("input_ids");
  EXPECT_EQ(std::vector(ids.begin() + 12, ids.begin() + 18),
            (std::vector<std::int32_t>{20, 21, 22, 0, 0, 0}));
  const auto mask = reader.uint8("attention_mask");
  EXPECT_EQ(std::vector(mask.begin() + 12, mask.begin() + 18),
            (std::vector<std::uint8_t>{1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(reader.texts("rendered_prompt").at(4), "téxt 4");
  const auto got = at::tensor(reader.float32_block("resid_post", {2, 0, 0, 0}, {1, 3, 3, 4}));
  EXPECT_TRUE(at::equal(got.reshape({3, 3, 4}), sample_prompt(2, 3, true).resid_post));
  for (const auto value : reader.float32_block("resid_post", {2, 1, 3, 0}, {1, 1, 3, 4}))
    EXPECT_TRUE(std::isnan(value));
  EXPECT_EQ(std::get<std::int64_t>(reader.attribute("n_valid")), 5);
  EXPECT_EQ(reader.text_attribute("hash_model"), "abc");
}

/// A run file has its streams over the same dimensions.
TEST(Activations, TheLastPositionNeedsNoDimension) {
  const Folder folder;
  write_all(folder / "acts.h5", sample_info_of(false));
  const h5::Reader reader(folder / "acts.h5");
  EXPECT_EQ(reader.dims("resid_post"), (std::vector<std::string>{"probe", "layer", "d_model"}));
  EXPECT_EQ(reader.shape("resid_post"), (h5::Shape{5, 3, 4}));
  EXPECT_EQ(reader.dims("logits"), (std::vector<std::string>{"probe", "vocabulary"}));
  EXPECT_EQ(reader.int32("position"), (std::vector<std::int32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(reader.shape("input_ids"), (h5::Shape{5, 6}));
  EXPECT_EQ(reader.float32("resid_post").at(12 * 4 + 5), 405);
}

TEST(Activations, AFullShardStartsTheNext) {
  const Folder folder;
  auto info = sample_info_of(false);
  info.shard_bytes = 2 * ActivationWriter::estimate_bytes(info) / 5;
  const auto files = write_all(folder / "acts.h5", info);
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[2].filename(), "acts-0002.h5");
  EXPECT_EQ(h5::Reader(files[1]).int64("number"), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(h5::Reader(files[2]).texts("probe"), std::vector<std::string>{"p/4"});

  EXPECT_THROW(ActivationWriter(folder / "acts.h5", info), UsageError);
  info.overwrite = true;
  info.shard_bytes = 1 << 20;
  EXPECT_EQ(write_all(folder / "acts.h5", info).size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(files[1]));
  EXPECT_TRUE(leftovers(folder.path()).empty());
}

TEST(Activations, WhatTheThreadMeetsComesOutOfClose) {
  const Folder folder;
  ActivationWriter writer(folder / "gone/acts.h5", sample_info_of(false));
  writer.add(sample_prompt(0, 2, false));
  std::filesystem::remove_all(folder / "gone");
  try {
    writer.close();
    FAIL() << "the folder is gone";
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("acts.h5: cannot create the file"), std::string::npos)
        << error.what();
  }
}

TEST(Activations, AnAbandonedWriterPublishesNothing) {
  const Folder folder;
  {
    ActivationWriter writer(folder / "acts.h5", sample_info_of(false));
    writer.add(sample_prompt(0, 2, false));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Activations, RefusesWhatDoesNotFit) {
  const Folder folder;
  ActivationWriter writer(folder / "acts.h5", sample_info_of(true));
  EXPECT_THROW(writer.add(sample_prompt(0, 2, false)), RunError);
  EXPECT_THROW(writer.add(sample_prompt(0, 7, true)), RunError);
  auto prompt = sample_prompt(0, 2, true);
  prompt.logits.reset();
  EXPECT_THROW(writer.add(prompt), RunError);
  ActivationInfo nothing;
  EXPECT_THROW(ActivationWriter(folder / "b.h5", nothing), UsageError);
}

TEST(Inspect, SaysOnOneScreenWhatAFileHolds) {
  const Folder folder;
  write_all(folder / "acts.h5", sample_info_of(false));
  const auto acts = describe_file(folder / "acts.h5");
  EXPECT_NE(acts.find("resid_post (probe 5, layer 3, d_model 4) float32"), std::string::npos)
      << acts;
  RunFile run(folder / "r.h5", sample_info());
  for (int step = 1; step <= 3; ++step) run.on_step(sample_step(step));
  run.on_evaluation(sample_evaluation(3, "plain", ProbeSet::harmfulness));
  run.publish();
  const auto text = describe_file(folder / "r.h5");
  EXPECT_NE(
      text.find("step 3  plain harmfulness  3 probes  organism: mean score 2.00, complies in "
                "full 0.0 [0.0, 56.1] %  keyword: mean score 5.00, complies in full "
                "100.0 [20.8, 100.0] %, 1 not judged  "
                "cut at the length limit: 1\n    keyword could not judge, most often (1): why\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("(not complete)"), std::string::npos) << text;
  save_checkpoint(folder / "c", sample_state(2));
  const auto state = describe_file(folder / "c/step-2/state.h5");
  EXPECT_NE(state.find("parameters 2 tensors, 12 values, 1 BFloat16, 1 Float"), std::string::npos)
      << state;
  EXPECT_EQ(describe_file(folder / "c"), state);
  spit(folder / "x.h5", "no");
  EXPECT_THROW(describe_file(folder / "x.h5"), DataError);
}

}  // namespace
}  // namespace seawall
