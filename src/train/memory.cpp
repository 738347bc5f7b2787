#include "seawall/train/memory.hpp"

#include <algorithm>

#include "seawall/model/packed.hpp"
#include "seawall/store/checkpoint.hpp"

namespace seawall {
namespace {

// Measured: VmHWM of the program that has loaded a model of no size; CUDA context and workspaces of
// a device as PyTorch's documentation and users report them (not measured here).
constexpr double program_bytes = 190e6, context_bytes = 800e6;
// Bytes of what the own kernels compute: fp32 whatever the weights are stored as.
constexpr double computed = 4;
// Values of a bf16 weight's gradient that are summed in fp32 at once (gemm.cpp).
constexpr double summed_at_once = 1 << 21;

/// Sizes of one question, in values unless they say bytes.
struct Sizes {
  const MemoryQuestion& q;
  double c, inner, heads, q_width, kv_width, layers, vocabulary, all, largest;
  double value;  // bytes of what the forward pass reads
  bool fused;    // the own kernels, on a CPU
  bool lora;
  double trained;  // values
  double adapted = 0;

  explicit Sizes(const MemoryQuestion& question) : q(question) {
    const auto& k = q.config;
    c = static_cast<double>(k.hidden_size);
    inner = static_cast<double>(k.intermediate_size);
    heads = static_cast<double>(k.heads);
    q_width = static_cast<double>(k.heads * k.head_dim);
    kv_width = static_cast<double>(k.kv_heads * k.head_dim);
    layers = static_cast<double>(k.layers);
    vocabulary = static_cast<double>(k.vocab_size);
    all = static_cast<double>(k.parameter_count());
    value = q.precision == Precision::fp32 ? 4 : 2;
    fused = q.cpu;
    lora = q.adapter != nullptr;
    trained = lora ? static_cast<double>(q.adapter->count()) : all;
    largest = lora ? 0 : std::max(vocabulary, inner) * c;
    if (!lora) return;
    for (std::size_t i = 0; i < q.adapter->factors.size(); ++i) {
      const auto& f = q.adapter->factors[i];
      if (!f.on()) continue;
      adapted += static_cast<double>(f.b.size(0) * f.a.size(1));
      largest = std::max(largest, static_cast<double>(std::max(f.a.numel(), f.b.numel())));
    }
  }
  bool adapts(Projection p) const {
    const auto& t = q.adapter->options.targets;
    return lora && std::find(t.begin(), t.end(), p) != t.end();
  }
};

/// Bytes of a weight's moments.
double moments(const MemoryQuestion& q) {
  return q.precision == Precision::pure_bf16 || q.precision == Precision::kahan ? 4 : 8;
}

/// Weights as they stand during training, besides gradients.
std::vector<MemoryPart> standing(const Sizes& s) {
  const auto& q = s.q;
  const auto loaded = static_cast<double>(q.loaded_bytes);
  std::vector<MemoryPart> out;
  const auto add = [&out](const char* name, double bytes) {
    if (bytes > 0) out.push_back({name, bytes});
  };
  if (!q.trains) {
    add("weights", s.all * loaded);
    return out;
  }
  // theta0 is the loaded tensors where they have its type; those stay anyway in full fine-tuning.
  const double start = q.precision == Precision::bf16_master ? loaded : s.value;
  if (s.lora) {
    add("frozen weights", s.all * s.value);
    add("factors", s.trained * s.value);
    add("start", s.trained * start);
  } else {
    add("weights", s.all * s.value);
    add("start", s.all * (start == loaded ? start : start + loaded));
  }
  if (q.precision == Precision::bf16_master) add("masters", 4 * s.trained);
  if (q.precision == Precision::kahan) {
    add("terms", 2 * s.trained);
    if (q.hooks_write) add("masters", 4 * s.trained);
  }
  if (!q.moments_on_host) add("moments", s.trained * moments(q));
  if (q.after_step) add("before a hook", s.trained * (q.precision == Precision::pure_bf16 ? 2 : 4));
  return out;
}

/// What one block keeps for its backward pass, in bytes a token.
double kept_fused(const Sizes& s) {
  return computed * (2 * s.c + s.q_width + 2 * s.kv_width + s.q_width + s.heads + 2 * s.inner);
}
double kept_on_device(const Sizes& s) {
  const double e = s.value;
  const bool full = !s.lora, flash = e < 4;
  double bytes = 2 * (s.c * e + 4);  // two norms: their input and 1/rms
  const bool drops = s.lora && s.q.adapter->options.dropout > 0;
  // Inputs of products: kept where a weight or an A trains; dropout keeps the mask as well.
  const auto input = [&](std::initializer_list<Projection> group, double width) {
    int adapted = 0;
    for (const auto p : group) adapted += s.adapts(p) ? 1 : 0;
    if (full || (adapted > 0 && !drops)) bytes += width * e;
    if (drops) bytes += 2 * width * e * adapted;
  };
  using P = Projection;
  input({P::q, P::k, P::v}, s.c);
  input({P::gate, P::up}, s.c);
  input({P::down}, s.inner);
  bytes += e * (2 * s.q_width + 2 * s.kv_width);  // attention: q, k, v and its result
  if (flash)
    bytes += 4 * s.heads;  // the logarithms of its sums; its result is the input of o
  else
    input({P::o}, s.q_width);
  bytes += e * 2 * s.inner;  // gate and up
  return bytes;
}

double logits_bytes(const Sizes& s) {
  const double limit = 64 << 20;  // of loss.cpp: what a chunk of logits may take
  const double e = s.fused ? computed : s.value;
  const double rows = std::min(std::max(limit / (s.vocabulary * e), 16.0),
                               std::max(static_cast<double>(s.q.targets), 1.0));
  // The composite path holds logits, their fp32 copy, its exponentials and the result at once.
  return rows * s.vocabulary * (s.fused ? e : 2 * e + 8);
}

MemoryPhase training(const Sizes& s) {
  const auto& q = s.q;
  const auto t = static_cast<double>(q.tokens), rows = static_cast<double>(q.rows);
  MemoryPhase phase{"training", standing(s)};
  const double block = t * (s.fused ? kept_fused(s) : kept_on_device(s));
  const double stream = t * s.c * (s.fused ? computed : s.value);
  double kept = s.layers * (q.recomputes ? stream : block), scratch = 0, head = 0;
  if (s.fused) {
    // The last block's second half runs on the wanted rows alone.
    if (!q.recomputes) kept -= (t - rows) * 4 * (2 * s.c + 2 * s.inner) - rows * 4 * s.q_width;
    kept += stream;  // the embedding
    const double sums = s.value < computed ? std::min(s.largest, summed_at_once) : 0;
    scratch =
        computed * sums +
        t * 4 * (2 * s.c + s.inner + std::max(s.inner, s.q_width + 2 * s.kv_width) + s.q_width);
  } else {
    scratch = t * (s.value * (3 * s.inner + 6 * s.c) + 8 * s.c);
  }
  head = t * s.c * s.value + 2 * static_cast<double>(q.targets) * s.c * 4;
  const double head_gradient = s.lora ? 0 : s.vocabulary * s.c * s.value;
  // Activations go block by block while gradients come, so that the most is at one of the ends;
  // with several micro-batches the gradients are there from the first on.
  const bool widened = q.precision == Precision::bf16_master && q.accumulates;
  const double gradients = s.trained * (widened ? 4 : s.value);
  const double carried = q.moments_on_host ? s.largest * moments(q) : 0;
  const double at_step = q.cpu ? 0 : 12 * s.largest + carried;  // the CPU needs one pass
  double forward = kept + scratch + head + head_gradient + logits_bytes(s);
  // A block that is computed again is there whole while it goes back, at the first one with the
  // inputs of all.
  if (q.recomputes) forward = std::max(forward, kept + block + scratch + head_gradient);
  const double one = q.recomputes ? block + stream : kept / s.layers;
  const double backward =
      std::max(one + scratch + (s.lora ? 0 : s.vocabulary * s.c * s.value), at_step);
  // Of gradients that leave, those of two weights are there, with all activations at first.
  const bool leave = q.gradients_leave && !q.accumulates;
  const double there = leave ? std::min(gradients, 2 * s.largest * s.value) : gradients;
  const double together = q.accumulates ? gradients + forward
                          : leave       ? std::max(forward, kept + scratch + there + at_step)
                                        : std::max(forward, gradients + backward);
  const double of_gradients = std::min(there, together);
  phase.parts.push_back({"gradients", of_gradients});
  phase.parts.push_back({"activations and logits", together - of_gradients});
  return phase;
}

MemoryPhase checkpoint(const Sizes& s) {
  const auto& q = s.q;
  MemoryPhase phase{"checkpoint", {}, !q.cpu};
  // One file of the state at a time. On a CPU it takes the place of the activations, which are back
  // in the heap (measured: 20 MB more than without a checkpoint for SmolLM2, nothing for a model of
  // 30 M). A device's tensors are copied to the host for it.
  if (q.cpu) {
    phase.parts = standing(s);
    phase.parts.push_back({"gradients", s.trained * s.value});
  }
  const double optimizer = moments(q) + (q.precision == Precision::bf16_master ? 4
                                         : q.precision == Precision::kahan     ? 2
                                                                               : 0);
  const double largest =
      s.largest *
      (q.precision == Precision::fp32 || q.precision == Precision::bf16_master ? 4 : s.value);
  const double file = std::min(s.trained * (s.value + optimizer),
                               std::max(static_cast<double>(checkpoint_shard_bytes), largest));
  phase.parts.push_back({"file of the state", file * (q.cpu ? 1 : 2)});
  if (q.moments_on_host) phase.parts.push_back({"moments", s.trained * moments(q)});
  return phase;
}

MemoryPhase evaluation(const Sizes& s) {
  const auto& q = s.q;
  MemoryPhase phase{"evaluation", standing(s)};
  const double prompts = static_cast<double>(q.prompt_tokens),
               answers = static_cast<double>(q.answers),
               longest = static_cast<double>(q.answer_tokens);
  const double value = q.trains ? s.value : static_cast<double>(q.loaded_bytes);
  const bool own = q.cpu;
  const double kept = own ? std::max(value, computed) : value;
  if (s.lora && q.trains && q.cpu) phase.parts.push_back({"merged weights", s.adapted * value});
  const bool copy = cpu::lay_out(q.config.parameter_count(), static_cast<std::int64_t>(value));
  if (own && copy) {
    const double head = s.vocabulary * s.c;
    const double blocks = s.all - head * (q.config.tie_word_embeddings ? 1 : 2);
    phase.parts.push_back({"weights laid out", value * (blocks + head)});
  }
  // Keys and values; the own kernels keep a shared prefix once, the others for every answer.
  const double places =
      own ? prompts + answers * (longest - prompts / std::max(answers, 1.0)) : answers * longest;
  phase.parts.push_back({"keys and values", 2 * places * s.kv_width * s.layers * kept});
  const double width = std::max(s.inner * 2, s.q_width + 2 * s.kv_width) + 4 * s.c + s.q_width;
  phase.parts.push_back({"activations", prompts * width * kept});
  return phase;
}

}  // namespace

double MemoryPhase::total() const {
  double sum = 0;
  for (const auto& part : parts) sum += part.bytes;
  return sum;
}

const MemoryPhase& MemoryEstimate::peak() const {
  return *std::max_element(phases.begin(), phases.end(),
                           [](const MemoryPhase& a, const MemoryPhase& b) {
                             return (a.on_host ? 0 : a.total()) < (b.on_host ? 0 : b.total());
                           });
}

MemoryEstimate estimate_memory(const MemoryQuestion& question) {
  const Sizes sizes(question);
  MemoryEstimate out;
  if (question.trains) {
    out.phases.push_back(training(sizes));
    if (question.moments_on_host)
      out.phases.push_back({"optimizer", {{"moments", sizes.trained * moments(question)}}, true});
    if (question.checkpoints) out.phases.push_back(checkpoint(sizes));
  }
  if (question.answers > 0 || !question.trains) out.phases.push_back(evaluation(sizes));
  for (auto& phase : out.phases)
    phase.parts.push_back(question.cpu || phase.on_host ? MemoryPart{"program", program_bytes}
                                                        : MemoryPart{"context", context_bytes});
  return out;
}

}  // namespace seawall
