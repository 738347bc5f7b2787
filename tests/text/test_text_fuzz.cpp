// Damaged tokenizer files and chat templates: each that loads must tokenize as well.
#include <algorithm>
#include <fstream>
#include <random>

#include "seawall/text/chat_template.hpp"
#include "tests/support/fuzz.hpp"
#include "text_support.hpp"

namespace seawall {
namespace {

using namespace testing;

void use(const Tokenizer& tokenizer) {
  for (const bool special : {true, false})
    tokenizer.decode(tokenizer.encode("hello <|user|> the é\n 12", special));
}

TEST(TextFuzz, SentencePiece) {
  fuzz(spm_model(), {.trials = 500, .name = "m.model"},
       [](const std::string& bytes) { use(*make_sentencepiece(bytes, "m.model")); });
}

TEST(TextFuzz, TokenizerJson) {
  const Folder folder;
  make_bpe_tokenizer(bpe_spec())->save(folder.path());
  const std::string whole = folder.read("tokenizer.json");
  fuzz(whole, {.trials = 200, .name = "tokenizer.json"}, [&](const std::string& bytes) {
    use(*load_tokenizer_json(folder.write("tokenizer.json", bytes)));
  });
}

std::string golden_file(const std::string& name) {
  return bytes_of(std::filesystem::path(SEAWALL_SOURCE_DIR) / "data" / "golden" / name);
}

TEST(TextFuzz, TokenizerJsonOfCharacters) {
  const Folder folder;
  fuzz(golden_file("tokenizers/gemma.json"), {.trials = 200, .name = "tokenizer.json"},
       [&](const std::string& bytes) {
         use(*load_tokenizer_json(folder.write("tokenizer.json", bytes)));
       });
}

/// Damage that keeps the shape of a template: pieces dropped, doubled, moved, or taken from
/// another.
std::string damaged_template(const std::vector<std::string>& all, std::mt19937& random) {
  auto text = all[random() % all.size()];
  const auto rounds = 1 + random() % 4;
  for (std::size_t i = 0; i < rounds && !text.empty(); ++i) {
    const auto at = random() % text.size(), length = 1 + random() % 12;
    const auto& other = all[random() % all.size()];
    static constexpr std::string_view signs = "{}%-+|()[]'\".,:~=<>#\\ \n";
    switch (random() % 5) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, text.substr(random() % text.size(), length));
        break;
      case 2:
        text.insert(at, other.substr(random() % other.size(), length * 4));
        break;
      case 3:
        text[at] = signs[random() % signs.size()];
        break;
      default:
        text[at] = static_cast<char>(random());
    }
  }
  return text;
}

TEST(TextFuzz, Jinja) {
  std::vector<std::string> all;
  const auto folder = std::filesystem::path(SEAWALL_SOURCE_DIR) / "data" / "golden" / "chat";
  for (const auto& file : std::filesystem::directory_iterator(folder / "templates"))
    all.push_back(golden_file("chat/templates/" + file.path().filename().string()));
  std::ranges::sort(all);
  ASSERT_GE(all.size(), 10u);
  std::mt19937 random(12);
  const auto tokenizer = make_bpe_tokenizer(bpe_spec());
  const Dialogue dialogue{{{Role::system, "be <|im_end|>"},
                           {Role::user, "\xC3\xA9 <|im_start|> {{ x }}"},
                           {Role::assistant, "yes"}}};
  int refused = 0, read = 0;
  const int trials = fuzz_trials(1000);
  for (int trial = 0; trial < trials; ++trial) {
    try {
      const auto chat = make_jinja_template(damaged_template(all, random), "t.jinja",
                                            {.bos = "<|im_start|>", .eos = "<|im_end|>"});
      chat->stop_ids(*tokenizer);
      chat->encode_example(dialogue, *tokenizer);
      ++read;
    } catch (const DataError& error) {
      ++refused;
      EXPECT_HAS(std::string(error.what()), "t.jinja: ");
    }
  }
  EXPECT_GT(refused, trials / 10);
  EXPECT_GT(read, trials / 50);
}

}  // namespace
}  // namespace seawall
