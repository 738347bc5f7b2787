#include "text/chat_runs.hpp"

#include <algorithm>

#include "seawall/core/error.hpp"
#include "text/jinja/texts.hpp"

namespace seawall {
namespace {

/// Put after an answer that is to be continued, to find where it ends in the written dialogue.
/// Source: transformers, chat_template_utils.py, continue_final_message_tag.
constexpr std::string_view continued = "CONTINUE_FINAL_MESSAGE_TAG ";

}  // namespace

void Runs::control(std::string_view name, bool end_of_target) {
  if (!name.empty())
    runs_.push_back({.control = true, .text = std::string(name), .end_of_target = end_of_target});
}

void Runs::text(std::string_view text) {
  if (runs_.empty() || runs_.back().control) runs_.push_back({});
  runs_.back().text += text;
}

void Runs::answer(std::string_view content, bool target) {
  text("");
  const auto begin = runs_.back().text.size();
  text(content);
  if (target) runs_.back().targets.push_back({begin, runs_.back().text.size()});
}

bool Runs::cut_at(std::string_view mark) {
  const auto bare = mark.substr(0, mark.find_last_not_of(' ') + 1);
  for (auto run = runs_.end(); run != runs_.begin();) {
    --run;
    const auto at = run->control ? std::string::npos : run->text.rfind(bare);
    if (at == std::string::npos) continue;
    const bool whole = run->text.compare(at, mark.size(), mark) == 0;
    run->text.resize(at);
    if (!whole)
      run->text = jinja::stripped(jinja::Text(run->text), jinja::Side::right, std::nullopt).bytes;
    run->targets.clear();
    runs_.erase(run->text.empty() ? run : run + 1, runs_.end());
    return true;
  }
  return false;
}

bool Runs::place_picture() {
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const auto at = runs_[i].control ? std::string::npos : runs_[i].text.find(picture_placeholder);
    const auto target =
        runs_[i].targets.empty() ? std::string::npos : runs_[i].targets.front().begin;
    if (at < target) {  // npos is above every place
      ChatRun after = runs_[i];
      auto end = at + picture_placeholder.size();
      if (end < std::min(after.text.size(), target) && after.text[end] == ' ') ++end;
      after.text.erase(0, end);
      for (auto& span : after.targets) span = {span.begin - end, span.end - end};
      runs_[i].text.resize(at);
      runs_[i].targets.clear();
      runs_.insert(runs_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                   {ChatRun{.picture = true}, std::move(after)});
      return true;
    }
    if (!runs_[i].targets.empty()) return false;
  }
  return false;
}

void RunTemplate::fail(const std::string& what) const {
  throw DataError("template " + name_ + ": " + what);
}

void RunTemplate::check(const Dialogue& dialogue, bool generate, bool example) const {
  if (dialogue.messages.empty()) fail("the dialogue has no messages");
  if (!generate && !example) return;
  const auto want = generate ? Role::user : Role::assistant;
  const auto last = dialogue.messages.back().role;
  if (last == want) return;
  fail((generate ? "a prompt ends with role " : "an example ends with role ") +
       std::string(role_name(last)) + ", want " + std::string(role_name(want)));
}

EncodedDialogue RunTemplate::encode_example(const Dialogue& dialogue,
                                            const Tokenizer& tokenizer) const {
  return encode(dialogue, tokenizer, Purpose::example);
}

TokenIds RunTemplate::encode_prompt(const Dialogue& dialogue, const Tokenizer& tokenizer) const {
  return encode(dialogue, tokenizer, dialogue.prefilled() ? Purpose::continuation : Purpose::prompt)
      .ids;
}

std::string RunTemplate::render(const Dialogue& dialogue, bool add_generation_prompt) const {
  if (!add_generation_prompt || !dialogue.prefilled()) {
    check(dialogue, add_generation_prompt, false);
    return written(dialogue, add_generation_prompt);
  }
  check(dialogue, false, true);
  Runs runs;
  runs.text(written(marked(dialogue), false));
  if (!runs.cut_at(continued)) fail("leaves out the prefilled answer of a prompt");
  return runs.all().empty() ? "" : runs.all().front().text;
}

Dialogue RunTemplate::marked(Dialogue dialogue) {
  dialogue.messages.back().content += continued;
  return dialogue;
}

std::int32_t control_id(std::string_view chat_template, std::string_view piece,
                        const Tokenizer& tokenizer) {
  if (const auto id = tokenizer.id_of(piece)) return *id;
  throw DataError("template " + std::string(chat_template) +
                  ": the tokenizer has no control token '" + std::string(piece) +
                  "'; name the template that the model was trained with");
}

EncodedDialogue RunTemplate::encode(const Dialogue& dialogue, const Tokenizer& tokenizer,
                                    Purpose purpose) const {
  check(dialogue, purpose == Purpose::prompt, purpose != Purpose::prompt);
  Runs runs;
  if (purpose == Purpose::continuation) {
    runs = make_runs(marked(dialogue), tokenizer, purpose);
    if (!runs.cut_at(continued)) fail("leaves out the prefilled answer of a prompt");
  } else {
    runs = make_runs(dialogue, tokenizer, purpose);
  }
  if (dialogue.picture) {
    if (dialogue.first(Role::system).find(picture_placeholder) != std::string_view::npos)
      fail("<image> in the system message, want it in a user turn");
    if (!runs.place_picture()) fail("the dialogue has a picture, want <image> in a user turn");
  }
  EncodedDialogue out;
  for (const auto& run : runs.all()) {
    if (run.picture || run.control) {
      out.ids.push_back(run.picture                ? picture_id
                        : run.id.value_or(-1) >= 0 ? *run.id
                                                   : control_id(name_, run.text, tokenizer));
      out.loss.push_back(run.end_of_target);
      continue;
    }
    const bool first = out.ids.empty();
    const auto ids = tokenizer.encode_part(run.text, first);
    const auto count_before = [&](std::size_t end) {
      if (end >= run.text.size()) return ids.size();
      const auto part = std::string_view(run.text).substr(0, end);
      return end == 0 ? 0 : tokenizer.encode_part(part, first).size();
    };
    const auto start = out.ids.size();
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.loss.resize(out.ids.size(), 0);
    for (const auto& [from, to] : run.targets)
      for (auto i = count_before(from), end = count_before(to); i < end; ++i)
        out.loss[start + i] = 1;
  }
  return out;
}

}  // namespace seawall
