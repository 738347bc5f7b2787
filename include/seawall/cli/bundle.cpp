#include "seawall/cli/bundle.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "seawall/cli/adapter.hpp"
#include "seawall/cli/bundle_template.hpp"
#include "seawall/cli/gguf_tokenizer.hpp"
#include "seawall/cli/weights_hash.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/peft.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/text/tokenizer_json.hpp"
#include "seawall/train/data_plan.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

struct Parts {
  LlamaConfig config;
  NamedTensors weights;
  std::unique_ptr<Tokenizer> tokenizer;
  OwnTemplate chat_template;
  std::string kind;
  std::vector<std::int32_t> stop_ids;
  std::map<std::string, std::string> files;
};

/// Whether a SentencePiece model has the control tokens that tokenizer.json beside it has: a folder
/// that was fine-tuned with more of them has these in tokenizer.json alone.
bool has_controls(const Tokenizer& pieces, const BpeSpec& spec) {
  if (static_cast<std::int64_t>(spec.tokens.size()) > pieces.vocab_size()) return false;
  return std::ranges::all_of(spec.special_ids, [&](std::int32_t id) {
    const auto& name = spec.tokens[static_cast<std::size_t>(id)];
    return id == spec.unk || pieces.cut(name) == std::vector<TextPiece>{{0, name.size(), id}};
  });
}

std::unique_ptr<Tokenizer> tokenizer_of_folder(const fs::path& folder) {
  const auto model = folder / "tokenizer.model", json = folder / "tokenizer.json";
  if (!fs::exists(model)) {
    if (fs::exists(json)) return load_tokenizer_json(json);
    throw DataError(folder.string() + ": want tokenizer.json or tokenizer.model, found neither");
  }
  // Llama-2 folders have both, and their tokenizer.json is the SentencePiece model in another form.
  auto pieces = load_sentencepiece(model);
  try {
    if (fs::exists(json) && !has_controls(*pieces, read_tokenizer_json(json)))
      return load_tokenizer_json(json);
  } catch (const DataError&) {
    // A tokenizer.json of a kind that is not supported: the model file still is.
  }
  return pieces;
}

Parts read_gguf(const fs::path& file, at::ScalarType type) {
  const GgufFile gguf(file);
  Parts parts;
  parts.config = gguf.llama_config();
  parts.weights = gguf.llama_weights(type);
  parts.tokenizer = gguf_tokenizer(gguf);
  parts.chat_template.where = file.string() + ": tokenizer.chat_template";
  if (gguf.has("tokenizer.chat_template"))
    parts.chat_template.source = gguf.text("tokenizer.chat_template");
  parts.kind = "gguf";
  return parts;
}

HfFolder read_weights(const fs::path& folder, const LoadOptions& options) {
  constexpr std::int64_t large = 1'000'000'000;
  if (!options.sizes_of_large) return read_hf_folder(folder, options.type);
  HfFolder listed = list_hf_folder(folder);
  if (listed.config.parameter_count() > large) return listed;
  return read_hf_folder(folder, options.type);
}

Parts read_folder(const fs::path& folder, const LoadOptions& options) {
  Parts parts;
  auto hf = read_weights(folder, options);
  parts.config = hf.config;
  parts.weights = std::move(hf.weights);
  parts.tokenizer = tokenizer_of_folder(folder);
  parts.chat_template = template_of_folder(folder);
  parts.files = side_files(folder);
  parts.stop_ids = stop_ids_of_folder(folder);
  parts.kind = "hugging-face";
  return parts;
}

