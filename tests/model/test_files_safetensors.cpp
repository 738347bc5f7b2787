#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include "test_files_support.hpp"

namespace seawall {
namespace {

using namespace testing;

constexpr const char* two = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                            R"("b":{"dtype":"F16","shape":[1,2],"data_offsets":[8,12]}})";
const std::string two_data = raw(1.5f) + raw(-2.0f) + std::string("\x00\x3C\x00\xC0", 4);

std::string refuse_bytes(const std::string& bytes) {
  const Folder folder;
  const auto file = folder.write("w.safetensors", bytes);
  const auto what = message_of<DataError>([&] { read_safetensors(file); });
  EXPECT_HAS(what, "w.safetensors");
  return what;
}
std::string refuse_header(const std::string& header, std::size_t data = 0) {
  return refuse_bytes(safetensors(header, std::string(data, 'x')));
}

TEST(Safetensors, ReadsTypesAndShapes) {
  const Folder folder;
  const auto file = folder.write("w.safetensors", safetensors(two, two_data));
  const auto tensors = read_safetensors(file);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].tensor[1].item<float>(), -2.0f);
  EXPECT_EQ(tensors[1].tensor.scalar_type(), at::kFloat);
  EXPECT_EQ(tensors[1].tensor.sizes(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(tensors[1].tensor[0][1].item<float>(), -2.0f);
  EXPECT_EQ(read_safetensors(file, false)[1].tensor.scalar_type(), at::kHalf);
}

TEST(Safetensors, WritesWhatItReads) {
  const Folder folder;
  const auto file = folder.path() / "w.safetensors";
  const auto bf16 = at::arange(7, at::kFloat).to(at::kBFloat16);
  const auto turned = at::arange(6, at::kFloat).reshape({2, 3}).t();  // not contiguous
  write_safetensors(file, {{"z", turned}, {"a", bf16}, {"none", at::empty({0, 3})}},
                    {{"format", "pt"}});
  const auto tensors = read_safetensors(file, false);
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].name, "z") << "the order is kept";
  EXPECT_TRUE(at::equal(tensors[0].tensor, turned));
  EXPECT_TRUE(at::equal(tensors[1].tensor, bf16));
  EXPECT_EQ(tensors[2].tensor.sizes(), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "no temporary file is left";
}

TEST(Safetensors, WritingRefusesWhatCannotBeRead) {
  const Folder folder;
  const auto file = folder.path() / "w.safetensors";
  const auto x = at::full({1}, 1.0);
  EXPECT_THROW(write_safetensors(file, {{"a", x}, {"a", x}}), UsageError);
  EXPECT_THROW(write_safetensors(file, {{"__metadata__", x}}), UsageError);
  EXPECT_THROW(write_safetensors(file, {{"a", x.to(at::kLong)}}), UsageError);
  EXPECT_THROW(write_safetensors(folder.path() / "no" / "w", {{"a", x}}), IoError);
}

TEST(Safetensors, TheHeaderLengthIsChecked) {
  EXPECT_HAS(refuse_bytes("abc"), "at least 8 bytes");
  EXPECT_HAS(refuse_bytes(raw<std::uint64_t>(3) + "{}"), "header length 3");
  EXPECT_HAS(refuse_bytes(raw<std::uint64_t>(UINT64_MAX) + "{}"), "cut short");
  EXPECT_HAS(refuse_bytes(raw<std::uint64_t>(100'000'001) + "{}"), "100000001");
  EXPECT_HAS(refuse_bytes(safetensors("", "")), "does not start with '{'");
  EXPECT_HAS(refuse_bytes(safetensors(" {}", "")), "does not start with '{'");
  EXPECT_HAS(refuse_bytes(safetensors(two, two_data.substr(1))), "at most 11");
}

TEST(Safetensors, TheHeaderIsStrictJson) {
  EXPECT_HAS(refuse_header("{\"a\":"), "not valid JSON at byte");
  EXPECT_HAS(refuse_header("{\"\xFF\":1}"), "not valid JSON");
  EXPECT_HAS(refuse_header("{\"a\":1}"), "'a'");
  EXPECT_HAS(refuse_header("{\"a\":null}"), "null");
  EXPECT_HAS(refuse_header("{\"a\":[]}"), "array");
  EXPECT_HAS(refuse_header("{\"__metadata__\":{\"k\":1}}"), "number");
  EXPECT_HAS(refuse_header("{" + std::string(100000, '[')), "");
  EXPECT_HAS(refuse_header("{\"a\":" + std::string(100000, '[')), "'a'");
  const std::string entry = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_HAS(refuse_header("{\"a\":" + entry + ",\"a\":" + entry + "}", 4), "twice");
  EXPECT_HAS(refuse_header("{\"" + std::string(1025, 'n') + "\":" + entry + "}", 4),
             "longer than 1024");
  EXPECT_HAS(refuse_header(R"({"a":{"dtype":"F32","shape":[1]}})"), "want dtype");
  EXPECT_HAS(refuse_header(R"({"a":{"dtype":"F32","shape":[1],"shape":[1]}})"), "twice");
  EXPECT_HAS(refuse_header(R"({"a":{"type":"F32"}})"), "unknown field");
  EXPECT_HAS(refuse_header(R"({"a":{"dtype":7}})"), "number");
  EXPECT_HAS(refuse_header(R"({"a":{"shape":[-1]}})"), "negative");
  EXPECT_HAS(refuse_header(R"({"a":{"shape":[1.5]}})"), "fraction");
  EXPECT_HAS(refuse_header(R"({"a":{"shape":[1,1,1,1,1,1,1,1,1]}})"), "8 dimensions");
  EXPECT_HAS(refuse_header(R"({"a":{"shape":[18446744073709551615]}})"), "too large");
  EXPECT_HAS(refuse_header(R"({"a":{"data_offsets":[1,2,3]}})"), "two data_offsets");
  EXPECT_HAS(refuse_header(R"({"a":{"data_offsets":[1]}})"), "two data_offsets");
}

TEST(Safetensors, OffsetsShapesAndTypesMustAgree) {
  const auto entry = [](const char* type, const char* shape, const char* offsets) {
    return std::string("{\"a\":{\"dtype\":\"") + type + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}}";
  };
  EXPECT_HAS(refuse_header(entry("F32", "[2]", "[0,4]"), 4), "want 8 bytes");
  EXPECT_HAS(refuse_header(entry("F32", "[1]", "[4,0]"), 4), "'a'");
  EXPECT_HAS(refuse_header(entry("F32", "[1]", "[4,8]"), 8), "want a start of 0");
  EXPECT_HAS(refuse_header(entry("F32", "[1]", "[0,4]"), 8), "the data has 8 bytes");
  EXPECT_HAS(refuse_header(entry("F32", "[3]", "[0,12]"), 8), "at most 8");
  EXPECT_HAS(refuse_header(entry("I64", "[1]", "[0,8]"), 8), "'I64', want F32");
  EXPECT_HAS(refuse_header(entry("F32", "[4611686018427387904,4]", "[0,0]")), "overflows");
  EXPECT_HAS(refuse_header(entry("F32", "[0,9000000000000000000,9]", "[0,0]")), "overflows");
  // A hole between two tensors, and two that overlap.
  std::string gap = two, overlap = two;
  gap.replace(gap.find("[8,12]"), 6, "[9,13]");
  overlap.replace(overlap.find("[8,12]"), 6, "[7,11]");
  EXPECT_HAS(refuse_header(gap, 13), "want a start of 8");
  EXPECT_HAS(refuse_header(overlap, 11), "want a start of 8");
}

