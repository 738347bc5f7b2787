// What the tools that read converted files cannot tell: several shards, and what is left of a
// conversion that fails. That they read them is tests/e2e/exchange_test.py's.
#include "seawall/exchange/convert.hpp"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "exchange/output.hpp"
#include "seawall/core/error.hpp"
#include "seawall/exchange/event_file.hpp"
#include "seawall/store/activations.hpp"
#include "seawall/store/hdf5.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using namespace testing;

/// `prompts` prompts of 3 tokens each, `per_shard` of them in a file.
std::vector<fs::path> extraction(const fs::path& path, int prompts, int per_shard,
                                 const std::string& config = "{}") {
  constexpr std::int64_t layers = 2, width = 4, tokens = 3;
  ActivationInfo info{.layers = layers,
                      .d_model = width,
                      .all_positions = true,
                      .max_length = tokens,
                      .prompts = prompts};
  info.config_json = config;
  info.overwrite = true;
  info.shard_bytes = ActivationWriter::estimate_bytes(info) / static_cast<unsigned>(prompts) *
                     static_cast<unsigned>(per_shard);
  ActivationWriter writer(path, info);
  for (int p = 0; p < prompts; ++p)
    writer.add({.id = "p" + std::to_string(p),
                .category = "c",
                .text = "t",
                .input_ids = {p, p, p},
                .resid_post = at::full({layers, tokens, width}, p, at::kFloat),
                .logits = {}});
  return writer.close();
}

std::string saelens(const fs::path& from, const fs::path& to, std::int64_t context = 5) {
  return convert_file(from, {.to = "saelens", .context = context}, to, true);
}

TEST(Convert, SaeLensRowsGoOnFromShardToShard) {
  const Folder folder;
  const auto files = extraction(folder / "acts.h5", 7, 2);
  ASSERT_EQ(files.size(), 4);
  const auto said = saelens(files[0], folder / "cache");
  EXPECT_HAS(said, "4 rows of 5 tokens, 2 layers of d_in 4; the last 1 tokens");
  const auto bytes = bytes_of(folder / "cache" / "data-00000-of-00001.arrow");
  const std::int32_t first_row[] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3};
  EXPECT_NE(bytes.find(std::string(reinterpret_cast<const char*>(first_row), sizeof first_row)),
            bytes.npos)
      << "token_ids over two shards";
}

TEST(Convert, ShardsOfAnotherExtractionAreRefused) {
  const Folder folder;
  const auto files = extraction(folder / "acts.h5", 4, 2);
  ASSERT_EQ(files.size(), 2);
  EXPECT_HAS(message_of<DataError>([&] { saelens(files[1], folder / "cache"); }),
             "is not the first file");
  const auto others = extraction(folder / "other.h5", 4, 2, R"({"model": "another"})");
  fs::rename(others[1], files[1]);
  EXPECT_HAS(message_of<DataError>([&] { saelens(files[0], folder / "cache"); }),
             "of another extraction");
  fs::remove(files[1]);
  EXPECT_NO_THROW(saelens(files[0], folder / "cache"));
}

TEST(Convert, ADimensionWithoutValuesHasNone) {
  const Folder folder;
  const h5::Reader file(extraction(folder / "acts.h5", 2, 2)[0]);
  EXPECT_FALSE(file.has_values("d_model"));
  EXPECT_TRUE(file.has_values("layer"));
  EXPECT_TRUE(file.has_values("resid_post"));
}

TEST(Convert, WhatIsNotPublishedIsGone) {
  const Folder folder;
  const auto left = [&] { return std::distance(fs::directory_iterator(folder.path()), {}); };
  {
    Output file(folder / "a.npz", Output::Kind::file, false);
    folder.write(file.place().filename(), "half");
    EXPECT_EQ(left(), 1);
  }
  EXPECT_EQ(left(), 0);
  {
    Output file(folder / "a.npz", Output::Kind::file, false);
    folder.write(file.place().filename(), "whole");
    file.publish();
  }
  EXPECT_EQ(bytes_of(folder / "a.npz"), "whole");
  EXPECT_HAS(message_of<UsageError>([&] { Output(folder / "a.npz", Output::Kind::file, false); }),
             "--overwrite");
  EXPECT_HAS(message_of<UsageError>([&] { Output(folder / "a.npz", Output::Kind::folder, true); }),
             "want a folder");
  EXPECT_EQ(left(), 1);
}

TEST(Convert, EventFilesAreNamedByTime) {
  EXPECT_EQ(wall_time_of("1970-01-02T00:00:01Z"), 86401);
  EXPECT_EQ(wall_time_of("yesterday"), 0);
  EXPECT_EQ(event_file_name(86401, "abc"), "events.out.tfevents.0000086401.000000.abc");
  EXPECT_LT(event_file_name(999999999.5, "abc"), event_file_name(1000000000, "abc"));
}

}  // namespace
}  // namespace seawall