Parts read_checkpoint(const fs::path& path, at::ScalarType type) {
  LoadedCheckpoint loaded = load_checkpoint_parameters(path);
  const auto file = [&](const char* name) -> const std::string& {
    const auto found = loaded.state.files.find(name);
    if (found == loaded.state.files.end())
      throw DataError(loaded.path.string() + ": the checkpoint lacks " + name +
                      ", so it cannot be used as a model");
    return found->second;
  };
  if (loaded.state.files.contains(kAdapterConfig))
    throw UsageError("--model " + path.string() +
                     ": a checkpoint of a LoRA run holds the adapter alone; give the model it was "
                     "trained on as --model, and this as --adapter");
  Parts parts;
  parts.config =
      LlamaConfig::from_json(file("config.json"), (loaded.path / "config.json").string());
  parts.weights = std::move(loaded.state.parameters);
  for (auto& [name, tensor] : parts.weights) tensor = tensor.to(type);
  parts.tokenizer = tokenizer_of_folder(loaded.path);
  file(kTemplateFile);
  parts.chat_template = template_of_folder(loaded.path);
  for (const auto& [name, bytes] : loaded.state.files)
    if (is_side_file(name)) parts.files[name] = bytes;
  if (const auto found = parts.files.find("generation_config.json"); found != parts.files.end())
    parts.stop_ids = stop_ids_of(found->second, (loaded.path / found->first).string());
  parts.kind = "checkpoint";
  return parts;
}

Parts read_parts(const std::string& word, const LoadOptions& options) {
  const fs::path path(word);
  if (word == "organism") {
    Parts parts = read_folder(data_folder() / "organism", options);
    parts.kind = "organism";
    return parts;
  }
  if (!fs::exists(path))
    throw UsageError("--model " + word +
                     ": no such file or folder; want `organism`, a Hugging Face folder, a .gguf "
                     "file or a checkpoint folder");
  if (fs::is_regular_file(path)) {
    if (path.extension() == ".gguf") return read_gguf(path, options.type);
    throw UsageError("--model " + word + ": want a .gguf file or a folder" +
                     (path.extension() == ".bin" || path.extension() == ".pt"
                          ? "; pickled weights are not read: convert them with transformers' "
                            "save_pretrained (safetensors)"
                          : ""));
  }
  if (is_checkpoint(path)) return read_checkpoint(path, options.type);
  return read_folder(path, options);
}

}  // namespace

fs::path data_folder() {
  std::string tried;
  const auto good = [&](const fs::path& p) {
    tried += (tried.empty() ? "" : ", ") + p.string();
    return fs::exists(p / "organism" / "config.json");
  };
  if (const char* env = std::getenv("SEAWALL_DATA"); env != nullptr && *env != '\0') {
    if (good(env)) return env;
    throw IoError("SEAWALL_DATA=" + std::string(env) + ": no organism/config.json in it");
  }
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (!error && good(self.parent_path().parent_path() / "share" / "seawall"))
    return self.parent_path().parent_path() / "share" / "seawall";
  if (good(fs::path(SEAWALL_SOURCE_DIR) / "data")) return fs::path(SEAWALL_SOURCE_DIR) / "data";
  throw IoError("cannot find the organism's files (looked at " + tried +
                "); set SEAWALL_DATA to the data folder");
}

int available_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void set_threads(std::int64_t threads) {
  at::set_num_threads(threads > 0 ? static_cast<int>(threads) : available_cores());
}

void set_threads(std::int64_t threads, const ModelBundle& model) {
  constexpr std::int64_t small = 5'000'000;
  set_threads(threads == 0 && model.decoder->config().parameter_count() < small ? 1 : threads);
}

at::Device parse_device(const std::string& word) {
  if (word == "cpu") return at::kCPU;
  if (word == "cuda" || word.starts_with("cuda:")) {
    std::string why;
    if (!load_cuda(why))
      throw UsageError("--device " + word + ": " + why + "; or use --device cpu");
    try {
      return at::Device(word);
    } catch (const std::exception&) {
      // falls through to the one message
    }
  }
  throw UsageError("--device " + word + ": want cpu, cuda or cuda:N");
}