TEST(Safetensors, MissingFilesAndFoldersAreIoErrors) {
  const Folder folder;
  EXPECT_HAS(message_of<IoError>([&] { read_safetensors(folder.path() / "none"); }), "none");
  EXPECT_HAS(message_of<IoError>([&] { read_safetensors(folder.path()); }), "directory");
}

TEST(HfFolder, WritesWhatItReads) {
  for (const bool tied : {true, false}) {
    const Folder folder;
    const auto config = tiny_config(tied);
    const auto weights = tiny_weights(config);
    write_hf_folder(folder.path() / "new", config, weights, {.bos = 1, .eos = {2}});
    const auto again = read_hf_folder(folder.path() / "new");
    EXPECT_EQ(again.config.to_json(), config.to_json());
    ASSERT_EQ(again.weights.size(), weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_EQ(again.weights[i].name, weights[i].name);
      EXPECT_TRUE(at::equal(again.weights[i].tensor, weights[i].tensor)) << weights[i].name;
    }
    EXPECT_HAS(folder.read("new/generation_config.json"), "\"eos_token_id\": 2");
  }
}

class HfFolderCase : public ::testing::Test {
 protected:
  void SetUp() override {
    write_hf_folder(folder_.path(), config_, weights_, {.bos = 1, .eos = {2}});
  }
  std::string refuse() {
    return message_of<DataError>([&] { read_hf_folder(folder_.path()); });
  }
  void write(const NamedTensors& weights) {
    write_safetensors(folder_.path() / "model.safetensors", weights);
  }
  Folder folder_;
  LlamaConfig config_ = tiny_config();
  NamedTensors weights_ = tiny_weights(config_);
};

