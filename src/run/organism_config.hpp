#pragma once
// The built-in model's shape, which its recipe gives, as a decoder's configuration.
#include "seawall/model/config.hpp"
#include "seawall/scenario/organism/stages.hpp"

namespace seawall {

inline LlamaConfig organism_config(const organism::Shape& shape = {}) {
  LlamaConfig c;
  c.vocab_size = shape.vocabulary;
  c.hidden_size = shape.width;
  c.intermediate_size = shape.feed_forward;
  c.layers = shape.layers;
  c.heads = shape.heads;
  c.kv_heads = shape.kv_heads;
  c.head_dim = shape.head_width;
  c.max_position_embeddings = shape.context;
  c.rope_theta = shape.rope_theta;
  c.rms_norm_eps = shape.norm_epsilon;
  c.tie_word_embeddings = true;
  return c;
}

}  // namespace seawall
