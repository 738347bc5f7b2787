// `export`: a model, ours or not, as a folder that transformers loads.
#include <cstdio>
#include <filesystem>

#include "seawall/cli/bundle.hpp"
#include "seawall/cli/bundle_template.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/commands.hpp"
#include "seawall/cli/export_rows.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/model/files.hpp"

namespace seawall::commands {
namespace {

struct ExportOptions {
  std::string model = "organism", format = "safetensors", out, chat_template = "auto";
  bool overwrite = false;
  static constexpr void visit(auto& self, auto&& field) {
    field(
        self.model,
        OptionInfo{.name = "model",
                   .help = "organism, a Hugging Face folder, a .gguf file or a checkpoint folder"});
    field(self.format,
          OptionInfo{
              .name = "format", .help = "what to write", .choices = "safetensors|openai-jsonl"});
    field(self.out, OptionInfo{.name = "out", .help = "folder to write"});
    field(self.chat_template,
          OptionInfo{.name = "template",
                     .help = "chat template: a name, a .jinja file, or auto for the model's own"});
    field(self.overwrite,
          OptionInfo{.name = "overwrite", .help = "write into a folder that is not empty"});
  }
};

}  // namespace

int export_model(const Program& program, const Words& words) {
  namespace fs = std::filesystem;
  if (exports_rows(words)) return export_rows(program, words);
  ExportOptions options;
  CommandLine line("seawall export --model M --out FOLDER [options]",
                   "Writes config.json, model.safetensors (fp32) and the tokenizer's files; "
                   "transformers loads them to the same logits. With --format openai-jsonl and the "
                   "words of `seawall run` instead: the rows that it would train on, as the chat "
                   "JSONL that providers take (`seawall export --format openai-jsonl --help`).");
  line.add(options, "Options");
  if (line.parse(words) == CommandLine::Outcome::done) return 0;
  if (options.out.empty()) throw UsageError("export: want --out FOLDER");
  const fs::path folder = options.out;
  if (fs::exists(folder) && !fs::is_directory(folder))
    throw IoError(folder.string() + ": is a file; want a folder to write into");
  if (fs::exists(folder) && !fs::is_empty(folder) && !options.overwrite)
    throw UsageError("--out " + folder.string() +
                     ": not empty; give another folder or --overwrite");
  const ModelBundle model = load_model(options.model, "cpu", options.chat_template);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw IoError(folder.string() + ": cannot make the folder: " + error.message());
  const Tokenizer& t = *model.tokenizer;
  const auto stops = model.chat_template->stop_ids(t);
  write_hf_folder(folder, model.decoder->config(), model.decoder->parameters(),
                  t.bos_id().value_or(-1), stops.empty() ? t.eos_id().value_or(-1) : stops.front());
  t.save(folder);
  write_file_atomically(folder / kTemplateFile, model.chat_template->name());
  if (const auto source = model.chat_template->source(); !source.empty())
    write_file_atomically(folder / kJinjaFile, source);
  std::printf("%s: %zu tensors, fp32 safetensors, template %.*s\n", folder.string().c_str(),
              model.decoder->parameters().size(),
              static_cast<int>(model.chat_template->name().size()),
              model.chat_template->name().data());
  return 0;
}

}  // namespace seawall::commands
