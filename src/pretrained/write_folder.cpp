// A model as a folder that transformers loads.
#include <ATen/core/Tensor.h>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/not_finite.hpp"
#include "seawall/pretrained/bundle.hpp"

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
  for (const auto& [name, bytes] : model_card(bundle))
    if (name != "config.json") write_file_atomically(folder / name, bytes);
}

}  // namespace seawall
