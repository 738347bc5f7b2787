#include "seawall/text/chat_runs.hpp"

#include <algorithm>

#include "seawall/core/error.hpp"

namespace seawall {

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
  if (target) runs_.back().target = runs_.back().text.size();
  text(content);
}

bool Runs::place_picture() {
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const auto at = runs_[i].control ? std::string::npos : runs_[i].text.find(kPicturePlaceholder);
    if (at < runs_[i].target) {  // npos is above every place
      Run after = runs_[i];
      auto end = at + kPicturePlaceholder.size();
      if (end < std::min(after.text.size(), after.target) && after.text[end] == ' ') ++end;
      after.text.erase(0, end);
      if (after.target != std::string::npos) after.target -= end;
      if (after.target_end != std::string::npos) after.target_end -= end;
      runs_[i].text.resize(at);
      runs_[i].target = std::string::npos;
      runs_.insert(runs_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                   {Run{.picture = true}, std::move(after)});
      return true;
    }
    if (runs_[i].target != std::string::npos) return false;
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
  return encode(dialogue, tokenizer, false);
}

TokenIds RunTemplate::encode_prompt(const Dialogue& dialogue, const Tokenizer& tokenizer) const {
  return encode(dialogue, tokenizer, true).ids;
}

std::int32_t control_id(std::string_view chat_template, std::string_view piece,
                        const Tokenizer& tokenizer) {
  if (const auto id = tokenizer.id_of(piece)) return *id;
  throw DataError("template " + std::string(chat_template) +
                  ": the tokenizer has no control token '" + std::string(piece) +
                  "'; name the template that the model was trained with");
}

EncodedDialogue RunTemplate::encode(const Dialogue& dialogue, const Tokenizer& tokenizer,
                                    bool generate) const {
  check(dialogue, generate, !generate);
  auto runs = make_runs(dialogue, tokenizer, generate);
  if (dialogue.picture) {
    if (dialogue.first(Role::system).find(kPicturePlaceholder) != std::string_view::npos)
      fail("<image> in the system message, want it in a user turn");
    if (!runs.place_picture()) fail("the dialogue has a picture, want <image> in a user turn");
  }
  EncodedDialogue out;
  for (const auto& run : runs.all()) {
    if (run.picture || run.control) {
      out.ids.push_back(run.picture                ? kPictureId
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
    const auto begin = run.target == std::string::npos ? ids.size() : count_before(run.target),
               end = count_before(run.target_end);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      out.ids.push_back(ids[i]);
      out.loss.push_back(i >= begin && i < end);
    }
  }
  return out;
}

}  // namespace seawall
