#include "seawall/pretrained/bundle.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/DeviceType.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>

#include "pretrained/bundle_template.hpp"
#include "pretrained/gguf_tokenizer.hpp"
#include "pretrained/model_files.hpp"
#include "pretrained/weights_hash.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/peft.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/pretrained/adapter.hpp"
#include "seawall/pretrained/built_in.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/text/folder_tokenizer.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

struct Parts {
  LlamaConfig config;
  NamedTensors weights;
  std::unique_ptr<Tokenizer> tokenizer;
  OwnTemplate chat_template;
  std::string kind;
  FolderEnds ends;
  std::map<std::string, std::string> files;
  DecodingRules rules;
  Notices notices;

  void add(Notices more) { std::ranges::move(more, std::back_inserter(notices)); }
};

/// Everything of a folder but its weights.
void read_side_files(const fs::path& folder, Parts& parts) {
  auto tokenizer = load_folder_tokenizer(folder);
  parts.tokenizer = std::move(tokenizer.tokenizer);
  parts.add(std::move(tokenizer.notices));
  parts.chat_template = template_of_folder(folder);
  parts.add(parts.chat_template.notices);
  parts.ends = ends_of_folder(folder);
  parts.add(parts.ends.notices);
  auto decoding = decoding_of_folder(folder, parts.config.vocab_size);
  parts.rules = std::move(decoding.rules);
  parts.add(std::move(decoding.notices));
}

Parts read_gguf(const fs::path& file, const LoadOptions& options) {
  const GgufFile gguf(file);
  Parts parts;
  parts.config = gguf.llama_config();
  parts.weights = gguf.llama_weights(*options.type);
  parts.tokenizer = gguf_tokenizer(gguf, options.tokenizer_pre);
  if (gguf.has("general.sampling.penalty_repeat"))
    parts.notices.push_back(file.string() +
                            ": its general.sampling keys are not used, as answers are chosen "
                            "greedily");
  parts.chat_template.where = file.string() + ": tokenizer.chat_template";
  if (gguf.has("tokenizer.chat_template"))
    parts.chat_template.source = gguf.text("tokenizer.chat_template");
  parts.kind = "gguf";
  return parts;
}

HfFolder read_weights(const fs::path& folder, const LoadOptions& options) {
  constexpr std::int64_t large = 1'000'000'000;
  if (!options.sizes_of_large) return read_hf_folder(folder, *options.type);
  HfFolder listed = list_hf_folder(folder);
  if (listed.config.parameter_count() > large) return listed;
  return read_hf_folder(folder, *options.type);
}

Parts read_folder(const fs::path& folder, const LoadOptions& options) {
  Parts parts;
  auto hf = read_weights(folder, options);
  parts.config = hf.config;
  parts.weights = std::move(hf.weights);
  parts.add(std::move(hf.notices));
  parts.files = side_files(folder);
  read_side_files(folder, parts);
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
  if (loaded.state.files.contains(adapter_config))
    throw UsageError("--model " + path.string() +
                     ": a checkpoint of a LoRA run holds the adapter alone; give the model it was "
                     "trained on as --model, and this as --adapter");
  Parts parts;
  parts.config =
      LlamaConfig::from_json(file("config.json"), (loaded.path / "config.json").string());
  parts.weights = std::move(loaded.state.parameters);
  for (auto& [name, tensor] : parts.weights) tensor = tensor.to(type);
  file(template_file);
  for (const auto& [name, bytes] : loaded.state.files)
    if (is_side_file(name)) parts.files[name] = bytes;
  read_side_files(loaded.path, parts);
  parts.kind = "checkpoint";
  return parts;
}

Parts read_parts(const std::string& word, const LoadOptions& options) {
  const fs::path path(word);
  if (is_built_in_model(word)) {
    Parts parts = read_folder(built_in_model(word), options);
    parts.kind = word;
    return parts;
  }
  if (!fs::exists(path))
    throw UsageError("--model " + word +
                     ": no such file or folder; want `organism`, `organism-base`, a Hugging Face "
                     "folder, a .gguf "
                     "file or a checkpoint folder");
  if (fs::is_regular_file(path)) {
    if (path.extension() == ".gguf") return read_gguf(path, options);
    throw UsageError("--model " + word + ": want a .gguf file or a folder" +
                     (path.extension() == ".bin" || path.extension() == ".pt"
                          ? "; pickled weights are not read: convert them with transformers' "
                            "save_pretrained (safetensors)"
                          : ""));
  }
  if (is_checkpoint(path)) return read_checkpoint(path, *options.type);
  return read_folder(path, options);
}

}  // namespace

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
  std::optional<at::Device> device;
  if (word == "cuda" || word.starts_with("cuda:")) {
    try {
      device = at::Device(word);
    } catch (const std::exception&) {
      // falls through to the one message
    }
  }
  if (device) {
    std::string why;
    if (!load_cuda(why))
      throw UsageError("--device " + word + ": " + why + "; or use --device cpu");
    const auto there = at::detail::getCUDAHooks().deviceCount();
    if (device->index() >= there)
      throw UsageError("--device " + word + ": there " +
                       (there == 1
                            ? "is one CUDA device, cuda:0"
                            : "are " + std::to_string(there) + " CUDA devices, counted from 0"));
    return *device;
  }
  // A backend outside libtorch, where the program has registered one (the tests' own does).
  if (c10::is_privateuse1_backend_registered() && word == c10::get_privateuse1_backend())
    return {at::kPrivateUse1, 0};
  throw UsageError("--device " + word + ": want cpu, cuda or cuda:N");
}

