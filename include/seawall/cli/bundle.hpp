#pragma once
// A model as named on the command line: weights, tokenizer and chat template together.
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "seawall/eval/evaluate.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/text/chat_template.hpp"

namespace seawall {

/// Beside the weights of checkpoints and exports: the name of the template they were trained with.
inline constexpr const char* kTemplateFile = "chat_template.txt";

struct ModelBundle {
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<ChatTemplate> chat_template;
  std::string kind;          // organism, hugging-face, gguf, checkpoint
  std::string weights_hash;  // SHA-256 of names, shapes and fp32 values
  bool is_organism = false;  // speaks the organism's template and knows its world

  Speaker speaker() const { return {*decoder, *tokenizer, *chat_template}; }
};

/// Loads `organism`, a Hugging Face folder, a .gguf file or a checkpoint folder
/// (`NAME.checkpoints/step-N`, or `NAME.checkpoints` for the latest). Weights are fp32 on `device`.
/// `chat_template` is a name or `auto`. Errors: UsageError where nothing of that kind is there;
/// DataError, IoError of the readers.
ModelBundle load_model(const std::string& word, const std::string& device,
                       const std::string& chat_template);

/// Where data/ lies: $SEAWALL_DATA, else share/seawall beside the program, else the source tree it
/// was built from. Errors: IoError naming the places looked at.
std::filesystem::path data_folder();

/// What a checkpoint needs beside its weights to be a model again, by file name: config.json, the
/// tokenizer's files, the template's name.
std::map<std::string, std::string> model_card(const ModelBundle& bundle);

/// The device, checked. Errors: UsageError for an unknown word, or CUDA where libtorch has none.
at::Device parse_device(const std::string& word);

/// Cores that this process may use.
int available_cores();

/// CPU threads of one operation; 0 takes every core this process may use.
void set_threads(std::int64_t threads);
/// The same once the model is known: 0 takes one thread for a small one (under 5 M parameters),
/// whose operations are over before a second thread is awake, and which then has the same bits
/// everywhere.
void set_threads(std::int64_t threads, const ModelBundle& model);

}  // namespace seawall