TEST_F(HfFolderCase, AMissingSurplusOrMisshapenTensorIsNamed) {
  auto weights = weights_;
  weights.pop_back();
  write(weights);
  EXPECT_HAS(refuse(), "'model.norm.weight' of shape [4] is missing");
  weights = weights_;
  weights.push_back({"extra.weight", at::full({1}, 1.0)});
  write(weights);
  EXPECT_HAS(refuse(), "extra.weight");
  weights = weights_;
  weights[2].tensor = at::full({4, 5}, 1.0);
  write(weights);
  EXPECT_HAS(refuse(), "q_proj.weight': config.json wants shape [4,4], found [4,5]");
}

TEST_F(HfFolderCase, ATiedHeadAndOldRotaryBuffersAreLeftOut) {
  auto weights = weights_;
  weights.push_back({"lm_head.weight", weights[0].tensor});
  weights.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", at::full({1}, 1.0)});
  write(weights);
  EXPECT_EQ(read_hf_folder(folder_.path()).weights.size(), weights_.size());
}

TEST_F(HfFolderCase, AHeadNextToAConfigThatTiesItCountsWhereItDiffers) {
  auto weights = weights_;
  weights.push_back({"lm_head.weight", weights[0].tensor + 1});
  write(weights);
  const auto own = read_hf_folder(folder_.path());
  EXPECT_FALSE(own.config.tie_word_embeddings);
  EXPECT_TRUE(at::equal(own.weights.back().tensor, weights.back().tensor));
  ASSERT_EQ(own.notices.size(), 1u);
  EXPECT_HAS(own.notices[0], "lm_head counts, as in transformers");
  // A head alone is the embedding as well.
  weights.erase(weights.begin());
  write(weights);
  const auto alone = read_hf_folder(folder_.path());
  EXPECT_TRUE(alone.config.tie_word_embeddings);
  EXPECT_TRUE(at::equal(alone.weights.front().tensor, weights.back().tensor));
  EXPECT_TRUE(list_hf_folder(folder_.path()).weights.front().tensor.is_meta());
  // An own head that is not there is not made up.
  folder_.write("config.json", tiny_config(false).to_json());
  write(weights_);
  EXPECT_HAS(refuse(), "'lm_head.weight' is missing, and config.json does not tie it");
}

