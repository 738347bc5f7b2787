// The generation settings of a model's folder, read as transformers' GenerationConfig reads them.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "model/json_fields.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/decoding.hpp"

namespace seawall {
namespace {

using nlohmann::json;
using TokenList = std::vector<std::int32_t>;

/// Used in sampling alone, with the value that does nothing.
const std::array<std::pair<const char*, double>, 9> sampling{{{"temperature", 1},
                                                              {"top_k", 50},
                                                              {"top_p", 1},
                                                              {"min_p", 0},
                                                              {"top_h", 0},
                                                              {"typical_p", 1},
                                                              {"epsilon_cutoff", 0},
                                                              {"eta_cutoff", 0},
                                                              {"max_new_tokens", 0}}};
/// What changes the answers of transformers and is not done here, with the value that is off.
const std::array<std::pair<const char*, double>, 4> numbers_not_done{
    {{"num_beams", 1}, {"guidance_scale", 1}, {"penalty_alpha", 0}, {"max_time", 0}}};
constexpr std::array<const char*, 6> not_done{"watermarking_config", "constraints",
                                              "force_words_ids",     "dola_layers",
                                              "token_healing",       "remove_invalid_values"};

class DecodingReader {
 public:
  DecodingReader(const json& object, const std::string& where, std::int64_t vocabulary)
      : fields_(object, where), vocabulary_(vocabulary) {}

  DecodingFile read() {
    auto& rules = out_.rules;
    read_ends();
    rules.repetition_penalty = penalty("repetition_penalty");
    rules.encoder_repetition_penalty = penalty("encoder_repetition_penalty");
    rules.no_repeat_ngram_size = count("no_repeat_ngram_size");
    rules.encoder_no_repeat_ngram_size = count("encoder_no_repeat_ngram_size");
    rules.min_length = count("min_length");
    rules.min_new_tokens = count("min_new_tokens");
    if (fields_.given("min_new_tokens")) rules.min_length = 0;  // the former wins
    if (fields_.given("forced_bos_token_id"))
      rules.forced_bos = known(id("forced_bos_token_id", fields_.at("forced_bos_token_id")),
                               "forced_bos_token_id");
    for (const auto id : ids("forced_eos_token_id"))
      rules.forced_eos.push_back(known(id, "forced_eos_token_id"));
    rules.suppress = inside(ids("suppress_tokens"));
    rules.begin_suppress = inside(ids("begin_suppress_tokens"));
    read_biases();
    read_bad_words();
    read_length_penalty();
    read_stop_strings();
    name_the_rest();
    return std::move(out_);
  }

 private:
  void read_ends() {
    if (!fields_.given("eos_token_id")) return;
    const auto& value = fields_.at("eos_token_id");
    for (const auto& each : value.is_array() ? value : json::array({value}))
      if (each.is_number_integer() && each.get<double>() >= 0 &&
          each.get<double>() < static_cast<double>(vocabulary_))
        out_.rules.eos.push_back(each.get<std::int32_t>());
  }
  std::int32_t id(const char* field, const json& value) const {
    if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() > INT32_MAX)
      fields_.fail(std::string(field) + ": want token ids, found " + shown(value.dump()));
    return value.get<std::int32_t>();
  }
  std::int32_t known(std::int32_t id, const char* field) const {
    if (id >= vocabulary_)
      fields_.fail(std::string(field) + ": token " + std::to_string(id) +
                   " is outside the vocabulary of " + std::to_string(vocabulary_));
    return id;
  }
  TokenList inside(TokenList ids) const {
    std::erase_if(ids, [&](std::int32_t id) { return id >= vocabulary_; });
    return ids;
  }
  TokenList ids_of(const char* field, const json& value) const {
    TokenList out;
    for (const auto& each : value.is_array() ? value : json::array({value}))
      out.push_back(id(field, each));
    return out;
  }
  TokenList ids(const char* field) const {
    return fields_.given(field) ? ids_of(field, fields_.at(field)) : TokenList{};
  }
  double penalty(const char* field) const {
    const auto value = fields_.number(field, 1);
    if (!(value > 0)) fields_.fail(std::string(field) + ": want a number above 0");
    return value;
  }
  std::int64_t count(const char* field) const {
    const auto value = fields_.integer(field, 0);
    if (value < 0) fields_.fail(std::string(field) + ": want 0 or more");
    return value;
  }

