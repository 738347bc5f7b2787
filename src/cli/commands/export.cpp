// `export`: a model, ours or not, as a folder that transformers loads.
#include <cstdio>
#include <filesystem>

#include "cli/commands/export_rows.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/peft.hpp"
#include "seawall/pretrained/adapter.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/pretrained/model_spec.hpp"
#include "seawall/run/place_spec.hpp"

namespace seawall::commands {
namespace {

struct ExportOptions : NewOutputSpec {
  ModelSpec model = {};
  std::string format = "safetensors", dtype = "float32";
  static constexpr void visit(auto& self, auto&& field) {
    ModelSpec::visit_weights(self.model, field);
    field(self.format, OptionInfo{.name = "format",
                                  .help = "the whole model, the adapter merged; the adapter alone, "
                                          "as PEFT reads it; or rows",
                                  .choices = "safetensors|peft|openai-jsonl"});
    field(self.dtype, OptionInfo{.name = "dtype",
                                 .help = "type of the weights written",
                                 .choices = "float32|bfloat16|float16"});
    NewOutputSpec::visit(self, field, "folder to write", "write into a folder that is not empty");
  }
};

}  // namespace

int export_model(const Program& program, const Words& words) {
  namespace fs = std::filesystem;
  if (exports_rows(words)) return export_rows(program, words);
  ExportOptions options;
  CommandLine line(program.name + " export --model M --out FOLDER [options]",
                   "Writes config.json, model.safetensors and the files that came with the model "
                   "(tokenizer, generation_config.json) byte for byte, with the template as "
                   "chat_template.jinja and a tokenizer.json; transformers "
                   "loads them to the same logits. With --format openai-jsonl and the "
                   "words of `seawall run` instead: the rows that it would train on, as the chat "
                   "JSONL that providers take (`seawall export --format openai-jsonl --help`).");
  line.add(options, "Options");
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  if (options.out.empty()) throw UsageError("export: want --out FOLDER");
  if (options.format == "peft" && options.model.adapter.empty())
    throw UsageError(
        "--format peft: want --adapter with what to write, a checkpoint of a LoRA run");
  const fs::path folder = options.out;
  if (fs::exists(folder) && !fs::is_directory(folder))
    throw IoError(folder.string() + ": is a file; want a folder to write into");
  if (fs::exists(folder) && !fs::is_empty(folder) && !options.overwrite)
    throw UsageError("--out " + folder.string() +
                     ": not empty; give another folder or --overwrite");
  const auto type = options.dtype == "bfloat16"  ? at::kBFloat16
                    : options.dtype == "float16" ? at::kHalf
                                                 : at::kFloat;
  // An adapter is merged in fp32 and rounded once.
  ModelBundle model =
      load_pretrained(options.model, {.type = options.model.adapter.empty() ? type : at::kFloat});
  if (options.format == "peft" && !model.decoder->adapter())
    throw UsageError(
        "--format peft: --adapter " + options.model.adapter +
        " has DoRA magnitudes, whole modules, or factors of the embedding or the head, "
        "which are merged when it is read; give --format safetensors");
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw IoError(folder.string() + ": cannot make the folder: " + error.message());
  if (options.format == "peft") {
    const Adapter& adapter = *model.decoder->adapter();
    write_peft(folder, adapter, options.model.name);
    std::printf("%s: PEFT adapter, rank %lld, %lld values next to %s\n", folder.string().c_str(),
                static_cast<long long>(adapter.options.rank),
                static_cast<long long>(adapter.count()), options.model.name.c_str());
    return 0;
  }
  write_model_folder(model, folder, type);
  std::printf("%s: %zu tensors, %s safetensors, template %.*s\n", folder.string().c_str(),
              model.decoder->parameters().size(), options.dtype.c_str(),
              static_cast<int>(model.chat_template->name().size()),
              model.chat_template->name().data());
  return 0;
}

}  // namespace seawall::commands
