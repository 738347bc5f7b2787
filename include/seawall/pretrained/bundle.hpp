#pragma once
// A model as named on the command line: weights, tokenizer and chat template together.
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "seawall/core/notices.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/model/decoding.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/vision.hpp"
#include "seawall/pretrained/data_folder.hpp"
#include "seawall/text/chat_template.hpp"

namespace seawall {

struct ModelBundle {
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<ChatTemplate> chat_template;
  std::string word;                // as it was named
  std::string kind;                // organism, hugging-face, gguf, checkpoint
  std::string weights_hash;        // hash_weights: names, shapes and values as fp32
  bool is_organism = false;        // speaks the organism's template and knows its world
  std::unique_ptr<Vision> vision;  // where rows or probes with pictures came; see load_vision
  std::string vision_hash;         // as weights_hash
  /// Ids that end an answer in addition to the template's: see ends_of_folder.
  std::vector<std::int32_t> stop_ids;
  EndIds ends;          // of config.json
  DecodingRules rules;  // of generation_config.json
  Notices notices;      // where its files disagree; told when it is loaded
  /// Files that came with the weights, byte for byte; empty where the tokenizer writes its own.
  std::map<std::string, std::string> files;
  std::string adapter_hash;  // of the adapter that was read; empty without one
};

struct LoadOptions {
  /// Of the weights. Unset: fp32 on a CPU, whose own kernels compute in it; on another device bf16
  /// where a Hugging Face folder is stored so, else fp32.
  std::optional<at::ScalarType> type = {};
  /// A Hugging Face folder of more than a thousand million parameters is not loaded: its config and
  /// the headers of its files give a decoder of meta tensors, which knows sizes alone.
  bool sizes_of_large = false;
  std::string tokenizer_pre;  // of a .gguf file, in place of tokenizer.ggml.pre
  bool greedy = false;        // passes over the rules of generation_config.json
};

/// Loads `organism`, a Hugging Face folder, a .gguf file or a checkpoint folder
/// (`NAME.checkpoints/step-N`, or `NAME.checkpoints` for the latest). Weights are on `device`.
/// `chat_template` is a name, a path of a .jinja file, or `auto`. Memory: the weights and one
/// tensor. Errors: UsageError where nothing of that kind is there; DataError, IoError of the
/// readers; DataError naming the first tensor with a value that is not finite.
ModelBundle load_model(const std::string& word, const std::string& device,
                       const std::string& chat_template, LoadOptions options = {});
/// Reads `fp32` or `bf16`. Errors: UsageError.
at::ScalarType dtype_of(const std::string& word);

/// Gives the model eyes: the encoder and projector in `folder`, or the organism's own where it is
/// empty. Errors: UsageError where neither is there; DataError where the projector's width is not
/// the decoder's; those of read_vision.
void load_vision(ModelBundle& bundle, const std::string& folder);

/// Errors: DataError naming `where` and the first token of `ids` that has no row in the embedding:
/// one that was added to the tokenizer alone.
void check_in_embedding(const ModelBundle& bundle, const TokenIds& ids, const std::string& where);

/// What a checkpoint needs besides its weights to be a model again, by file name: config.json, the
/// tokenizer's files, the template's name.
std::map<std::string, std::string> model_card(const ModelBundle& bundle);

/// Writes a model as a folder that transformers loads: config.json, weights of `type`, the files
/// that came with it byte for byte, its template as chat_template.jinja, and a tokenizer.json if it
/// has a tokenizer.model alone. An adapter is merged. Errors: DataError naming a weight
/// that is not finite in that type; IoError.
void write_model_folder(ModelBundle& bundle, const std::filesystem::path& folder,
                        at::ScalarType type);

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