ModelBundle load_model(const std::string& word, const std::string& device,
                       const std::string& chat_template, const LoadOptions& options) {
  // What is only counted may be meant for a device that is elsewhere.
  const bool elsewhere = options.sizes_of_large && device.starts_with("cuda");
  at::Device target = elsewhere ? at::Device(at::kCPU) : parse_device(device);
  Parts parts = read_parts(word, options);
  ModelBundle bundle;
  bundle.word = word;
  bundle.kind = parts.kind;
  bundle.chat_template =
      choose_template(chat_template, parts.chat_template, *parts.tokenizer, word);
  bundle.is_organism = bundle.chat_template->name() == "organism";
  if (parts.tokenizer->vocab_size() > parts.config.vocab_size)
    throw DataError(word + ": the tokenizer has " + std::to_string(parts.tokenizer->vocab_size()) +
                    " pieces, the model's vocab_size is " +
                    std::to_string(parts.config.vocab_size) + "; they do not belong together");
  const bool sizes = parts.weights.front().tensor.is_meta();
  if (elsewhere && !sizes) target = parse_device(device);
  if (!sizes) bundle.weights_hash = hash_weights(parts.weights);
  for (auto& [tensor_name, tensor] : parts.weights)
    tensor = sizes ? tensor.to(options.type) : tensor.to(target, options.type);
  bundle.decoder = std::make_unique<Decoder>(parts.config, std::move(parts.weights));
  bundle.tokenizer = std::move(parts.tokenizer);
  for (const auto id : parts.stop_ids)
    if (id < bundle.decoder->config().vocab_size) bundle.stop_ids.push_back(id);
  bundle.files = std::move(parts.files);
  return bundle;
}

void load_vision(ModelBundle& bundle, const std::string& folder) {
  if (folder.empty() && !bundle.is_organism)
    throw UsageError(
        "the rows have pictures, and the model has no picture encoder; give --vision FOLDER with "
        "CLIP and a projector to the model's width");
  const fs::path path = folder.empty() ? data_folder() / "organism" / "vision" : fs::path(folder);
  auto vision = std::make_unique<Vision>(read_vision(path));
  const auto want = bundle.decoder->config().hidden_size;
  if (vision->width() != want)
    throw DataError(path.string() + ": the projector gives " + std::to_string(vision->width()) +
                    " values a position, the model's hidden_size is " + std::to_string(want) +
                    "; they do not belong together");
  bundle.vision_hash = hash_weights(vision->parameters());
  bundle.vision = std::move(vision);
}

EncodedRows encode_all(ModelBundle& bundle, const Dataset& rows, const std::string& vision_folder) {
  const auto has_picture = [](const Example& row) { return row.dialogue.picture != nullptr; };
  if (std::none_of(rows.rows.begin(), rows.rows.end(), has_picture))
    return {encode_rows(rows, *bundle.chat_template, *bundle.tokenizer), {}};
  if (!bundle.vision) load_vision(bundle, vision_folder);
  PictureRows pictures(*bundle.vision);
  auto sequences = encode_rows(rows, *bundle.chat_template, *bundle.tokenizer, &pictures);
  return {std::move(sequences), pictures.embeddings()};
}

namespace {

/// The files that the tokenizer writes of itself.
std::map<std::string, std::string> tokenizer_files(const Tokenizer& tokenizer) {
  char pattern[] = "/tmp/seawall-card-XXXXXX";
  const char* folder = mkdtemp(pattern);
  if (folder == nullptr)
    throw IoError("/tmp: cannot make a temporary folder for the tokenizer's files");
  std::map<std::string, std::string> files;
  tokenizer.save(folder);
  for (const auto& entry : fs::directory_iterator(folder))
    files[entry.path().filename().string()] = read_file(entry.path());
  std::error_code error;
  fs::remove_all(folder, error);
  return files;
}

}  // namespace

std::map<std::string, std::string> model_card(const ModelBundle& bundle) {
  auto files = bundle.files.empty() ? tokenizer_files(*bundle.tokenizer) : bundle.files;
  files["config.json"] = bundle.decoder->config().to_json();
  files[kTemplateFile] = std::string(bundle.chat_template->name());
  if (const auto source = bundle.chat_template->source(); !source.empty())
    files[kJinjaFile] = std::string(source);
  if (bundle.decoder->adapter()) files[kAdapterConfig] = adapter_card(bundle);
  return files;
}

}  // namespace seawall
