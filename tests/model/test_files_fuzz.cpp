// Damaged weight files.
#include <fstream>

#include "test_files_support.hpp"
#include "tests/support/fuzz.hpp"

namespace seawall {
namespace {

using namespace testing;

TEST(FilesFuzz, Safetensors) {
  const Folder folder;
  const auto config = tiny_config();
  write_safetensors(folder.path() / "whole", tiny_weights(config), {{"format", "pt"}});
  const auto whole = folder.read("whole");
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof(header));
  fuzz(whole, {.trials = 1000, .header = 8 + header, .name = "damaged"},
       [&](const std::string& bytes) { read_safetensors(folder.write("damaged", bytes)); });
}

TEST(FilesFuzz, Gguf) {
  GgufBuilder file;
  file.str("general.architecture", "llama").u32("llama.block_count", 1).f32("x", 1.0f);
  file.u32("llama.embedding_length", 32).u32("general.alignment", 32);
  file.pair("texts", 9, raw(8u) + raw<std::uint64_t>(2) + file.text("x") + file.text("yy"));
  file.pair("numbers", 9, raw(5u) + raw<std::uint64_t>(3) + raw(3) + raw(-4) + raw(0));
  for (std::uint32_t i = 0; i < 6; ++i) {
    file.tensor("blk." + std::to_string(i) + ".weight", {32, 4}, 3, std::string(80, 'x'));
  }
  const auto whole = file.build();
  const Folder folder;
  fuzz(whole, {.trials = 1000, .header = whole.size() - 6 * 96, .name = "damaged"},
       [&](const std::string& bytes) {
         const GgufFile gguf(folder.write("damaged", bytes));
         for (const auto& info : gguf.tensors()) gguf.load(info);
       });
}

TEST(FilesFuzz, Config) {
  const auto whole = tiny_config().to_json();
  fuzz(whole, {.trials = 100, .name = "config.json"}, [](const std::string& bytes) {
    LlamaConfig::from_json(bytes, "config.json").parameter_count();
  });
}

TEST(FilesFuzz, IndexOfShards) {
  const Folder folder;
  const auto config = tiny_config();
  write_safetensors(folder.path() / "model-00001-of-00001.safetensors", tiny_weights(config));
  folder.write("config.json", config.to_json());
  std::string whole = R"({"metadata":{"total_size":1},"weight_map":{)";
  for (const auto& [name, shape] : config.parameter_shapes())
    whole +=
        (whole.back() == '{' ? "\"" : ",\"") + name + R"(":"model-00001-of-00001.safetensors")";
  whole += "}}";
  folder.write("model.safetensors.index.json", whole);
  ASSERT_FALSE(read_hf_folder(folder.path()).weights.empty());
  fuzz(whole, {.trials = 100, .name = folder.path().filename().string()},
       [&](const std::string& bytes) {
         folder.write("model.safetensors.index.json", bytes);
         read_hf_folder(folder.path());
       });
}

}  // namespace
}  // namespace seawall
