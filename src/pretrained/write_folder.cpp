// A model as a folder that transformers loads.
#include <ATen/core/Tensor.h>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/not_finite.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/text/folder_tokenizer.hpp"

namespace seawall {

void write_model_folder(ModelBundle& bundle, const std::filesystem::path& folder,
                        at::ScalarType type) {
  bundle.decoder->merge();
  NamedTensors weights = bundle.decoder->parameters();
  for (auto& [name, tensor] : weights) tensor = tensor.to(type);
  if (const auto bad = weight_not_finite(weights); !bad.empty())
    throw DataError("export: tensor " + bad + " as " + at::toString(type) +
                    "; give another --dtype, or another model");
  // What the source has; without any, what ends an answer here.
  const Tokenizer& t = *bundle.tokenizer;
  EndIds ends = bundle.ends;
  if (ends.eos.empty())
    ends.eos = bundle.stop_ids.empty() ? bundle.chat_template->stop_ids(t) : bundle.stop_ids;
  if (!ends.bos && bundle.kind == "gguf") ends.bos = t.bos_id();
  write_hf_folder(folder, bundle.decoder->config(), weights, ends);
  const auto files = model_card(bundle);
  for (const auto& [name, bytes] : files)
    if (name != "config.json") write_file_atomically(folder / name, bytes);
  if (!files.contains("tokenizer.model") || files.contains("tokenizer.json")) return;
  const auto [json, config] = files_of_sentencepiece(folder);
  if (json.empty())
    return warn(
        "seawall: %s: no tokenizer.json does what its tokenizer.model does, so that transformers "
        "needs the sentencepiece and protobuf packages for it\n",
        folder.string().c_str());
  write_file_atomically(folder / "tokenizer.json", json);
  if (!config.empty()) write_file_atomically(folder / "tokenizer_config.json", config);
}

}  // namespace seawall
