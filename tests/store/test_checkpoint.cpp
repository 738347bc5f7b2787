#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "sample.hpp"
#include "seawall/core/error.hpp"
#include "store/tensor_io.hpp"

namespace seawall {
namespace {

using namespace testing;

void expect_same(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.scalar_type(), b.scalar_type());
  EXPECT_TRUE(at::equal(a, b));
}

void expect_same(const NamedTensors& a, const NamedTensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    expect_same(a[i].tensor, b[i].tensor);
  }
}

void expect_same(const CheckpointState& a, const CheckpointState& b) {
  EXPECT_EQ(std::tie(a.step, a.config_hash, a.numbers, a.integers, a.texts, a.files),
            std::tie(b.step, b.config_hash, b.numbers, b.integers, b.texts, b.files));
  expect_same(a.parameters, b.parameters);
  expect_same(a.optimizer, b.optimizer);
  ASSERT_EQ(a.groups.size(), b.groups.size());
  for (const auto& [name, group] : a.groups) {
    const auto& other = b.groups.at(name);
    EXPECT_EQ(std::tie(group.numbers, group.texts), std::tie(other.numbers, other.texts));
    ASSERT_EQ(group.tensors.size(), other.tensors.size());
    for (const auto& [key, tensor] : group.tensors) expect_same(tensor, other.tensor(key));
  }
}

TEST(Checkpoint, GivesBackTheSameBits) {
  const Folder folder;
  auto state = sample_state(10);
  const auto ten = at::arange(10, at::kFloat);
  state.groups["types"].tensors = {
      {"f64", ten.to(at::kDouble) / 3},
      {"f16", (ten / 3).to(at::kHalf)},
      {"i32", ten.to(at::kInt)},
      {"u8", ten.to(at::kByte)},
      {"bool", ten > 4},
      {"nothing", at::zeros({0, 3})},
      {"nan", at::full({2}, -std::numeric_limits<double>::infinity())}};
  const auto path = save_checkpoint(folder / "c", state);
  EXPECT_EQ(path, folder / "c/step-10");
  expect_same(load_checkpoint(path).state, state);
  expect_same(load_checkpoint(folder / "c").state, state);
  EXPECT_EQ(bytes_of(folder / "c/latest"), "step-10\n");
  EXPECT_TRUE(leftovers(folder.path()).empty());

  const auto loaded = load_checkpoint_parameters(folder / "c").state;
  expect_same(loaded.parameters, state.parameters);
  EXPECT_EQ(loaded.files, state.files);
  EXPECT_TRUE(loaded.optimizer.empty() && loaded.groups.empty());
  EXPECT_TRUE(is_checkpoint(path) && is_checkpoint(folder / "c") && !is_checkpoint(folder.path()));
}

/// Every file of a checkpoint that holds tensors.
std::vector<std::string> state_files(const std::filesystem::path& checkpoint) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoint))
    if (const auto name = entry.path().filename().string(); name.ends_with(".h5"))
      out.push_back(name);
  std::sort(out.begin(), out.end());
  return out;
}

