// The steps of tokenizer.json before and after its model.
#include <algorithm>

#include "text/tokenizer_json_node.hpp"

namespace seawall::tokenizer_json {
namespace {

constexpr std::string_view word_start = "\u2581";

/// The steps of a Sequence, or the one step that `node` is. `key`: where a Sequence keeps them.
std::vector<Node> steps_of(const Node& node, const char* key) {
  if (node.at("type").text() != "Sequence") return {node};
  auto steps = node.at(key).items();
  for (const auto& step : steps) {
    if (step.at("type").text() == "Sequence") step.fail("a Sequence in a Sequence");
  }
  return steps;
}

[[noreturn]] void refuse(const Node& step, std::string_view wanted) {
  step.fail("step '" + shown(step.at("type").text()) + "' is not supported here, want " +
            std::string(wanted));
}

/// A pattern given as a text, not as an expression.
const std::string& plain_pattern(const Node& step) {
  const auto pattern = step.at("pattern");
  if (!pattern.has("String")) pattern.fail("want a String");
  return pattern.at("String").text();
}

std::string pattern_name(const Node& split) {
  split.want_text("behavior", "Isolated");
  split.want_off("invert");
  const auto& expression = split.at("pattern").at("Regex").text();
  for (const auto& known : known_patterns) {
    if (expression == known.expression) return std::string(known.name);
  }
  split.at("pattern").fail("the expression is none of those of gpt-2, llama-bpe and qwen2");
}

void read_byte_level(const Node& node, BpeSpec& spec) {
  std::string pattern;
  bool digits = false, byte_level = false;
  for (const auto& step : steps_of(node, "pretokenizers")) {
    const auto& type = step.at("type").text();
    if (byte_level) step.fail("a step after ByteLevel is not supported");
    if (type == "Digits" && pattern.empty()) {
      if (!step.at("individual_digits").flag()) step.fail("want individual_digits true");
      digits = true;
    } else if (type == "Split" && pattern.empty()) {
      pattern = pattern_name(step);
    } else if (type == "ByteLevel") {
      byte_level = true;
      spec.prefix_space = step.has("add_prefix_space") && step.at("add_prefix_space").flag();
      if (spec.prefix_space && (digits || !pattern.empty()))
        step.fail("add_prefix_space after another step is not supported");
      const bool splits = !step.has("use_regex") || step.at("use_regex").flag();
      if (splits != pattern.empty())
        step.fail("want one splitting pattern: a Split step or use_regex");
      if (splits) pattern = "gpt-2";
    } else {
      refuse(step, "Digits, Split or ByteLevel");
    }
  }
  if (!byte_level) node.fail("want a ByteLevel step");
  if (digits && pattern != "gpt-2") node.fail("Digits are supported with the gpt-2 pattern only");
  spec.pre_tokenizer = digits ? "smollm" : pattern;
}

void read_characters(const Node& node, BpeSpec& spec) {
  for (const auto& step : steps_of(node, "pretokenizers")) {
    const auto& type = step.at("type").text();
    if (type == "Split") {
      // Gemma's: spaces are gone by then, so that nothing is split.
      const bool gone = std::ranges::any_of(
          spec.normalizer, [](const auto& each) { return each.what == " " && each.by != " "; });
      if (!gone || plain_pattern(step) != " ") step.at("pattern").fail("is not supported here");
      continue;
    }
    if (type != "Metaspace") refuse(step, "Metaspace");
    step.want_text("replacement", word_start);
    std::string scheme = "always";
    if (step.has("prepend_scheme")) {
      scheme = step.at("prepend_scheme").text();
    } else if (step.has("add_prefix_space") && !step.at("add_prefix_space").flag()) {
      scheme = "never";
    }
    using Prefix = BpeSpec::Prefix;
    if (scheme != "always" && scheme != "first" && scheme != "never")
      step.at("prepend_scheme").fail("want always, first or never");
    spec.prefix = scheme == "always"  ? Prefix::always
                  : scheme == "first" ? Prefix::first
                                      : Prefix::never;
    spec.spaces_marked = true;
    if (!step.has("split") || step.at("split").flag()) spec.pre_tokenizer = "words";
  }
}

}  // namespace

void read_normalizer(const Node& top, BpeSpec& spec) {
  if (!top.has("normalizer")) return;
  for (const auto& step : steps_of(top.at("normalizer"), "normalizers")) {
    const auto& type = step.at("type").text();
    if (type == "NFC") {
      spec.normalizer.push_back({.kind = NormalStep::Kind::nfc});
    } else if (type == "Prepend") {
      spec.normalizer.push_back(
          {.kind = NormalStep::Kind::prepend, .what = step.at("prepend").text()});
    } else if (type == "Replace") {
      spec.normalizer.push_back({.kind = NormalStep::Kind::replace,
                                 .what = plain_pattern(step),
                                 .by = step.at("content").text()});
    } else {
      refuse(step, "NFC, Prepend or Replace");
    }
  }
}

void read_pre_tokenizer(const Node& top, BpeSpec& spec) {
  if (!spec.characters) return read_byte_level(top.at("pre_tokenizer"), spec);
  spec.pre_tokenizer = "none";
  if (top.has("pre_tokenizer")) read_characters(top.at("pre_tokenizer"), spec);
}

void read_decoder(const Node& top, BpeSpec& spec) {
  const auto decoder = top.at("decoder");
  for (const auto& step : steps_of(decoder, "decoders")) {
    const auto& type = step.at("type").text();
    if (type == "ByteLevel") return;
    spec.characters = true;
    if (type == "Replace") {
      if (plain_pattern(step) != word_start) step.at("pattern").fail("want U+2581");
      step.want_text("content", " ");
    } else if (type == "Strip") {
      step.want_text("content", " ");
      spec.strip_first = step.at("start").value() == 1;
    } else if (type == "Metaspace") {
      step.want_text("replacement", word_start);
      const bool never = step.has("prepend_scheme") && step.at("prepend_scheme").text() == "never";
      spec.strip_first = !never;
    } else if (type != "ByteFallback" && type != "Fuse") {
      refuse(step, "ByteLevel, Replace, ByteFallback, Fuse, Strip or Metaspace");
    }
  }
}

void read_post_processor(const Node& top, BpeSpec& spec) {
  if (!top.has("post_processor")) return;
  for (const auto& step : steps_of(top.at("post_processor"), "processors")) {
    const auto& type = step.at("type").text();
    if (type == "ByteLevel") continue;
    if (type != "TemplateProcessing") refuse(step, "TemplateProcessing or ByteLevel");
    const auto single = step.at("single").items();
    if (single.empty() || !single[0].has("SpecialToken") || spec.bos) continue;
    const auto& name = single[0].at("SpecialToken").at("id").text();
    const auto found = std::ranges::find(spec.tokens, name);
    if (found == spec.tokens.end())
      single[0].fail("'" + shown(name) + "' is not in the vocabulary");
    spec.bos = static_cast<std::int32_t>(found - spec.tokens.begin());
  }
}

}  // namespace seawall::tokenizer_json