  static void add(std::vector<DecodingRules::Bias>& list, TokenList ids, float bias) {
    const auto same = std::ranges::find(list, ids, &DecodingRules::Bias::ids);
    if (same == list.end())
      list.push_back({std::move(ids), bias});
    else
      same->bias = bias;  // the last one counts
  }
  TokenList run(const char* field, const json& value) const {
    auto out = value.is_array() ? ids_of(field, value) : TokenList{};
    if (out.empty()) fields_.fail(std::string(field) + ": want lists of token ids");
    for (const auto id : out) known(id, field);
    return out;
  }
  void read_biases() {
    if (!fields_.given("sequence_bias")) return;
    const auto& list = fields_.at("sequence_bias");
    if (!list.is_array()) fields_.fail("sequence_bias: want a list of [token ids, number]");
    for (const auto& each : list) {
      if (!each.is_array() || each.size() != 2 || !each[1].is_number())
        fields_.fail("sequence_bias: want entries of [token ids, number]");
      add(out_.rules.biases, run("sequence_bias", each[0]), each[1].get<float>());
    }
  }
  void read_bad_words() {
    if (!fields_.given("bad_words_ids")) return;
    const auto& list = fields_.at("bad_words_ids");
    if (!list.is_array()) fields_.fail("bad_words_ids: want a list of lists of token ids");
    const auto& eos = out_.rules.eos;
    for (const auto& each : list) {
      auto ids = run("bad_words_ids", each);
      if (ids.size() == 1 && std::ranges::find(eos, ids[0]) != eos.end()) continue;
      add(out_.rules.bad_words, std::move(ids), -std::numeric_limits<float>::infinity());
    }
  }
  void read_length_penalty() {
    const auto* name = "exponential_decay_length_penalty";
    if (!fields_.given(name)) return;
    const auto& pair = fields_.at(name);
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_integer() ||
        !pair[1].is_number())
      fields_.fail(std::string(name) + ": want [first token, factor]");
    out_.rules.length_penalty = {pair[0].get<std::int64_t>(), pair[1].get<double>()};
  }

  void read_stop_strings() {
    if (!fields_.given("stop_strings")) return;
    const auto& given = fields_.at("stop_strings");
    for (const auto& each : given.is_array() ? given : json::array({given})) {
      if (!each.is_string() || each.get_ref<const std::string&>().empty())
        fields_.fail("stop_strings: want texts that are not empty");
      out_.rules.stop_strings.push_back(each.get<std::string>());
    }
  }

  void name_the_rest() {
    std::string unused, undone;
    const auto add = [](std::string& to, const std::string& name) {
      to += (to.empty() ? "" : ", ") + name;
    };
    const auto off = [&](const char* name, double value) {
      if (!fields_.given(name)) return true;
      const auto& given = fields_.at(name);
      return given.is_number() ? given.get<double>() == value : given == false;
    };
    if (!off("do_sample", 0)) add(unused, "do_sample");
    for (const auto& [name, value] : sampling)
      if (!off(name, value) && !off(name, 0)) add(unused, name);
    for (const auto& [name, value] : numbers_not_done)
      if (!off(name, value)) add(undone, name);
    for (const auto* name : not_done)
      if (!off(name, 0) && !fields_.at(name).empty()) add(undone, name);
    const auto& where = fields_.where();
    if (!unused.empty())
      out_.notices.push_back(where +
                             ": not used, as answers are chosen greedily and their length "
                             "is --max-new-tokens: " +
                             unused);
    if (!undone.empty())
      out_.notices.push_back(where +
                             ": not applied, so that transformers answers otherwise: " + undone);
  }

  JsonFields fields_;
  std::int64_t vocabulary_;
  DecodingFile out_;
};

}  // namespace

DecodingFile read_decoding(const std::string& text, const std::string& where,
                           std::int64_t vocabulary) {
  const auto object = parse_json(text, where);
  return DecodingReader(object, where, vocabulary).read();
}

}  // namespace seawall