TEST(Checkpoint, AStateIsWrittenInFilesOfOneSizeOrOneTensor) {
  const Folder folder;
  auto state = sample_state(4);
  constexpr std::uint64_t shard = 1 << 18;
  state.parameters.push_back({"half a file", at::arange(1 << 15, at::kFloat)});
  state.parameters.push_back({"another half", at::arange(1 << 14, at::kFloat)});
  state.optimizer.push_back({"more than a file", at::arange(1 << 17, at::kFloat)});
  state.groups["weight-drift"].tensor("behind it", at::arange(3));
  const auto path = save_checkpoint(folder / "c", state, 2, shard);
  const auto files = state_files(path);
  ASSERT_EQ(files, (std::vector<std::string>{"state-0001.h5", "state-0002.h5", "state-0003.h5",
                                             "state.h5"}));
  for (const auto& name : {"state.h5", "state-0001.h5", "state-0003.h5"})
    EXPECT_LE(std::filesystem::file_size(path / name), shard) << name;
  EXPECT_GT(std::filesystem::file_size(path / "state-0002.h5"), std::uintmax_t{4} << 17);
  expect_same(load_checkpoint(path).state, state);
  const auto alone = load_checkpoint_parameters(path).state;
  expect_same(alone.parameters, state.parameters);
  EXPECT_TRUE(alone.optimizer.empty());
  const auto text = bytes_of(path / "manifest.json");
  for (const auto& name : files) EXPECT_NE(text.find("\"" + name + "\""), std::string::npos);

  // A file that is lost or changed is found, whichever it is, and so is one that the manifest lost.
  for (const auto& name : files) {
    const auto good = bytes_of(path / name);
    auto bad = good;
    bad[bad.size() / 2] ^= 4;
    spit(path / name, bad);
    EXPECT_THROW(load_checkpoint(path), DataError) << name;
    std::filesystem::remove(path / name);
    EXPECT_THROW(load_checkpoint(path), DataError) << name;
    spit(path / name, good);
  }
  auto manifest = nlohmann::json::parse(text);
  manifest["files"].erase("state-0002.h5");
  spit(path / "manifest.json", manifest.dump());
  EXPECT_EQ(testing::message_of<DataError>([&] { load_checkpoint(path); }),
            (path / "state-0002.h5").string() +
                ": the manifest does not name it, and the state has 4 files");
}

TEST(Checkpoint, Bf16IsStoredInTwoBytesAndKeepsEveryBit) {
  const Folder folder;
  CheckpointState state;
  state.step = 1;
  std::vector<std::int32_t> all(65536);  // NaNs with any payload, infinities, both zeros, denormals
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i - 32768);
  const Tensor bits = at::tensor(all, at::kInt).to(at::kShort);
  state.parameters = {{"every value", bits.view(at::kBFloat16)}};
  const auto path = save_checkpoint(folder / "c", state);
  EXPECT_LT(std::filesystem::file_size(path / "state.h5"), 2 * 65536 + 30000);
  const auto loaded = load_checkpoint(path).state;
  ASSERT_EQ(loaded.parameters[0].tensor.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(loaded.parameters[0].tensor.view(at::kShort), bits));
}

/// The checkpoint in data/golden was written by the program before states had several files.
TEST(Checkpoint, ReadsFormat1) {
  const auto folder = std::filesystem::path(SEAWALL_SOURCE_DIR) / "data/golden/checkpoint_v1";
  expect_same(load_checkpoint(folder).state, sample_state(2));
  const Folder other;
  std::filesystem::copy(folder, other / "step-2");
  auto manifest = bytes_of(other / "step-2/manifest.json");
  manifest.replace(manifest.find("version\": 1") + 10, 1, "3");
  spit(other / "step-2/manifest.json", manifest);
  EXPECT_NE(testing::message_of<DataError>([&] {
              load_checkpoint(other / "step-2");
            }).find("want format version 1 or 2; read it with the Seawall that wrote it"),
            std::string::npos);
}

TEST(Checkpoint, NamesOfAnyKindComeBackFromLegalLinks) {
  std::set<std::string> links;
  for (const std::string name :
       {"a/b", "a%2Fb", "/a", "_/a", "_%2Fa", "%5F", "_", ".", "..", "-x", "x ", " ", "a b", "é/ü",
        "step%", "\n", "_\x7f", "model.layers.0.mlp.up_proj.weight"}) {
    const auto link = link_name(name);
    EXPECT_EQ(name_of_link(link), name) << link;
    EXPECT_TRUE(h5::is_legal_name(link)) << link;
    EXPECT_TRUE(links.insert(link).second) << link;
  }
  EXPECT_EQ(name_of_link("a%2Fb%25"), "a/b%");  // as written before
  EXPECT_EQ(name_of_link("%2E"), ".");
}

TEST(Checkpoint, ASteppedBackRunReplacesAndPrunes) {
  const Folder folder;
  for (const auto step : {1, 2, 3, 4}) save_checkpoint(folder / "c", sample_state(step), 2);
  EXPECT_EQ(list_checkpoints(folder / "c"), (std::vector<std::int64_t>{4, 3}));
  auto other = sample_state(3);
  other.config_hash = "other";
  save_checkpoint(folder / "c", other, 2);  // of a run that went back: step 4 is of another past
  EXPECT_EQ(list_checkpoints(folder / "c"), std::vector<std::int64_t>{3});
  EXPECT_EQ(load_checkpoint(folder / "c").state.config_hash, "other");
  EXPECT_TRUE(leftovers(folder.path()).empty());
}

