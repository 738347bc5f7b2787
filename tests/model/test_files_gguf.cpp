#include <ATen/ops/full.h>

#include <limits>

#include "model/gguf_types.hpp"
#include "test_files_support.hpp"

namespace seawall {
namespace {

using namespace testing;

constexpr std::uint32_t f32 = 0;

std::string floats(const Tensor& tensor) {
  const auto contiguous = tensor.contiguous();
  return {static_cast<const char*>(contiguous.const_data_ptr()), contiguous.nbytes()};
}

std::string refuse_gguf(const std::string& bytes) {
  const Folder folder;
  const auto file = folder.write("m.gguf", bytes);
  const auto what = message_of<DataError>([&] { GgufFile{file}; });
  EXPECT_HAS(what, "m.gguf: byte ");
  return what;
}

/// The metadata and tensors of tiny_config, with q and k in GGUF's order of rotary rows.
GgufBuilder tiny_gguf(const std::string& left_out = "") {
  GgufBuilder file;
  file.str("general.architecture", "llama").u32("llama.embedding_length", 4);
  file.u32("llama.feed_forward_length", 8).u32("llama.block_count", 1);
  file.u32("llama.attention.head_count", 2).u32("llama.attention.head_count_kv", 1);
  file.u32("llama.context_length", 32).f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  const std::vector<std::pair<std::string, std::string>> names = {
      {"embed_tokens", "token_embd"},       {"input_layernorm", "blk.0.attn_norm"},
      {"q_proj", "blk.0.attn_q"},           {"k_proj", "blk.0.attn_k"},
      {"v_proj", "blk.0.attn_v"},           {"o_proj", "blk.0.attn_output"},
      {"post_attention", "blk.0.ffn_norm"}, {"gate_proj", "blk.0.ffn_gate"},
      {"up_proj", "blk.0.ffn_up"},          {"down_proj", "blk.0.ffn_down"},
      {"model.norm", "output_norm"}};
  for (const auto& [name, tensor] : tiny_weights(tiny_config())) {
    for (const auto& [part, gguf] : names) {
      if (name.find(part) == std::string::npos || gguf == left_out) continue;
      std::vector<std::uint64_t> shape;
      for (const auto size : tensor.sizes()) shape.insert(shape.begin(), size);
      file.tensor(gguf + ".weight", shape, f32, floats(tensor));
    }
  }
  return file;
}

TEST(Gguf, ReadsEveryKindOfValue) {
  GgufBuilder file;
  file.pair("u8", 0, "\x07").pair("i8", 1, "\xFE").pair("u16", 2, raw<std::uint16_t>(9));
  file.pair("i16", 3, raw<std::int16_t>(-9)).u32("u32", 5).pair("i32", 5, raw(-6));
  file.f32("f32", 0.5f).pair("flag", 7, "\x01").str("text", "hi");
  file.pair("u64", 10, raw<std::uint64_t>(1)).pair("i64", 11, raw<std::int64_t>(-2));
  file.pair("f64", 12, raw(0.25));
  file.pair("texts", 9, raw(8u) + raw<std::uint64_t>(2) + file.text("x") + file.text("y"));
  file.pair("numbers", 9, raw(5u) + raw<std::uint64_t>(2) + raw(3) + raw(-4));
  file.pair("floats", 9, raw(6u) + raw<std::uint64_t>(1) + raw(1.5f));
  const Folder folder;
  const GgufFile gguf(folder.write("m.gguf", file.build()));
  EXPECT_EQ(gguf.integer("u8"), 7);
  EXPECT_EQ(gguf.integer("i8"), -2);
  EXPECT_EQ(gguf.integer("i16"), -9);
  EXPECT_EQ(gguf.integer("i32"), -6);
  EXPECT_EQ(gguf.integer("u64"), 1);
  EXPECT_EQ(gguf.number("f32"), 0.5);
  EXPECT_EQ(gguf.number("f64"), 0.25);
  EXPECT_EQ(gguf.number("u32"), 5.0);
  EXPECT_EQ(std::get<bool>(gguf.metadata().at("flag")), true);
  EXPECT_EQ(gguf.text("text"), "hi");
  EXPECT_EQ(gguf.texts("texts"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(gguf.integers("numbers"), (std::vector<std::int64_t>{3, -4}));
  EXPECT_TRUE(gguf.has("u16"));
  EXPECT_FALSE(gguf.has("none"));
  EXPECT_HAS(message_of<DataError>([&] { gguf.text("u8"); }), "'u8': want a text");
  EXPECT_HAS(message_of<DataError>([&] { gguf.integer("none"); }), "'none' is missing");
  EXPECT_HAS(message_of<DataError>([&] { gguf.integer("f32"); }), "an integer");
}

/// What `type` makes of one block.
std::vector<float> dequantized(std::string_view type, const std::string& block) {
  const auto found = gguf_type(type).value();
  EXPECT_EQ(block.size(), found.bytes);
  std::vector<float> values(found.block);
  found.dequantize(block.data(), values.data(), 1);
  return values;
}

TEST(Gguf, BlocksBecomeFloatsAsGgmlDefinesThem) {
  const std::string one("\x00\x3C", 2), half("\x00\x38", 2);  // 1.0 and 0.5 in half precision
  std::string nibbles;
  for (int i = 0; i < 16; ++i) nibbles += static_cast<char>(i | (15 - i) << 4);
  const auto q4_1 = dequantized("Q4_1", half + one + nibbles);
  const auto q4_0 = dequantized("Q4_0", half + nibbles);
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += static_cast<char>(i - 16);
  const auto q8_0 = dequantized("Q8_0", half + bytes);
  for (std::size_t i = 0; i < 16; ++i) {
    const auto low = static_cast<float>(i), high = static_cast<float>(15 - i);
    EXPECT_EQ(q4_1[i], low * 0.5f + 1.0f);
    EXPECT_EQ(q4_1[16 + i], high * 0.5f + 1.0f);
    EXPECT_EQ(q4_0[i], (low - 8) * 0.5f);
    EXPECT_EQ(q4_0[16 + i], (high - 8) * 0.5f);
    EXPECT_EQ(q8_0[i], (low - 16) * 0.5f);
  }
  EXPECT_EQ(dequantized("F16", half), (std::vector<float>{0.5f}));
  EXPECT_EQ(dequantized("BF16", "\x80\x3F"), (std::vector<float>{1.0f}));
}

TEST(Gguf, LlamaWeightsComeUnderHuggingFaceNamesWithRotaryRowsApart) {
  const Folder folder;
  const GgufFile gguf(folder.write("m.gguf", tiny_gguf().build()));
  const auto config = gguf.llama_config();
  EXPECT_EQ(config.parameter_shapes(), tiny_config().parameter_shapes());
  EXPECT_EQ(config.rms_norm_eps, static_cast<double>(1e-5f));
  EXPECT_TRUE(config.tie_word_embeddings);
  const auto weights = gguf.llama_weights();
  const auto wanted = tiny_weights(tiny_config());
  ASSERT_EQ(weights.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(weights[i].name, wanted[i].name);
    // Heads of two rows are their own two halves, so nothing moves at this size.
    EXPECT_TRUE(at::equal(weights[i].tensor, wanted[i].tensor)) << wanted[i].name;
  }
}

TEST(Gguf, RotaryRowsOfAHeadOfFourAreInterleavedInTheFile) {
  GgufBuilder file;
  file.str("general.architecture", "llama").u32("llama.embedding_length", 8);
  file.u32("llama.feed_forward_length", 8).u32("llama.block_count", 1);
  file.u32("llama.attention.head_count", 2).u32("llama.context_length", 32);
  file.f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  const auto rows = [](int offset) {
    return floats(at::arange(8, at::kFloat).add(offset).unsqueeze(1).expand({8, 8}));
  };
  file.tensor("token_embd.weight", {8, 8}, f32, rows(0));
  for (const auto* name :
       {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
    file.tensor(std::string("blk.0.") + name + ".weight", {8, 8}, f32, rows(0));
  }
  for (const auto* name : {"blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"}) {
    file.tensor(std::string(name) + ".weight", {8}, f32, floats(at::full({8}, 1.0f)));
  }
  const Folder folder;
  for (const auto& [name, tensor] : GgufFile(folder.write("m", file.build())).llama_weights()) {
    if (name.find("q_proj") == std::string::npos && name.find("k_proj") == std::string::npos) {
      continue;
    }
    // transformers: reshape(heads, D / 2, 2, C).swapaxes(1, 2)
    const auto wanted = at::arange(8, at::kFloat).reshape({2, 2, 2}).transpose(1, 2).reshape({8});
    EXPECT_TRUE(at::equal(tensor.select(1, 0), wanted)) << name;
  }
}

TEST(Gguf, LlamaFilesThatCannotRunAreRefusedByKeyOrTensor) {
  const auto refuse_llama = [](const GgufBuilder& builder) {
    const Folder folder;
    const GgufFile file(folder.write("m.gguf", builder.build()));
    return message_of<DataError>([&] { file.llama_weights(); });
  };
  EXPECT_HAS(refuse_llama(tiny_gguf("blk.0.attn_q")), "'blk.0.attn_q.weight' is missing");
  EXPECT_HAS(refuse_llama(tiny_gguf().tensor("odd", {2}, f32, std::string(8, 'x'))), "'odd'");
  EXPECT_HAS(refuse_llama(tiny_gguf().tensor("rope_freqs.weight", {1}, f32, "1234")), "rope_freqs");
  EXPECT_HAS(refuse_llama(tiny_gguf().str("llama.rope.scaling.type", "yarn")), "'yarn'");
  EXPECT_HAS(refuse_llama(tiny_gguf().pair("llama.attention.causal", 7, std::string(1, '\0'))),
             "attention.causal is false");
  EXPECT_HAS(refuse_llama(tiny_gguf().f32("llama.rope.scaling.attn_factor", 2)), "attn_factor");
  EXPECT_HAS(refuse_llama(tiny_gguf().u32("llama.rope.dimension_count", 1)), "dimension_count");
  EXPECT_HAS(refuse_llama(tiny_gguf().u32("llama.attention.value_length", 9)), "value_length");
  EXPECT_HAS(refuse_llama(tiny_gguf().u32("llama.expert_count", 8)), "expert");
  EXPECT_HAS(refuse_llama(GgufBuilder().str("general.architecture", "mamba")), "'mamba'");
  EXPECT_HAS(refuse_llama(GgufBuilder()), "'general.architecture' is missing");
  auto wide = tiny_gguf("output_norm");
  wide.tensor("output_norm.weight", {5}, f32, std::string(20, 'x'));
  EXPECT_HAS(refuse_llama(wide), "output_norm.weight");
  auto quantized = tiny_gguf("blk.0.attn_norm");
  quantized.tensor("blk.0.attn_norm.weight", {4}, 26, std::string(16, 'x'));
  EXPECT_HAS(refuse_llama(quantized), "type I32, want F32, F16, BF16, Q8_0, Q4_0, Q4_1");
  EXPECT_HAS(refuse_llama(tiny_gguf().str("llama.rope.scaling.type", "linear")),
             "'llama.rope.scaling.factor' is missing");
  // A head of two has one frequency; its only scaling is none at all.
  EXPECT_HAS(refuse_llama(tiny_gguf().tensor("rope_freqs.weight", {1}, f32, raw(2.0f))),
             "not those of Llama 3's scaling");
}

TEST(Gguf, AWindowMakesTheModelAMistral) {
  const Folder folder;
  const GgufFile file(
      folder.write("m.gguf", tiny_gguf().u32("llama.attention.sliding_window", 9).build()));
  EXPECT_EQ(file.llama_config().family, &family_of("mistral"));
  EXPECT_EQ(file.llama_config().sliding_window, 9);
  const GgufFile linear(folder.write("l.gguf", tiny_gguf()
                                                   .str("llama.rope.scaling.type", "linear")
                                                   .f32("llama.rope.scaling.factor", 2)
                                                   .build()));
  EXPECT_EQ(linear.llama_config().rope_scaling.type, RopeScaling::Type::linear);
  EXPECT_EQ(linear.llama_config().rope_scaling.factor, 2);
  // As llama.cpp has it, a factor needs no type, and may have its old name.
  for (const auto* name : {"llama.rope.scaling.factor", "llama.rope.scale_linear"}) {
    const GgufFile bare(folder.write("b.gguf", tiny_gguf().f32(name, 4).build()));
    EXPECT_EQ(bare.llama_config().rope_scaling.type, RopeScaling::Type::linear) << name;
    EXPECT_EQ(bare.llama_config().rope_scaling.factor, 4) << name;
    const GgufFile off(folder.write(
        "o.gguf", tiny_gguf().str("llama.rope.scaling.type", "none").f32(name, 4).build()));
    EXPECT_NE(off.llama_config().rope_scaling.type, RopeScaling::Type::linear) << name;
  }
}

GgufBuilder split_part(std::uint32_t number, std::uint32_t count) {
  GgufBuilder part;
  if (number == 0) part.str("general.name", "whole");
  part.u32("split.no", number).u32("split.count", count).u32("split.tensors.count", 2);
  return part.tensor("t" + std::to_string(number), {1}, 0, raw(1.5f + static_cast<float>(number)));
}

TEST(Gguf, ThePartsOfASplitFileAreReadTogetherWhicheverIsGiven) {
  const Folder folder;
  const auto first = folder.write("m-00001-of-00002.gguf", split_part(0, 2).build());
  const auto second = folder.write("m-00002-of-00002.gguf", split_part(1, 2).build());
  for (const auto& given : {first, second}) {
    const GgufFile file(given);
    EXPECT_EQ(file.parts(), 2u);
    EXPECT_EQ(file.text("general.name"), "whole");
    ASSERT_EQ(file.tensors().size(), 2u);
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_EQ(file.load(file.tensors()[i]).item<float>(), 1.5f + static_cast<float>(i));
    EXPECT_EQ(file.file_bytes(),
              std::filesystem::file_size(first) + std::filesystem::file_size(second));
  }
  const auto renamed = folder.write("m.gguf", split_part(0, 2).build());
  EXPECT_HAS(message_of<DataError>([&] { GgufFile{renamed}; }),
             "part 1 of a GGUF split in 2; its name must end in -00001-of-00002.gguf");
  folder.write("m-00002-of-00002.gguf", split_part(0, 2).build());
  EXPECT_HAS(message_of<DataError>([&] { GgufFile{first}; }), "want part 2 of 2");
  std::filesystem::remove(second);
  EXPECT_HAS(message_of<IoError>([&] { GgufFile{first}; }), "m-00002-of-00002.gguf: is missing");
}

TEST(Gguf, TheStartIsChecked) {
  EXPECT_HAS(refuse_gguf(""), "letters GGUF");
  EXPECT_HAS(refuse_gguf("GGML1234"), "letters GGUF");
  EXPECT_HAS(refuse_gguf("GGUF\x03"), "the file ends here");
  GgufBuilder old;
  old.version = 1;
  EXPECT_HAS(refuse_gguf(old.build()), "version 1, want 2 or 3");
  GgufBuilder big;
  big.version = 0x03000000;
  EXPECT_HAS(refuse_gguf(big.build()), "little-endian");
  GgufBuilder two;
  two.version = 2;
  const Folder folder;
  EXPECT_NO_THROW(GgufFile(folder.write("m", two.build())));
}

TEST(Gguf, CountsAndLengthsMustFitInTheFile) {
  GgufBuilder tensors;
  tensors.tensor_count = std::uint64_t{1} << 60;
  EXPECT_HAS(refuse_gguf(tensors.build()), "tensors do not fit");
  GgufBuilder pairs;
  pairs.pair_count = UINT64_MAX;
  EXPECT_HAS(refuse_gguf(pairs.build()), "metadata pairs do not fit");
  EXPECT_HAS(refuse_gguf(GgufBuilder().pair("k", 8, raw<std::uint64_t>(1 << 30)).build()),
             "'k': a text of 1073741824 bytes");
  EXPECT_HAS(refuse_gguf(GgufBuilder().pair("k", 9, raw(8u) + raw<std::uint64_t>(1 << 30)).build()),
             "array elements do not fit");
  EXPECT_HAS(refuse_gguf(GgufBuilder().pair("k", 9, raw(9u) + raw<std::uint64_t>(1)).build()),
             "array of arrays");
  EXPECT_HAS(refuse_gguf(GgufBuilder().pair("k", 13, "xxxx").build()), "value type 13");
  EXPECT_HAS(refuse_gguf(GgufBuilder().u32("k", 1).u32("k", 2).build()),
             "'k': the key is there twice");
  const std::string many(std::size_t{1} << 24, '\0');
  EXPECT_HAS(refuse_gguf(GgufBuilder()
                             .pair("a", 9, raw(0u) + raw<std::uint64_t>(many.size()) + many)
                             .pair("b", 9, raw(0u) + raw<std::uint64_t>(1) + "x")
                             .build()),
             "2^24 array elements");
}

TEST(Gguf, TensorsMustLieInTheFile) {
  const auto with = [](const std::vector<std::uint64_t>& shape, std::uint32_t type,
                       std::size_t bytes, std::uint64_t offset_error = 0) {
    GgufBuilder file;
    file.offset_error = offset_error;
    return refuse_gguf(file.tensor("t", shape, type, std::string(bytes, 'x')).build());
  };
  EXPECT_HAS(with({64}, f32, 32), "inside the file");
  EXPECT_HAS(with({8}, f32, 32, 32), "inside the file");
  EXPECT_HAS(with({8}, f32, 32, 1), "want a multiple of 32");
  EXPECT_HAS(with({8}, f32, 32, UINT64_MAX - 31), "inside the file");
  EXPECT_HAS(with({}, f32, 32), "0 dimensions");
  EXPECT_HAS(with({1, 1, 1, 1, 1}, f32, 32), "5 dimensions");
  EXPECT_HAS(with({0}, f32, 32), "a dimension of 0");
  EXPECT_HAS(with({std::uint64_t{1} << 62, 4}, f32, 32), "overflows");
  EXPECT_HAS(with({std::uint64_t{1} << 62, 1}, f32, 32), "overflows");
  EXPECT_HAS(with({33}, 3, 40), "multiple of 32 for type Q4_1");
  EXPECT_HAS(with({8}, 99, 32), "tensor type 99");
  GgufBuilder twice;
  twice.tensor("t", {8}, f32, std::string(32, 'x')).tensor("t", {8}, f32, std::string(32, 'x'));
  EXPECT_HAS(refuse_gguf(twice.build()), "twice");
  GgufBuilder overlap;
  overlap.tensor("a", {16}, f32, std::string(32, 'x')).tensor("b", {8}, f32, std::string(32, 'x'));
  EXPECT_HAS(refuse_gguf(overlap.build()), "overlaps 'a'");
}

TEST(Gguf, AlignmentIsAPowerOfTwo) {
  for (const auto value : {0u, 3u, 8192u}) {
    GgufBuilder file;
    file.u32("general.alignment", value).tensor("t", {8}, f32, std::string(32, 'x'));
    EXPECT_HAS(refuse_gguf(file.build()), "power of two");
  }
}

}  // namespace
}  // namespace seawall
