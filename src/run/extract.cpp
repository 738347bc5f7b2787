#include "seawall/run/extract.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/listener.hpp"
#include "seawall/core/progress.hpp"
#include "seawall/core/text.hpp"
#include "seawall/core/version.hpp"
#include "seawall/dataset/source.hpp"
#include "seawall/model/batch_plan.hpp"
#include "seawall/model/not_finite.hpp"
#include "seawall/pretrained/adapter.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/store/activations.hpp"
#include "seawall/text/prompt_spans.hpp"

namespace seawall {
namespace {

struct Prompt {
  std::string id, category, text;
  TokenIds ids;
  std::vector<std::int64_t> spans = {};  // of the tokens, if asked for; empty: they cannot be told
};

/// Rows {"text": …} or {"messages": […]}, with optional `id` and `category`.
std::vector<Prompt> read_prompts(const std::string& path, const ModelBundle& model, bool spans) {
  const std::string bytes = read_file(path);
  std::vector<Prompt> prompts;
  std::map<std::string, std::size_t> lines;  // of ids
  std::size_t begin = 0;
  for (std::size_t number = 1; begin < bytes.size(); ++number) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    const std::string_view text(bytes.data() + begin, end - begin);
    begin = end + 1;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = path + ": line " + std::to_string(number);
    const auto row = parse_json(text, where);
    Prompt p;
    for (const char* name : {"id", "category"})
      if (row.is_object() && row.contains(name) && !row[name].is_string())
        throw DataError(where + ": want a string as `" + name + "`");
    p.id = row.is_object() ? row.value("id", "prompt/" + std::to_string(prompts.size())) : "";
    if (const auto [first, fresh] = lines.emplace(p.id, number); !fresh)
      throw DataError(where + ": the id `" + p.id + "` is that of line " +
                      std::to_string(first->second) + " as well; give each prompt its own");
    if (row.is_object()) p.category = row.value("category", "");
    if (row.is_object() && row.contains("text") && row["text"].is_string()) {
      p.text = row["text"].get<std::string>();
      p.ids = model.tokenizer->encode(p.text, true);
      const auto pieces = model.tokenizer->cut(p.text);
      const bool written = std::ranges::any_of(pieces, [](const TextPiece& piece) {
        return piece.control.has_value();
      });  // by a template: whose words are whose cannot be told
      if (spans && !written) p.spans = plain_spans(p.ids.size());
    } else if (row.is_object() && row.contains("messages") && row["messages"].is_array()) {
      Dialogue d;
      for (const auto& m : row["messages"]) {
        if (!m.is_object() || !m.contains("role") || !m.contains("content") ||
            !m["role"].is_string() || !m["content"].is_string())
          throw DataError(where + ": a message wants string fields `role` and `content`");
        d.messages.push_back(
            {role_from(m["role"].get<std::string>()), m["content"].get<std::string>()});
      }
      if (d.prefilled() && blank(d.messages.back().content))
        d.messages.pop_back();  // the place of the answer
      try {
        p.text = model.chat_template->render(d, true);
        p.ids = model.chat_template->encode_prompt(d, *model.tokenizer);
      } catch (const DataError& error) {
        throw DataError(where + ": " + error.what());
      }
      if (spans) p.spans = prompt_spans(*model.chat_template, d, p.ids, *model.tokenizer);
    } else {
      throw DataError(where + ": want an object with `text` (a string) or `messages` (an array)");
    }
    if (p.ids.empty()) throw DataError(where + ": the prompt has no token");
    check_in_embedding(model, p.ids, where);
    if (static_cast<std::int64_t>(p.ids.size()) > model.decoder->config().max_position_embeddings)
      throw DataError(where + ": " + std::to_string(p.ids.size()) +
                      " tokens, the model's context is " +
                      std::to_string(model.decoder->config().max_position_embeddings));
    prompts.push_back(std::move(p));
  }
  if (prompts.empty())
    throw DataError(path + ": no prompt in the file; want one JSON object a line");
  return prompts;
}

/// Flat tokens of a row, in order: its ancestors' segments, then its own up to its last token.
std::vector<std::int64_t> row_tokens(const BatchPlan& plan, std::int64_t row, std::int64_t last) {
  std::vector<std::int64_t> path;
  for (std::int64_t s = plan.leaf_of[static_cast<std::size_t>(row)]; s >= 0;
       s = plan.segments[static_cast<std::size_t>(s)].parent)
    path.push_back(s);
  std::vector<std::int64_t> tokens;
  for (auto s = path.rbegin(); s != path.rend(); ++s) {
    const Segment& segment = plan.segments[static_cast<std::size_t>(*s)];
    for (std::int64_t t = segment.begin;
         t < segment.begin + segment.length && (tokens.empty() || tokens.back() != last); ++t)
      tokens.push_back(t);
  }
  return tokens;
}

/// Activations on their way to the writer. Those of a device come in one copy for many prompts.
class Outbox {
 public:
  explicit Outbox(ActivationWriter& writer) : writer_(writer) {}

