// Damaged tokenizer files: each that loads must tokenize as well.
#include <fstream>

#include "tests/support/fuzz.hpp"
#include "text_support.hpp"

namespace seawall {
namespace {

using namespace testing_support;

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
  std::ifstream in(folder.path() / "tokenizer.json", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  fuzz(whole, {.trials = 200, .name = "tokenizer.json"}, [&](const std::string& bytes) {
    use(*load_tokenizer_json(folder.write("tokenizer.json", bytes)));
  });
}

}  // namespace
}  // namespace seawall
