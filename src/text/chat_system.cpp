#include "seawall/text/chat_system.hpp"

#include <optional>
#include <utility>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

class MergingTemplate final : public ChatTemplate {
 public:
  explicit MergingTemplate(std::unique_ptr<ChatTemplate> chat) : chat_(std::move(chat)) {}
  std::string_view name() const override { return chat_->name(); }
  std::string_view source() const override { return chat_->source(); }
  EncodedDialogue encode_example(const Dialogue& dialogue,
                                 const Tokenizer& tokenizer) const override {
    return chat_->encode_example(system_merged(dialogue), tokenizer);
  }
  TokenIds encode_prompt(const Dialogue& dialogue, const Tokenizer& tokenizer) const override {
    return chat_->encode_prompt(system_merged(dialogue), tokenizer);
  }
  std::string render(const Dialogue& dialogue, bool add_generation_prompt) const override {
    return chat_->render(system_merged(dialogue), add_generation_prompt);
  }
  TokenIds stop_ids(const Tokenizer& tokenizer) const override {
    return chat_->stop_ids(tokenizer);
  }
  bool merges_system() const override { return true; }

 private:
  std::unique_ptr<ChatTemplate> chat_;
};

std::optional<std::string> rendered(const ChatTemplate& chat, const Dialogue& dialogue) {
  try {
    return chat.render(dialogue, true);
  } catch (const DataError&) {
    return std::nullopt;
  }
}

}  // namespace

Dialogue system_merged(Dialogue dialogue) {
  auto& messages = dialogue.messages;
  if (messages.size() < 2 || messages[0].role != Role::system || messages[1].role != Role::user)
    return dialogue;
  if (!messages[0].content.empty()) messages[1].content.insert(0, messages[0].content + "\n\n");
  messages.erase(messages.begin());
  return dialogue;
}

std::unique_ptr<ChatTemplate> with_system_turn(std::unique_ptr<ChatTemplate> chat) {
  const Message system{Role::system, "SystemTurn"}, user{Role::user, "UserTurn"};
  const auto whole = rendered(*chat, {{system, user}});
  if (whole && whole->find(system.content) != std::string::npos) return chat;
  const auto bare = rendered(*chat, {{user}});
  if (!bare || bare->find(user.content) == std::string::npos) return chat;
  return std::make_unique<MergingTemplate>(std::move(chat));
}

}  // namespace seawall