  void add(PromptActivations prompt, const at::Device& device) {
    if (device.is_cpu()) return writer_.add(std::move(prompt));
    waiting_.push_back(std::move(prompt));
    for (const Tensor* tensor : tensors(waiting_.back())) values_ += tensor->numel();
    if (values_ > most) flush();
  }

  void flush() {
    std::vector<Tensor> parts;
    for (auto& prompt : waiting_)
      for (const Tensor* tensor : tensors(prompt))
        parts.push_back(tensor->to(at::kFloat).reshape({-1}));
    if (parts.empty()) return;
    const Tensor here = at::cat(parts).to(at::kCPU);
    std::int64_t begin = 0;
    for (auto& prompt : waiting_) {
      for (Tensor* tensor : tensors(prompt)) {
        const auto n = tensor->numel();
        *tensor = here.narrow(0, std::exchange(begin, begin + n), n).view(tensor->sizes());
      }
      writer_.add(std::move(prompt));
    }
    waiting_.clear();
    values_ = 0;
  }

 private:
  static constexpr std::int64_t most = std::int64_t{1} << 24;  // 64 MiB in fp32
  static std::vector<Tensor*> tensors(PromptActivations& prompt) {
    std::vector<Tensor*> out;
    for (Tensor* tensor :
         {&prompt.resid_post, &prompt.attn_out, &prompt.mlp_out, &prompt.attention, &prompt.logits})
      if (tensor->defined()) out.push_back(tensor);
    return out;
  }

  ActivationWriter& writer_;
  std::vector<PromptActivations> waiting_;
  std::int64_t values_ = 0;
};

using Kind = TapPoint::Kind;

/// The places of a forward pass that `info` asks for.
Taps taps_of(const ActivationInfo& info) {
  Taps taps;
  if (info.layers > 0) taps = taps | (Kind::embed | Kind::resid_post);
  if (info.attn_out) taps = taps | Kind::attn_out;
  if (info.mlp_out) taps = taps | Kind::mlp_out;
  if (info.heads > 0) taps = taps | Kind::attention;
  return taps;
}

/// The part of each flat token of a plan without shared prefixes; `template` where it cannot be
/// told.
void put_groups(BatchPlan& plan, const std::vector<Prompt>& prompts, std::size_t begin) {
  std::vector<std::int64_t> groups(static_cast<std::size_t>(plan.tokens), token_spans - 1);
  const Tensor last = plan.last_token.to(at::kCPU);
  for (std::int64_t row = 0; row < plan.rows; ++row) {
    const auto& spans = prompts[begin + static_cast<std::size_t>(row)].spans;
    const auto tokens = row_tokens(plan, row, last.const_data_ptr<std::int64_t>()[row]);
    for (std::size_t t = 0; t < spans.size(); ++t)
      groups[static_cast<std::size_t>(tokens[t])] = spans[t];
  }
  plan.token_groups = at::tensor(groups, at::kLong).to(plan.ids.device());
  plan.groups = token_spans;
}

/// What was asked for, of one batch of prompts.
void extract_batch(const ModelBundle& model, const std::vector<Prompt>& prompts, std::size_t begin,
                   std::size_t end, const ActivationInfo& info, ActivationWriter& writer) {
  std::vector<Sequence> rows;
  for (std::size_t i = begin; i < end; ++i) rows.push_back({prompts[i].ids, {}});
  const Decoder& decoder = *model.decoder;
  const bool all = info.all_positions, attention = info.heads > 0;
  BatchPlan plan = plan_batch(rows, decoder.device(), {.share_prefixes = !attention});
  if (attention) put_groups(plan, prompts, begin);
  std::map<Kind, std::vector<Tensor>> taken;  // of each block; the embedding is the first stream
  ForwardHooks hooks;
  hooks.taps = taps_of(info);
  if (hooks.taps.any())
    hooks.take = [&](const TapPoint& p, const Tensor& x) {
      taken[p.kind == Kind::embed ? Kind::resid_post : p.kind].push_back(x.clone());
    };
  const Tensor hidden = decoder.hidden(plan, hooks);
  const Tensor last = plan.last_token.to(at::kCPU);
  std::vector<std::int64_t> tokens, ends{0};  // of all rows
  for (std::size_t i = begin; i < end; ++i) {
    const auto row = static_cast<std::int64_t>(i - begin);
    const std::int64_t last_token = last.const_data_ptr<std::int64_t>()[row];
    const auto mine =
        all ? row_tokens(plan, row, last_token) : std::vector<std::int64_t>{last_token};
    tokens.insert(tokens.end(), mine.begin(), mine.end());
    ends.push_back(static_cast<std::int64_t>(tokens.size()));
  }
  const Tensor places = at::tensor(tokens, at::kLong).to(decoder.device());
  const auto bad = first_row_not_finite(hidden.index_select(0, places));
  Outbox outbox(writer);
  for (std::size_t i = begin; i < end; ++i) {
    const auto row = i - begin;
    if (bad && *bad < ends[row + 1])
      throw RunError("extract: prompt " + prompts[i].id + ": " +
                     where_not_finite(decoder, rows[row], {}));
    const Tensor index = places.narrow(0, ends[row], ends[row + 1] - ends[row]);
    PromptActivations out;
    out.id = prompts[i].id;
    out.category = prompts[i].category;
    out.text = prompts[i].text;
    out.input_ids = prompts[i].ids;
    for (const auto& [kind, values] : {std::pair(Kind::resid_post, &PromptActivations::resid_post),
                                       std::pair(Kind::attn_out, &PromptActivations::attn_out),
                                       std::pair(Kind::mlp_out, &PromptActivations::mlp_out),
                                       std::pair(Kind::attention, &PromptActivations::attention)}) {
      std::vector<Tensor> picked;
      for (const auto& layer : taken[kind]) picked.push_back(at::index_select(layer, 0, index));
      if (!picked.empty()) out.*values = at::stack(picked);  // [L,P,C]; attention [L,P,H,spans]
    }
    if (attention) {
      out.attention = out.attention.transpose(1, 2);  // [L,H,P,spans]
      if (prompts[i].spans.empty()) out.attention = at::full_like(out.attention, NAN);
    }
    if (info.vocabulary > 0)
      out.logits = decoder.logits(at::index_select(hidden, 0, index));  // [P,V]
    outbox.add(std::move(out), decoder.device());
  }
  outbox.flush();
}

}  // namespace

