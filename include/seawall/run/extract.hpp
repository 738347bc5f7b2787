#pragma once
// Activations of any prompts, as HDF5 shards.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "seawall/core/options.hpp"
#include "seawall/run/reading_spec.hpp"

namespace seawall {

struct ExtractSpec {
  std::string model = "organism", adapter, prompts, points = "resid_post", positions = "last", out,
              chat_template = "auto", device = "cpu";
  std::int64_t batch_size = 32, threads = 0;
  bool uncompressed = false, overwrite = false, quiet = false;
  ReadingSpec reading;
  static constexpr void visit(auto& self, auto&& field) {
    field(
        self.model,
        OptionInfo{.name = "model",
                   .help = "organism, a Hugging Face folder, a .gguf file or a checkpoint folder"});
    field(self.adapter,
          OptionInfo{.name = "adapter", .help = "LoRA adapter to merge into it first"});
    field(self.prompts, OptionInfo{.name = "prompts",
                                   .help = "JSONL: {\"text\": …} taken as it is, or {\"messages\": "
                                           "[…]} through the chat template; a last "
                                           "assistant turn is the beginning of an answer"});
    field(self.points,
          OptionInfo{.name = "points", .help = "logits, resid_post or both, separated by commas"});
    field(self.positions, OptionInfo{.name = "positions",
                                     .help = "every prompt token, or the last",
                                     .choices = "all|last"});
    field(self.out,
          OptionInfo{.name = "out", .help = "HDF5 file to write; further shards stand beside it"});
    field(self.chat_template,
          OptionInfo{.name = "template",
                     .help = "chat template: a name, a .jinja file, or auto for the model's own"});
    ReadingSpec::visit_pre(self.reading, field);
    field(self.device, OptionInfo{.name = "device", .help = "cpu, cuda or cuda:N"});
    field(
        self.batch_size,
        OptionInfo{.name = "batch-size", .help = "prompts a forward pass", .min = 1, .max = 65536});
    field(
        self.threads,
        OptionInfo{.name = "threads", .help = "CPU threads; 0: all cores", .min = 0, .max = 4096});
    field(self.uncompressed, OptionInfo{.name = "uncompressed", .help = "write faster and larger"});
    field(self.overwrite,
          OptionInfo{.name = "overwrite", .help = "replace files of an earlier extraction"});
    field(self.quiet, OptionInfo{.name = "quiet", .help = "no progress"});
  }
};

/// Writes logits, the residual stream or both of every prompt and returns the files. `config_text`:
/// the options as the files keep them. Errors: UsageError for unknown points; DataError naming the
/// line of a prompt that cannot be read; RunError naming the prompt whose activations are not
/// finite; those of load_model, load_adapter and ActivationWriter.
std::vector<std::filesystem::path> extract_activations(const ExtractSpec& options,
                                                       const std::string& config_text);

}  // namespace seawall