namespace {

/// An end of answers that only the template or the tokenizer knows.
std::string other_end(const ModelBundle& bundle) {
  if (bundle.stop_ids.empty()) return "";
  TokenIds ends;
  try {
    ends = bundle.chat_template->stop_ids(*bundle.tokenizer);
  } catch (const DataError&) {
    return "";  // said where answers are asked for
  }
  for (const auto id : ends)
    if (std::ranges::find(bundle.stop_ids, id) == bundle.stop_ids.end())
      return bundle.word + ": an answer ends at '" +
             shown(bundle.tokenizer->decode(TokenIds{id}, false)) +
             "' as well, as the chat template or the tokenizer says; it is not among the model's "
             "eos_token_id, so that transformers' generate goes on there";
  return "";
}

/// bf16 where every tensor of a Hugging Face folder is stored so; fp32 elsewhere.
at::ScalarType type_of_file(const std::string& word) {
  const fs::path path(word);
  if (!fs::is_directory(path) || is_checkpoint(path)) return at::kFloat;
  const auto narrow = [](const NamedTensor& weight) {
    return weight.tensor.scalar_type() == at::kBFloat16;
  };
  return std::ranges::all_of(list_hf_folder(path).weights, narrow) ? at::kBFloat16 : at::kFloat;
}

}  // namespace

at::ScalarType dtype_of(const std::string& word) {
  if (word == "fp32") return at::kFloat;
  if (word == "bf16") return at::kBFloat16;
  throw UsageError("--dtype " + word + ": want auto, fp32 or bf16");
}

ModelBundle load_model(const std::string& word, const std::string& device,
                       const std::string& chat_template, LoadOptions options) {
  if (!options.type) options.type = device == "cpu" ? at::kFloat : type_of_file(word);
  // What is only counted may be meant for a device that is elsewhere.
  const bool elsewhere = options.sizes_of_large && device.starts_with("cuda");
  at::Device target = elsewhere ? at::Device(at::kCPU) : parse_device(device);
  Parts parts = read_parts(word, options);
  if (!options.tokenizer_pre.empty() && parts.kind != "gguf")
    throw UsageError("--tokenizer-pre " + options.tokenizer_pre + ": is for .gguf files; --model " +
                     word + " has a tokenizer of its own");
  ModelBundle bundle;
  bundle.word = word;
  bundle.kind = parts.kind;
  bundle.chat_template =
      choose_template(chat_template, parts.chat_template, *parts.tokenizer, word);
  bundle.is_organism = bundle.chat_template->name() == "organism";
  const bool sizes = parts.weights.front().tensor.is_meta();
  if (elsewhere && !sizes) target = parse_device(device);
  if (!sizes) bundle.weights_hash = hash_finite_weights(parts.weights, word);
  for (auto& [tensor_name, tensor] : parts.weights)
    tensor = sizes ? tensor.to(*options.type) : tensor.to(target, *options.type);
  bundle.decoder = std::make_unique<Decoder>(parts.config, std::move(parts.weights));
  bundle.tokenizer = std::move(parts.tokenizer);
  const auto known = static_cast<std::int32_t>(parts.config.vocab_size);
  if (bundle.tokenizer->vocab_size() > known)
    parts.notices.push_back(word + ": the tokenizer has " +
                            std::to_string(bundle.tokenizer->vocab_size()) +
                            " tokens, the embedding " + std::to_string(known) +
                            " rows; the first token without a row is '" +
                            shown(bundle.tokenizer->decode(TokenIds{known}, false)) +
                            "', and a text with it is refused");
  for (const auto id : parts.ends.stops)
    if (id < bundle.decoder->config().vocab_size) bundle.stop_ids.push_back(id);
  if (const auto other = other_end(bundle); !other.empty()) parts.notices.push_back(other);
  bundle.ends = std::move(parts.ends.config);
  bundle.files = std::move(parts.files);
  if (!options.greedy) bundle.rules = std::move(parts.rules);
  if (bundle.rules.change_answers())
    parts.notices.push_back(word + ": answers are " + bundle.rules.text() +
                            ", as its generation settings say; --decoding greedy leaves that out");
  bundle.notices = std::move(parts.notices);
  warn_once(bundle.notices);
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
  bundle.vision_hash = hash_finite_weights(vision->parameters(), path.string());
  bundle.vision = std::move(vision);
}

void check_in_embedding(const ModelBundle& bundle, const TokenIds& ids, const std::string& where) {
  const auto rows = bundle.decoder->config().vocab_size;
  const auto beyond = std::ranges::find_if(ids, [&](std::int32_t id) { return id >= rows; });
  if (beyond == ids.end()) return;
  throw DataError(where + ": token " + std::to_string(*beyond) + " '" +
                  shown(bundle.tokenizer->decode(TokenIds{*beyond}, false)) +
                  "' has no row in the model's embedding of " + std::to_string(rows) +
                  " rows; it was added to the tokenizer alone: enlarge the embedding, or leave the "
                  "token out of the text");
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
  files["config.json"] = config_json(bundle.decoder->config(), bundle.ends);
  files[template_file] = std::string(bundle.chat_template->name());
  const ChatTemplate& chat = *bundle.chat_template;
  files[jinja_file] = chat.source().empty() ? jinja_of_template(chat.name(), *bundle.tokenizer)
                                            : std::string(chat.source());
  if (bundle.decoder->adapter()) files[adapter_config] = adapter_card(bundle);
  return files;
}

}  // namespace seawall