std::vector<std::filesystem::path> extract_activations(const ExtractSpec& options,
                                                       const std::string& config_text) {
  const auto points = split_list(options.points);
  constexpr std::array<std::string_view, 5> known = {"resid_post", "attn_out", "mlp_out",
                                                     "attention", "logits"};
  for (const auto& p : points)
    if (std::ranges::find(known, p) == known.end())
      throw UsageError("--points " + p +
                       ": want some of resid_post, attn_out, mlp_out, attention and logits");
  const auto asked = [&](std::string_view p) {
    return std::ranges::find(points, p) != points.end();
  };
  set_threads(options.threads);
  at::NoGradGuard no_grad;
  ModelBundle model = load_pretrained(options.model);
  model.decoder->merge();
  set_threads(options.threads, model);
  const auto prompts = read_prompts(options.prompts, model, asked("attention"));
  const LlamaConfig& config = model.decoder->config();

  ActivationInfo info;
  info.layers = asked("resid_post") ? config.layers + 1 : 0;
  info.d_model = config.hidden_size;
  info.vocabulary = asked("logits") ? config.vocab_size : 0;
  info.blocks = config.layers;
  info.attn_out = asked("attn_out");
  info.mlp_out = asked("mlp_out");
  if (asked("attention")) {
    info.heads = config.heads;
    info.spans = {attention_spans.begin(), attention_spans.end()};
    const auto untold =
        std::ranges::count_if(prompts, [](const Prompt& p) { return p.spans.empty(); });
    if (untold > 0)
      warn(
          "seawall: attention of %lld of %zu prompts is NaN, as its parts cannot be told: the chat "
          "template changes a message's words, or a text has control tokens\n",
          static_cast<long long>(untold), prompts.size());
  }
  info.all_positions = options.positions == "all";
  for (const auto& p : prompts)
    info.max_length = std::max(info.max_length, static_cast<std::int64_t>(p.ids.size()));
  info.prompts = static_cast<std::int64_t>(prompts.size());
  info.compress = !options.uncompressed;
  info.overwrite = options.overwrite;
  info.config_json = nlohmann::json{{"config", config_text}}.dump();
  info.attributes = {{"version_seawall", program_version},
                     {"model", options.model.name},
                     {"hash_model", model.weights_hash},
                     {"hash_tokenizer", model.tokenizer->content_hash()},
                     {"hash_prompts", sha256_file(options.prompts)},
                     {"chat_template", std::string(model.chat_template->name())}};
  if (!model.adapter_hash.empty()) info.attributes.emplace_back("hash_adapter", model.adapter_hash);
  ActivationWriter writer(options.out, info);
  Progress progress("extract", info.prompts, options.quiet);
  const auto batch = static_cast<std::size_t>(options.batch_size);
  for (std::size_t begin = 0; begin < prompts.size(); begin += batch) {
    const std::size_t end = std::min(begin + batch, prompts.size());
    extract_batch(model, prompts, begin, end, info, writer);
    std::int64_t tokens = 0;
    for (std::size_t i = begin; i < end; ++i)
      tokens += static_cast<std::int64_t>(prompts[i].ids.size());
    progress.update(static_cast<std::int64_t>(end), tokens,
                    std::numeric_limits<double>::quiet_NaN());
  }
  auto files = writer.close();
  progress.finish();
  return files;
}

}  // namespace seawall
