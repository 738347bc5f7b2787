#pragma once
// A loaded model in use: it answers probes, or rows are encoded for it to be trained on.
#include <string>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/model/batch_plan.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/train/data_plan.hpp"

namespace seawall {

/// The bundle as evaluations take it; it borrows, so the bundle must outlive it.
Speaker speaker_of(const ModelBundle& bundle);

/// Encodes rows for the bundle; loads its eyes where a row has a picture. Encoder and projector
/// stay as they are while the decoder is fine-tuned, so each picture is computed once (LLaVA's
/// second stage trains the projector as well). Errors: those of encode_rows and load_vision.
EncodedRows encode_all(ModelBundle& bundle, const Dataset& rows, const std::string& vision_folder);

}  // namespace seawall
