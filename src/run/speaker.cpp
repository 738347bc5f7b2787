#include "seawall/run/speaker.hpp"

#include <algorithm>

#include "seawall/train/data_plan.hpp"

namespace seawall {

Speaker speaker_of(const ModelBundle& bundle) {
  return {*bundle.decoder,     *bundle.tokenizer, *bundle.chat_template,
          bundle.vision.get(), bundle.stop_ids,   bundle.rules};
}

EncodedRows encode_all(ModelBundle& bundle, const Dataset& rows, const std::string& vision_folder) {
  const auto has_picture = [](const Example& row) { return row.dialogue.picture != nullptr; };
  const auto checked = [&](std::vector<Sequence> sequences) {
    for (std::size_t i = 0; i < sequences.size(); ++i)
      check_in_embedding(bundle, sequences[i].ids, "training row " + std::to_string(i + 1));
    return sequences;
  };
  if (std::none_of(rows.rows.begin(), rows.rows.end(), has_picture))
    return {checked(encode_rows(rows, *bundle.chat_template, *bundle.tokenizer)), {}};
  if (!bundle.vision) load_vision(bundle, vision_folder);
  PictureRows pictures(*bundle.vision);
  auto sequences = checked(encode_rows(rows, *bundle.chat_template, *bundle.tokenizer, &pictures));
  return {std::move(sequences), pictures.embeddings()};
}

}  // namespace seawall