TEST(Checkpoint, TheNewestValidOneIsTakenAndTheOthersAreSaid) {
  const Folder folder;
  for (const auto step : {1, 2, 3}) save_checkpoint(folder / "c", sample_state(step), 3);
  std::filesystem::remove(folder / "c/step-3/manifest.json");
  auto bytes = bytes_of(folder / "c/step-2/state.h5");
  bytes[bytes.size() / 2] ^= 1;
  spit(folder / "c/step-2/state.h5", bytes);
  const auto loaded = load_checkpoint(folder / "c");
  EXPECT_EQ(loaded.state.step, 1);
  ASSERT_EQ(loaded.skipped.size(), 2U);
  EXPECT_NE(loaded.skipped[1].find("state.h5: the content does not match"), std::string::npos);
  std::filesystem::remove_all(folder / "c/step-1");
  EXPECT_THROW(load_checkpoint(folder / "c"), DataError);
  EXPECT_THROW(load_checkpoint(folder / "c/step-2"), DataError);
  EXPECT_THROW(load_checkpoint(folder.path()), DataError);
}

TEST(Checkpoint, DamageAnywhereIsFoundBeforeItIsParsed) {
  const Folder folder;
  const auto path = save_checkpoint(folder / "c", sample_state(1));
  std::mt19937 random(3);
  for (const auto* name : {"state.h5", "manifest.json", "config.json", "tokenizer.model"}) {
    const auto good = bytes_of(path / name);
    for (int i = 0; i < 150; ++i) {
      auto bad = good;
      if (i % 2 == 0) {
        bad.resize(random() % good.size());
      } else {
        bad[random() % good.size()] ^= static_cast<char>(1 << (random() % 8));
      }
      spit(path / name, bad);
      try {
        const auto loaded = load_checkpoint(path);
        // A flipped bit in a word of the manifest that nothing depends on may be harmless.
        EXPECT_STREQ(name, "manifest.json");
        expect_same(loaded.state, sample_state(1));
      } catch (const DataError& error) {
        EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
      }
    }
    spit(path / name, good);
  }
}

TEST(Checkpoint, AHostileManifestNamesNothingOutside) {
  const Folder folder;
  const auto path = save_checkpoint(folder / "c", sample_state(1));
  auto manifest = bytes_of(path / "manifest.json");
  manifest.replace(manifest.find("config.json"), 11, "../../../secret");
  spit(path / "manifest.json", manifest);
  EXPECT_THROW(load_checkpoint(path), DataError);
}

TEST(Checkpoint, RefusesWhatCannotBeKept) {
  const Folder folder;
  auto state = sample_state(1);
  state.parameters.push_back(state.parameters.front());
  EXPECT_THROW(save_checkpoint(folder / "c", state), RunError);
  state = sample_state(1);
  state.parameters[0].tensor = state.parameters[0].tensor.to(at::kComplexFloat);
  EXPECT_THROW(save_checkpoint(folder / "c", state), RunError);
  state = sample_state(1);
  state.files["../up"] = "";
  EXPECT_THROW(save_checkpoint(folder / "c", state), RunError);
  EXPECT_TRUE(list_checkpoints(folder / "c").empty());
  EXPECT_TRUE(leftovers(folder.path()).empty());
}

TEST(StateGroup, NamesTheKeyThatIsMissingAndKeepsCopies) {
  StateGroup group;
  group.name = "weight-drift";
  auto value = at::zeros({2});
  group.tensor("mean", value);
  value.fill_(1);
  EXPECT_TRUE(at::equal(group.tensor("mean"), at::zeros({2})));
  group.tensor("mean").fill_(2);
  EXPECT_TRUE(at::equal(group.tensor("mean"), at::zeros({2})));
  try {
    static_cast<void>(group.number("count"));
    FAIL();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("weight-drift: the number `count`"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace seawall
