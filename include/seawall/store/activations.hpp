#pragma once
// Activation shards: immutable HDF5 files with labelled dimensions, compressed on a thread of their
// own.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// What is the same for every prompt of an extraction.
struct ActivationInfo {
  std::int64_t layers =
      0;  // rows of resid_post: blocks + 1, row 0 is the embedding; 0 where it is not stored
  std::int64_t d_model = 0;
  std::int64_t vocabulary = 0;  // 0 where logits are not stored
  std::int64_t blocks = 0;      // of the model
  bool attn_out = false, mlp_out = false;
  std::int64_t heads = 0;                // of `attention`; 0 where it is not stored
  std::vector<std::string> spans = {};   // that attention is counted on
  bool all_positions = false;            // every prompt token, or the last one
  std::int64_t max_length = 0;           // tokens of the longest prompt
  std::int64_t prompts = 0;              // how many will be added
  std::string source_dtype = "float32";  // what the model computed in
  std::uint64_t shard_bytes =
      std::uint64_t{256} << 20;  // of uncompressed values; at least one prompt goes into a shard
  bool compress = true;
  bool overwrite = false;  // replace files of an earlier extraction
  std::string config_json;
  std::vector<std::pair<std::string, std::string>>
      attributes;  // hashes, versions, model: root attributes
};

/// One prompt. Positions P = its tokens (all_positions) or 1.
struct PromptActivations {
  std::string id, category, text;
  std::vector<std::int32_t> input_ids;
  Tensor resid_post;  // [layers, P, d_model] float on any device, or undefined where not stored
  Tensor logits;      // [P, vocabulary], or undefined where not stored
  Tensor attn_out = {}, mlp_out = {};  // [blocks, P, d_model] each, or undefined
  Tensor attention = {};               // [blocks, heads, P, spans], or undefined
};

/// The files of an extraction that are there: `first`, NAME.h5, and NAME-0001.h5 onwards.
std::vector<std::filesystem::path> activation_files(const std::filesystem::path& first);

/// Writes `NAME.h5`, then `NAME-0001.h5`, `NAME-0002.h5` ... where a shard is full.
/// Variables: resid_post(probe, layer, position, d_model), attn_out and mlp_out(probe, block,
/// position, d_model), attention(probe, block, head, position, span), logits(probe, position,
/// vocabulary), all without `position` if only the last token is kept; input_ids and
/// attention_mask(probe, position); length, number, rendered_prompt and category(probe). Ids of
/// prompts label `probe`. Padding is NaN, never 0. Memory: one shard's image, and at most 64 MiB of
/// prompts that wait.
class ActivationWriter {
 public:
  /// Errors: UsageError where files are there and `overwrite` is not set, or sizes do not fit;
  /// IoError.
  ActivationWriter(const std::filesystem::path& path, ActivationInfo info);
  /// Stops the thread; files that close() did not finish are not published.
  ~ActivationWriter();
  /// Hands over one prompt; blocks while too many wait. Errors: RunError on shapes; what the thread
  /// met before.
  void add(PromptActivations prompt);
  /// Waits for the thread and returns the files in order. Errors: what the thread met (IoError).
  std::vector<std::filesystem::path> close();
  /// Bytes of values before compression that `info` asks for.
  static std::uint64_t estimate_bytes(const ActivationInfo& info);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seawall