TEST_F(HfFolderCase, TheSameWeightsUnderTheirOtherNames) {
  const auto want = read_hf_folder(folder_.path()).weights;
  for (const std::string start :
       {"module.", "_orig_mod.", "base_model.model.", "language_model.", "transformer.",
        "module._orig_mod.", "model.language_", "-model."}) {
    SCOPED_TRACE(start);
    auto weights = weights_;
    for (auto& [name, tensor] : weights) name = start == "-model." ? name.substr(6) : start + name;
    weights.push_back({"vision_tower.patch.weight", at::full({2}, 1.0)});
    write(weights);
    const auto read = read_hf_folder(folder_.path());
    ASSERT_EQ(read.weights.size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(read.weights[i].name, want[i].name);
      EXPECT_TRUE(at::equal(read.weights[i].tensor, want[i].tensor)) << want[i].name;
    }
    EXPECT_HAS(read.notices.back(), "left out, such as 'vision_tower.patch.weight'");
    EXPECT_EQ(list_hf_folder(folder_.path()).weights.size(), want.size());
  }
  auto weights = weights_;  // compiled block by block; one of them twice
  for (auto& [name, tensor] : weights)
    if (const auto at = name.find("layers.0."); at != std::string::npos)
      name.insert(at + 9, "_orig_mod.");
  weights.push_back({"norm.weight", weights_.back().tensor});
  write(weights);
  EXPECT_EQ(read_hf_folder(folder_.path()).weights.size(), want.size());
  weights.back().tensor = weights.back().tensor + 1;
  write(weights);
  EXPECT_HAS(refuse(), "twice as model.norm.weight, with other values");
}

TEST_F(HfFolderCase, ADtypeThatIsNotTheStoredOneIsSaid) {
  EXPECT_TRUE(read_hf_folder(folder_.path()).notices.empty());
  auto text = folder_.read("config.json");
  text.replace(text.find("float32"), 7, "bfloat16");
  folder_.write("config.json", text);
  EXPECT_HAS(read_hf_folder(folder_.path()).notices.at(0),
             "says dtype bfloat16, the weights are stored as F32");
}

TEST(HfFolder, IdsThatAreNotThereAreNotWritten) {
  const Folder folder;
  const auto config = tiny_config();
  write_hf_folder(folder.path(), config, tiny_weights(config), {.bos = {}, .eos = {3, 5}});
  const auto text = folder.read("config.json") + folder.read("generation_config.json");
  EXPECT_EQ(text.find("bos_token_id"), std::string::npos);
  EXPECT_EQ(text.find("-1"), std::string::npos);
  EXPECT_HAS(config_json(config, {.bos = 1, .eos = {3, 5}}), "\"eos_token_id\": [\n    3,\n    5");
}

TEST_F(HfFolderCase, ReadsTheShardsThatAnIndexNames) {
  const auto half = weights_.begin() + 5;
  write_safetensors(folder_.path() / "m-1.safetensors", {weights_.begin(), half});
  write_safetensors(folder_.path() / "m-2.safetensors", {half, weights_.end()});
  std::filesystem::remove(folder_.path() / "model.safetensors");
  const auto index = [&](const std::string& second) {
    folder_.write("model.safetensors.index.json",
                  R"({"weight_map": {"a": "m-1.safetensors", "b": ")" + second + "\"}}");
  };
  index("m-2.safetensors");
  EXPECT_EQ(read_hf_folder(folder_.path()).weights.size(), weights_.size());
  for (const auto* name : {"../m-2.safetensors", "/etc/passwd", "..", "", "sub/m-2"}) {
    index(name);
    EXPECT_HAS(refuse(), "plain file name");
  }
}

TEST_F(HfFolderCase, PickledWeightsAreRefusedWithTheWayOut) {
  std::filesystem::remove(folder_.path() / "model.safetensors");
  EXPECT_THROW(read_hf_folder(folder_.path()), IoError);
  folder_.write("pytorch_model.bin", "x");
  EXPECT_HAS(refuse(), "safe_serialization=True");
}

}  // namespace
}  // namespace seawall
