#pragma once
// Activations of any prompts, as HDF5 shards.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "seawall/core/options.hpp"
#include "seawall/pretrained/model_spec.hpp"
#include "seawall/run/place_spec.hpp"

namespace seawall {

struct ExtractSpec : NewOutputSpec, ThreadsSpec {
  ModelSpec model = {};
  std::string prompts, points = "resid_post", positions = "last";
  std::int64_t batch_size = 32;
  bool uncompressed = false;
  static constexpr void visit(auto& self, auto&& field) {
    ModelSpec::visit_weights(self.model, field);
    ModelSpec::visit_device(self.model, field);
    ModelSpec::visit_dtype(self.model, field);
    field(self.prompts, OptionInfo{.name = "prompts",
                                   .help = "JSONL: {\"text\": …} taken as it is, or {\"messages\": "
                                           "[…]} through the chat template; a last "
                                           "assistant turn is the beginning of an answer"});
    field(
        self.points,
        OptionInfo{.name = "points",
                   .help = "resid_post, attn_out, mlp_out, attention (on parts of the prompt) and "
                           "logits, separated by commas"});
    field(self.positions, OptionInfo{.name = "positions",
                                     .help = "every prompt token, or the last",
                                     .choices = "all|last"});
    field(self.batch_size,
          OptionInfo{
              .name = "batch-size", .help = "prompts per forward pass", .min = 1, .max = 65536});
    field(self.uncompressed, OptionInfo{.name = "uncompressed", .help = "write faster and larger"});
    NewOutputSpec::visit(self, field, "HDF5 file to write; further shards are next to it",
                         "replace files of an earlier extraction");
    ThreadsSpec::visit(self, field);
  }
};

/// Writes logits, the residual stream or both of every prompt and returns the files. `config_text`:
/// the options as the files keep them. Errors: UsageError for unknown points; DataError naming the
/// line of a prompt that cannot be read; RunError naming the prompt whose activations are not
/// finite; those of load_model, load_adapter and ActivationWriter.
std::vector<std::filesystem::path> extract_activations(const ExtractSpec& options,
                                                       const std::string& config_text);

}  // namespace seawall
